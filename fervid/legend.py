"""The line at the bottom of a picture: noise, filter, faces, time, and what the heatmaps are."""

from functools import lru_cache

import cv2
import numpy as np

from fervid.pen import HEAT_ALPHA, HEAT_COLOURS, PANEL, SMALL, TEXT, U8, Pen, Rect
from fervid.records import FrameResult

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
    words = map_words(result.cam, result.target)
    for text in (words, result.target and f"map of {result.target}", "map"):
        width = _legend_px(pen, text)
        if text and taken + width <= rect[2]:
            _draw_legend(pen, rect[2] - width, base, text)
            return


def map_words(cam: str, target: str) -> str:
    """Which maps are shown, as "adaptive map of happy".

    Args:
        cam: kind of map; empty where it is not known.
        target: class whose maps they are; empty for each face's most probable one.
    """
    return f"{cam.replace('_', ' ')} map of {target or 'the label'}".strip()


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
        f"noise {noise.kind.replace('_', ' ')}{level}",
        f"filter {result.filter_name}",
        f"{n} face{'' if n == 1 else 's'}",
        f"{result.time_s:.1f} s",
    ]


def _legend_px(pen: Pen, text: str) -> int:
    words = sum(pen.text_px(word, SMALL) for word in (text, "low", "high"))
    return words + pen.px(BAR) + 5 * pen.px(5)


def _draw_legend(pen: Pen, x: int, base: int, text: str) -> None:
    """The words, then the colours between `low` and `high`."""
    gap, high = pen.px(5), pen.px(SMALL)
    for word in (text, "low"):
        pen.text(word, (x, base), SMALL, TEXT)
        x += pen.text_px(word, SMALL) + gap
    bar = heat_bar(pen.px(BAR), high)
    pen.image[base - high : base, x : x + bar.shape[1]] = bar
    pen.text("high", (x + bar.shape[1] + gap, base), SMALL, TEXT)
