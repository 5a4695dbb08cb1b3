"""A sink of your own: a line of text whenever the expression of a face changes.

python samples/custom_sink.py clip.mp4 changes.tsv
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fervid


class ChangeLog:
    """Writes the time, the track and its new label, with tabs between them."""

    wants_pixels = False  # True: `write` gets the annotated picture, too

    def __init__(self, path: Path) -> None:
        self._file, self._last = path.open("w", encoding="utf-8"), dict[int, str]()

    def write(
        self, frame: fervid.Frame, result: fervid.FrameResult, drawn: NDArray[np.uint8] | None
    ) -> None:
        for track, label in zip(result.faces.track_ids.tolist(), result.labels, strict=True):
            if label != self._last.get(track):
                self._file.write(f"{result.time_s:.2f}\t{track}\t{label}\n")
            self._last[track] = label

    def close(self) -> None:
        self._file.close()


def main(clip: str, path: str) -> None:
    (summary,) = fervid.analyse(clip, sinks=[ChangeLog(Path(path))])
    print(f"{clip}: {summary['frames']} frames, {summary['faces']} faces -> {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
