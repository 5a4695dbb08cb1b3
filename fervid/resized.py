"""Pictures of a stream that came back with another size, as large as they were."""

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


def resized(bgr: U8, width: int, height: int) -> U8:
    """A picture at another size, whole and undistorted, with black beside it where it needs that.

    Args:
        bgr: uint8 (H, W, 3); returned itself if it has that size.
        width: in px.
        height: in px.
    """
    h, w = bgr.shape[:2]
    if (w, h) == (width, height):
        return bgr
    share = min(width / w, height / h)
    size = max(1, round(w * share)), max(1, round(h * share))
    how = cv2.INTER_AREA if share < 1 else cv2.INTER_LINEAR
    out = np.zeros((height, width, 3), np.uint8)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    out[y : y + size[1], x : x + size[0]] = cv2.resize(bgr, size, interpolation=how)
    return out
