"""The geometry of decoded pictures: square pixels, and the way up that the camera was held."""

from fractions import Fraction
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame

# Transpose, then mirror left-right, then up-down.
Turn = tuple[bool, bool, bool]
# By the number of quarter turns against the clock.
QUARTER_TURNS = (
    (False, False, False),
    (True, False, True),
    (False, True, True),
    (True, True, False),
)
TINY = 16
# Pixels flatter or taller than this are a slip of the file, not a shape.
FLATTEST = 4
# Pixels this near to square are left alone: enlarging by a few pixels would only blur.
NEARLY_SQUARE = Fraction(1, 100)


def square_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Return the size of a picture once its pixels are square: one side grows, none shrinks.

    Args:
        width: in pixels, as stored.
        height: in pixels, as stored.
        aspect: the width of a stored pixel by its height; None or 0: unknown, taken as square.
    """
    if not aspect or not Fraction(1, FLATTEST) <= aspect <= FLATTEST:
        return width, height
    if abs(aspect - 1) < NEARLY_SQUARE:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def orientation(picture: "VideoFrame") -> Turn:
    """Return how to set a picture upright: transpose, then mirror left-right, then up-down.

    A display matrix (a b u, c d v, x y w) sends a pixel (p, q) to (a p + c q, b p + d q); phones
    write quarter turns and mirrorings only, anything else is rounded to the nearest of these.
    PyAV 18 cannot list side data of kinds that it has no name for (a JPEG's EXIF): then the
    angle alone is known, and a mirroring is not undone.
    """
    # Side data and their picture keep each other, and a decoder's buffers with them, until Python
    # looks for such circles; so it is a tiny copy that is asked, grey, which every format becomes.
    picture = picture.reformat(TINY, TINY, "gray")
    try:
        data = picture.side_data.get("DISPLAYMATRIX")
    except ValueError:
        return QUARTER_TURNS[round(picture.rotation / 90) % 4]
    if data is None:
        return QUARTER_TURNS[0]
    a, b, _, c, d = np.frombuffer(bytes(cast("SideData", data)), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def set_upright(bgr: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) turned as `orientation` says."""
    transposed, mirrored, upside_down = turn
    if transposed:
        bgr = np.asarray(cv2.transpose(bgr), np.uint8)
    if mirrored or upside_down:
        code = -1 if mirrored and upside_down else int(mirrored)
        bgr = np.asarray(cv2.flip(bgr, code), np.uint8)
    return bgr
