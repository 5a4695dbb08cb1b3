"""The same frames of a clip as two models read them, one row for each time: before and after.

python samples/two_models.py clip.mp4 old.onnx new.onnx out.jpg 0.7 3.3 6
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import fervid

U8 = NDArray[np.uint8]


def read(clip: str, model: str, times: list[float]) -> list[U8]:
    """The annotated frame (H, W, 3) at or after each of these times, in order."""
    config = fervid.RunConfig(model=fervid.ModelConfig(model=Path(model)))
    wanted, found = sorted(times), []
    with fervid.Pipeline(config) as pipeline:
        for frame, result in pipeline.frames(clip):
            while wanted and result.time_s >= wanted[0]:
                wanted.pop(0)
                found.append(fervid.annotate(frame.bgr, result))
            if not wanted:
                break
    return found


def main(clip: str, old: str, new: str, out: str, *seconds: str) -> None:
    times = [float(text) for text in seconds]
    rows = [
        np.hstack(pair) for pair in zip(*(read(clip, m, times) for m in (old, new)), strict=True)
    ]
    cv2.imwrite(out, np.vstack(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
