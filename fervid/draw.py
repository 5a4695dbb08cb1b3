"""The picture for people: heatmap, box, label, probabilities and noise drawn over a frame.

All sizes follow the frame: one unit is 1/360 of its height (or of 9/16 of its width, if less), but
never so small that text could not be read; a frame too small for text gets none.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.explain import map_note
from fervid.records import F32, FrameResult

U8 = NDArray[np.uint8]
Colour = tuple[int, int, int]  # BGR
Rect = tuple[int, int, int, int]  # x0 y0 x1 y1, half-open

HEAT_COLOURS = cv2.COLORMAP_INFERNO  # rises evenly in lightness, so hotter is brighter
HEAT_ALPHA = 0.65  # opacity at heat 1; it grows with heat^1.5, so cold areas stay as they are
PANEL = 20  # grey level that text lies on
PANEL_ALPHA = 0.7
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
LABEL, SMALL = 8, 7  # height of capitals, in units
LEAST_UNIT = 0.85  # pixels: below it capitals are under 6 px
LEAST_HEIGHT, LEAST_WIDTH = 96, 160  # a frame smaller than this gets no text


@dataclass(frozen=True, slots=True)
class _Pen:
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


def draw(bgr: U8, result: FrameResult, *, heatmap: bool = True) -> U8:
    """A new picture: the frame with all that is known of it drawn over it.

    Args:
        bgr: uint8 (H, W, 3), the frame of `result`; it stays as it is.
        result: what the pipeline found.
        heatmap: lay the heatmaps over the faces.

    Returns:
        uint8 (H, W, 3).
    """
    h, w = bgr.shape[:2]
    pen = _Pen(bgr.copy(), max(LEAST_UNIT, min(h, w * 9 / 16) / 360))
    if heatmap:
        for heat, region in zip(result.heatmaps, result.crop_boxes, strict=True):
            _draw_heatmap(pen.image, heat, region)
    boxes = [_whole(box) for box in result.faces.boxes]
    for i, box in enumerate(boxes):
        _draw_box(pen, box, _colour(result, i), dashed=bool(result.uncertain[i]))
    if pen.writes:
        _draw_texts(pen, boxes, result if heatmap else replace(result, cam="", target=""))
    return pen.image


def _draw_texts(pen: _Pen, boxes: list[Rect], result: FrameResult) -> None:
    """Labels first, then as many lists of bars as find room."""
    taken = [*boxes, _status_rect(pen)]
    for i in range(len(boxes)):
        taken.append(_draw_label(pen, taken, result, i))
    for i, box in enumerate(boxes):
        place = _bars_place(pen, box, result.classes, taken)
        if place is not None:
            _draw_bars(pen, place, result, i)
            taken.append(place)
    _draw_status(pen, result)


def _whole(box: F32) -> Rect:
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _colour(result: FrameResult, i: int) -> Colour:
    if result.uncertain[i]:
        return FAINT
    return CLASS_COLOURS[result.classes.index(result.labels[i]) % len(CLASS_COLOURS)]


def _draw_heatmap(image: U8, heatmap: F32, region: F32) -> None:
    """Blend a heatmap (h, w) over the square region, in place; parts beyond the frame are cut."""
    h, w = image.shape[:2]
    x0, y0, x1, y1 = _whole(region)
    left, top, right, bottom = max(0, x0), max(0, y0), min(w, x1), min(h, y1)
    if left >= right or top >= bottom or not heatmap.size:
        return
    heat = cv2.resize(heatmap, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)
    heat = heat[top - y0 : bottom - y0, left - x0 : right - x0].clip(0, 1)
    colour = cv2.applyColorMap((heat * 255).astype(np.uint8), HEAT_COLOURS)
    part = np.ascontiguousarray(image[top:bottom, left:right])
    alpha = heat * np.sqrt(heat) * np.float32(HEAT_ALPHA)
    image[top:bottom, left:right] = cv2.blendLinear(part, colour, 1 - alpha, alpha)


def _draw_box(pen: _Pen, box: Rect, colour: Colour, *, dashed: bool) -> None:
    """The box of a face: strong corners on a thin frame, or dashes if the label is uncertain."""
    x0, y0, x1, y1 = box[0], box[1], box[2] - 1, box[3] - 1
    if not dashed:
        cv2.rectangle(pen.image, (x0, y0), (x1, y1), colour, pen.px(0.7), cv2.LINE_AA)
    size = min(x1 - x0, y1 - y0)
    dash = max(2, min(pen.px(7), size // 3)) if dashed else max(2, size // 5)
    for a, b in (
        ((x0, y0), (x1, y0)),
        ((x0, y1), (x1, y1)),
        ((x0, y0), (x0, y1)),
        ((x1, y0), (x1, y1)),
    ):
        side = max(b[0] - a[0], b[1] - a[1])
        dx, dy = int(b[0] > a[0]), int(b[1] > a[1])
        starts = range(0, side, 2 * dash) if dashed else (0, max(0, side - dash))
        for start in starts:
            end = min(start + dash, side)
            ends = [(a[0] + dx * t, a[1] + dy * t) for t in (start, end)]
            cv2.line(
                pen.image, ends[0], ends[1], colour, pen.px(1.6 if dashed else 2.2), cv2.LINE_AA
            )


def _draw_label(pen: _Pen, taken: list[Rect], result: FrameResult, i: int) -> Rect:
    """Track id, label and calibrated probability; `taken` starts with the boxes of all faces."""
    label, sure = result.labels[i], not result.uncertain[i]
    share = float(result.smoothed[i, result.classes.index(label)])
    track = int(result.faces.track_ids[i])
    text = (f"#{track} " if track >= 0 else "") + f"{label}{'' if sure else '?'} {share:.0%}"
    why = "" if sure else ", ".join(result.reasons[i])
    pad = pen.px(5)
    why_at = pad + pen.text_px(text, LABEL) + pad
    size = (why_at + (pen.text_px(why, SMALL) + pad if why else 0), pen.px(15))
    rect = _label_place(pen, size, taken, i)
    x, y, _, y1 = rect
    pen.panel(rect)
    pen.image[y:y1, x : x + pen.px(2)] = _colour(result, i)
    base = y + (y1 - y + pen.px(LABEL)) // 2
    pen.text(text, (x + pad, base), LABEL, TEXT if sure else FAINT)
    if why:
        pen.text(why, (x + why_at, base), SMALL, WARNING)
    return rect


def _label_place(pen: _Pen, size: tuple[int, int], taken: list[Rect], i: int) -> Rect:
    """Where the label of face i goes: above its box, below it, or else in it at the top."""
    box, gap = taken[i], pen.px(2)
    x = max(0, min(box[0], pen.image.shape[1] - size[0]))
    for y in (box[1] - size[1] - gap, box[3] + gap):
        rect = (x, y, x + size[0], y + size[1])
        if pen.inside(rect) and not any(_overlap(rect, other) for other in taken):
            return rect
    y = max(0, min(box[1] + gap, pen.image.shape[0] - size[1]))
    return x, y, x + size[0], y + size[1]


def _bars_place(pen: _Pen, box: Rect, classes: tuple[str, ...], taken: list[Rect]) -> Rect | None:
    """Where the list of bars fits beside a box without covering anything; None: nowhere."""
    wide = pen.px(104) + _more_for_names(pen, classes)
    high, gap = pen.px(12 * len(classes) + 5), pen.px(5)
    y = max(0, min(box[1], pen.image.shape[0] - high - pen.px(17)))
    for x in (box[2] + gap, box[0] - gap - wide):
        rect = (x, y, x + wide, y + high)
        if pen.inside(rect) and not any(_overlap(rect, other) for other in taken):
            return rect
    return None


def _more_for_names(pen: _Pen, classes: tuple[str, ...]) -> int:
    """How many pixels the longest name of a class needs beyond the usual column's."""
    longest = max(pen.text_px(name, SMALL) for name in classes)
    return min(max(0, longest - pen.px(43)), pen.px(100))


