"""What is drawn with on a picture: sizes that follow it, text that can be read on it, colours.

All sizes follow the frame: one unit is 1/360 of its height (or of 9/16 of its width, if less), but
never so small that text could not be read; a frame too small for text gets none.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Colour = tuple[int, int, int]  # BGR
Rect = tuple[int, int, int, int]  # x0 y0 x1 y1, half-open

PANEL = 20  # grey level that text lies on
PANEL_ALPHA = 0.85  # at 0.7 small words could not be read over a bright, noisy wall
TEXT: Colour = (245, 245, 245)
WARNING: Colour = (60, 205, 250)
FAINT: Colour = (165, 165, 165)
TRACK: Colour = (88, 84, 82)  # the empty part of a bar
# One colour a class, told apart by lightness too (after Okabe and Ito, for colour-blind eyes).
CLASS_COLOURS: tuple[Colour, ...] = (
    (80, 110, 235),
    (130, 185, 90),
    (200, 140, 205),
    (60, 205, 250),
    (205, 205, 205),
    (235, 160, 80),
    (70, 165, 240),
)
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_PX = 22  # height of a capital at font scale 1
LEAST_UNIT = 0.85  # pixels: below it capitals are under 6 px
LEAST_HEIGHT, LEAST_WIDTH = 96, 160  # a frame smaller than this gets no text
LABEL, SMALL = 8, 7  # height of capitals, in units
HEAT_COLOURS = cv2.COLORMAP_INFERNO  # rises evenly in lightness, so hotter is brighter
HEAT_ALPHA = 0.65  # opacity at heat 1; it grows with heat^1.5, so cold areas stay as they are


@dataclass(frozen=True, slots=True)
class Pen:
    """What is drawn on, and `unit`, the size of one unit in pixels."""

    image: U8
    unit: float

    @property
    def writes(self) -> bool:
        """Whether the picture is large enough for text."""
        return bool(self.image.shape[0] >= LEAST_HEIGHT and self.image.shape[1] >= LEAST_WIDTH)

    def px(self, units: float) -> int:
        """Units in whole pixels, at least 1."""
        return max(1, round(units * self.unit))

    def inside(self, rect: Rect) -> bool:
        """Whether a rectangle lies wholly in the picture."""
        h, w = self.image.shape[:2]
        return rect[0] >= 0 and rect[1] >= 0 and rect[2] <= w and rect[3] <= h

    def panel(self, rect: Rect) -> None:
        """Darken a rectangle, so that text on it can be read."""
        x0, y0, x1, y1 = (max(0, v) for v in rect)
        part = self.image[y0:y1, x0:x1]
        if part.size:
            part[:] = cv2.convertScaleAbs(part, alpha=1 - PANEL_ALPHA, beta=PANEL_ALPHA * PANEL)

    def text_px(self, text: str, units: float) -> int:
        """Width in pixels of a text whose capitals are `units` high."""
        return int(cv2.getTextSize(text, FONT, *self._font(units))[0][0])

    def text(self, text: str, at: tuple[int, int], units: float, colour: Colour) -> None:
        """Write a text whose base line starts at `at`."""
        scale, weight = self._font(units)
        cv2.putText(self.image, text, at, FONT, scale, colour, weight, cv2.LINE_AA)

    def _font(self, units: float) -> tuple[float, int]:
        return units * self.unit / FONT_PX, max(1, round(units * self.unit / 9))


def overlap(a: Rect, b: Rect) -> bool:
    """Whether two rectangles share a pixel."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def pen_for(image: U8) -> Pen:
    """A pen for a picture, which is drawn on."""
    h, w = image.shape[:2]
    return Pen(image, max(LEAST_UNIT, min(h, w * 9 / 16) / 360))
