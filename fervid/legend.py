"""The line at the bottom of a picture: noise, filter, faces, time, and what the heatmaps are."""

from functools import lru_cache

import cv2
import numpy as np

from fervid.pen import HEAT_ALPHA, HEAT_COLOURS, PANEL, SMALL, TEXT, U8, Pen, Rect
from fervid.records import FrameResult
from fervid.words import kind_words, map_words

BAR = 44  # units that the legend's colours are wide
KEPT = 32  # legends: of so many sizes


def status_rect(pen: Pen) -> Rect:
    """Where the line lies."""
    h, w = pen.image.shape[:2]
    return 0, h - pen.px(16), w, h


def draw_status(pen: Pen, result: FrameResult, *, legend: bool) -> None:
    """Draw the line.

    Args:
        pen: for the picture.
        result: what is known of it.
        legend: heatmaps are drawn, so that it may say which, and what their colours mean.
    """
    pen.panel(rect := status_rect(pen))
    base, x = rect[3] - pen.px(5), pen.px(6)
    parts = _status_parts(result)
    pen.text("  |  ".join(parts), (x, base), SMALL, TEXT)
    if not legend or not result.heatmaps.any():
        return
    taken = x + pen.text_px("  |  ".join(parts), SMALL) + pen.px(12)
    for text in map_words(result.cam, result.target):
        if taken + _legend(pen.unit, text)[0].shape[1] <= rect[2]:
            _draw_legend(pen, rect, text)
            return


@lru_cache(KEPT)
def heat_bar(width: int, height: int, ground: int = PANEL) -> U8:
    """The colours of heat from 0 to 1, uint8 (height, width, 3), as they look on a grey ground."""
    heat = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    colour = cv2.applyColorMap((heat * 255).astype(np.uint8), HEAT_COLOURS)
    alpha = heat * np.sqrt(heat) * np.float32(HEAT_ALPHA)
    return cv2.blendLinear(np.full_like(colour, ground), colour, 1 - alpha, alpha).astype(np.uint8)


def _status_parts(result: FrameResult) -> list[str]:
    noise, n = result.noise, len(result.faces)
    level = "" if noise.kind == "clean" else f" {noise.level:.2f}"
    return [
        f"noise {kind_words(noise.kind)}{level}",
        f"filter {result.filter_name}",
        f"{n} face{'' if n == 1 else 's'}",
        f"{result.time_s:.1f} s",
    ]


@lru_cache(KEPT)
def _legend(unit: float, text: str) -> tuple[U8, int]:
    """A legend as tall as the line on black, uint8 (h, w, 3), and where its colours begin."""
    pen = Pen(np.zeros((1, 1, 3), np.uint8), unit)
    gap, starts, x = pen.px(5), {}, 0
    for word in (text, "low", "", "high"):
        starts[word] = x
        x += (pen.text_px(word, SMALL) if word else pen.px(BAR)) + gap
    drawn = Pen(np.zeros((pen.px(16), x, 3), np.uint8), unit)
    for word, start in starts.items():
        drawn.text(word, (start, pen.px(16) - pen.px(5)), SMALL, TEXT)
    return drawn.image, starts[""]


def _draw_legend(pen: Pen, rect: Rect, text: str) -> None:
    """The words, then the colours between `low` and `high`, at the right end of the line."""
    strip, start = _legend(pen.unit, text)
    part = pen.image[rect[1] : rect[3], rect[2] - strip.shape[1] : rect[2]]
    part[:] = cv2.max(part, strip)  # the line is darker than any word
    base, bar = strip.shape[0] - pen.px(5), heat_bar(pen.px(BAR), pen.px(SMALL))
    part[base - bar.shape[0] : base, start : start + bar.shape[1]] = bar
