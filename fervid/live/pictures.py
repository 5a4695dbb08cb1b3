"""Pictures for viewers: scaled down, as JPEG."""

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_PX = 1280  # of the longer side; more than a page shows
QUALITY = 80


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 (H, W, 3), BGR, as a JPEG file of at most MOST_PX a side."""
    scale = MOST_PX / max(picture.shape[:2])
    if scale < 1:
        size = tuple(max(1, round(n * scale)) for n in picture.shape[1::-1])
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
