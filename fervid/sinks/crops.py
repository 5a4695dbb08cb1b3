"""Pictures of the faces as the network saw them: grey, filtered, at its own size."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.pictures import PictureFolder

# A crop of every frame would be more than anybody looks at: one a second, and each new label.
EVERY_S = 1.0
_NAME = re.compile(r"track_-?\d+/frame_\d+\.png")


def saved_crops(folder: Path) -> Iterator[Path]:
    """Yield the files that a run has written into a folder of crops, and no others."""
    for path in folder.glob("track_*/frame_*.png"):
        if _NAME.fullmatch(path.relative_to(folder).as_posix()):
            yield path


class CropsSink:
    """Writes `track_000/frame_000123.png` when a face's label changes, and once a second.

    Crops of an earlier run in the same folder are removed: whether they may be is asked before.

    Args:
        path: the folder; it is made.
        header: of the run.

    Raises:
        SinkError: the folder cannot be made or emptied.
    """

    wants_pixels = False

    def __init__(self, path: Path | None, header: RunHeader) -> None:
        if path is None:
            raise ValueError("crops need a folder")
        self.path: Path | None = path
        self._written: dict[int, tuple[str, float]] = {}
        self._folder = PictureFolder(path, saved_crops)

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Write the crops that are due.

        Raises:
            SinkError: one could not be written.
        """
        now = result.time_s
        # A face that is gone is forgotten; should it come back, its crop is due again.
        due_s = EVERY_S - 1e-6  # times are rounded
        recent = {t: was for t, was in self._written.items() if abs(now - was[1]) < due_s}
        for i, track in enumerate(result.faces.track_ids.tolist()):
            label = result.labels[i]
            if track not in recent or recent[track][0] != label:
                name = f"track_{track:03d}/frame_{result.index:06d}.png"
                self._folder.save(name, result.crops[i])
                recent[track] = (label, now)
        self._written = recent

    def close(self) -> None:
        """Do nothing: every file is complete."""
