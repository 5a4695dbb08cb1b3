"""The pixels that noise is measured on: the green plane of a picture, or bands of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

MIN_SIDE = 16
SAMPLE_PIXELS = 40_000  # level error on frames: 10k 2.8 %, 20k 2.1 %, 40k 1.7 %, 80k 1.6 %
BAND_ROWS = 8
MIN_BANDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The pixels that are looked at: rows of a plane and their 3x3 medians.

    Attributes:
        pixels: uint8 (R, W), the whole plane or its bands one below the other.
        medians: uint8 (R, W), taken with the true neighbours, also at the bands' edges.
        whole: the rows are all adjacent; otherwise only within groups of BAND_ROWS.
    """

    pixels: U8
    medians: U8
    whole: bool

    @property
    def group_rows(self) -> int:
        """Rows that are adjacent to each other."""
        return len(self.pixels) if self.whole else BAND_ROWS


def green_plane(image: U8) -> U8:
    """The plane whose noise is measured: green, because luma mixes noise drawn per channel.

    Args:
        image: uint8 (H, W) or BGR (H, W, 3).
    """
    return image if image.ndim == 2 else np.asarray(cv2.extractChannel(image, 1), np.uint8)


def sample_plane(image: U8) -> Sample:
    """Take the whole green plane, or bands of 8 full rows of it, about 40,000 pixels in all.

    Args:
        image: uint8 (H, W) or BGR (H, W, 3), at native resolution.

    Raises:
        ValueError: not such an image, or smaller than 16 px on a side.
    """
    if image.dtype != np.uint8 or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise ValueError(f"expected uint8 (H, W) or (H, W, 3), got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"expected at least {MIN_SIDE} px on a side, got {image.shape}")
    if height * width <= SAMPLE_PIXELS:
        plane = green_plane(image)
        return Sample(plane, np.asarray(cv2.medianBlur(plane, 3), np.uint8), True)
    wanted = max(MIN_BANDS, round(SAMPLE_PIXELS / (BAND_ROWS * width)))
    n = min(wanted, height // BAND_ROWS)
    tops = ((np.arange(n) + 0.5) * height / n - BAND_ROWS / 2).astype(np.intp)
    # One row more above and below, so that the medians see the true neighbours.
    rows = (tops[:, None] + np.arange(-1, BAND_ROWS + 1)).clip(0, height - 1)
    stacked = green_plane(image[rows.ravel()])
    shape = (n, BAND_ROWS + 2, width)
    medians = np.asarray(cv2.medianBlur(stacked, 3), np.uint8)
    return Sample(
        stacked.reshape(shape)[:, 1:-1].reshape(-1, width),
        medians.reshape(shape)[:, 1:-1].reshape(-1, width),
        False,
    )