def _overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_bars(pen: _Pen, place: Rect, result: FrameResult, i: int) -> None:
    """One bar a class, in the order of the classes, the label's row bright."""
    pen.panel(place)
    x0 = place[0] + pen.px(50) + _more_for_names(pen, result.classes)
    x1 = place[2] - pen.px(5)
    for k, name in enumerate(result.classes):
        y = place[1] + pen.px(12 * k + 4)
        top, bottom = y + pen.px(1), y + pen.px(8)
        chosen = name == result.labels[i]
        pen.text(name, (place[0] + pen.px(5), bottom), SMALL, TEXT if chosen else FAINT)
        end = x0 + round((x1 - x0) * float(np.clip(result.smoothed[i, k], 0, 1)))
        pen.image[top:bottom, x0:x1] = TRACK
        uncertain = bool(result.uncertain[i])
        pen.image[top:bottom, x0:end] = (
            FAINT if uncertain else CLASS_COLOURS[k % len(CLASS_COLOURS)]
        )


def _status_rect(pen: _Pen) -> Rect:
    h, w = pen.image.shape[:2]
    return 0, h - pen.px(16), w, h


def _draw_status(pen: _Pen, result: FrameResult) -> None:
    """One line at the bottom: noise and its level, filter, faces, time, maps if unusual."""
    noise, n = result.noise, len(result.faces)
    level = "" if noise.kind == "clean" else f" {noise.level:.2f}"
    parts = (
        f"noise {noise.kind.replace('_', ' ')}{level}",
        f"filter {result.filter_name}",
        f"{n} face{'' if n == 1 else 's'}",
        f"{result.time_s:.1f} s",
        map_note(result.cam, result.target),
    )
    pen.panel(rect := _status_rect(pen))
    pen.text("  |  ".join(filter(None, parts)), (pen.px(6), rect[3] - pen.px(5)), SMALL, TEXT)
