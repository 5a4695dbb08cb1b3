"""Stills of a run: original, filtered, map and figures of every face, where a label changes."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.pictures import PictureFolder
from fervid.stills import still

EVERY_S = 0.5  # at the most often: labels that flicker would fill a disk
_NAME = re.compile(r"frame_\d+\.png")


def saved_stills(folder: Path) -> Iterator[Path]:
    """Yield the files that a run has written into a folder of stills, and no others."""
    return (path for path in folder.glob("frame_*.png") if _NAME.fullmatch(path.name))


class StillsSink:
    """Writes `frame_000123.png` when a face is new or its label has changed.

    Stills of an earlier run in the same folder are removed: whether they may be is asked before.

    Args:
        path: the folder; it is made.
        header: of the run.

    Raises:
        SinkError: the folder cannot be made or emptied.
    """

    wants_pixels = False
    wants_maps = True

    def __init__(self, path: Path | None, header: RunHeader) -> None:
        if path is None:
            raise ValueError("stills need a folder")
        self.path: Path | None = path
        self._labels: dict[int, str] = {}
        self._last_s = -np.inf
        self._folder = PictureFolder(path, saved_stills)

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Write a still if one is due; a change that comes too soon waits for its turn.

        Raises:
            SinkError: it could not be written.
        """
        now = dict(zip(result.faces.track_ids.tolist(), result.labels, strict=True))
        changed = any(self._labels.get(track) != label for track, label in now.items())
        if not changed or abs(result.time_s - self._last_s) < EVERY_S - 1e-6:  # times are rounded
            return
        self._last_s, self._labels = result.time_s, now
        self._folder.save(f"frame_{result.index:06d}.png", still(frame.bgr, result))

    def close(self) -> None:
        """Do nothing: every file is complete."""
