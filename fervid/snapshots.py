"""Single pictures that a viewer keeps: one PNG each, and never in the place of another file."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2

from fervid.draw import draw
from fervid.errors import SinkError
from fervid.folders import safe_name
from fervid.pen import U8
from fervid.records import Frame, FrameResult
from fervid.stills import still

Paint = Callable[[Frame, FrameResult, bool], U8]  # the last: with heatmaps
LONGEST = 120  # bytes of a label in a file's name


def annotated(frame: Frame, result: FrameResult, heatmap: bool) -> U8:
    """The frame with everything drawn over it."""
    return draw(frame.bgr, result, heatmap=heatmap)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Where snapshots of one source go, and what is on them.

    Attributes:
        folder: made when the first one is saved.
        label: of the source.
        allowed: whether pictures may be written at all.
        paint: makes the picture that is saved, which need not be the one in the window.
        bare: whether faces may be seen in what is written; stills show nothing else.
    """

    folder: Path
    label: str
    allowed: bool = True
    paint: Paint = annotated
    bare: bool = True

    def save(self, frame: Frame, result: FrameResult, heatmap: bool) -> Path:
        """Save one picture under a name that no file has; returns its path.

        Raises:
            SinkError: it cannot be written; nothing is left of it.
        """
        stem = f"{file_name(self.label)}-{frame.index}"
        return self._write(self.paint(frame, result, heatmap), stem)

    def save_still(self, frame: Frame, result: FrameResult) -> Path:
        """Save original, filtered, map and figures side by side, as `save` does.

        Raises:
            SinkError: it cannot be written; nothing is left of it.
        """
        stem = f"{file_name(self.label)}-{frame.index}-still"
        return self._write(still(frame.bgr, result), stem)

    def _write(self, picture: U8, stem: str) -> Path:
        done, png = cv2.imencode(".png", picture)
        if not done:
            raise SinkError(f"The snapshot {stem} cannot be made into a PNG.", stem)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return _write_new(self.folder, stem, png.tobytes())
        except OSError as error:
            raise SinkError(
                f"The snapshot {self.folder / stem}.png cannot be written ({error.strerror}); "
                "choose another folder with -o.",
                str(self.folder),
            ) from error


def _write_new(folder: Path, stem: str, content: bytes) -> Path:
    for number in count(1):
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}.png"
        try:
            with path.open("xb") as file:
                try:
                    file.write(content)
                    file.flush()
                except OSError:
                    path.unlink()
                    raise
        except FileExistsError:
            continue
        return path
    raise AssertionError("count() has no end")


def file_name(label: str) -> str:
    """A source's label as a file name: no scheme, no suffix, and only what every system allows."""
    name = label.partition("://")[2] or re.sub(r"\.\w{1,5}$", "", label)
    return safe_name(name).encode()[:LONGEST].decode(errors="ignore") or "picture"
