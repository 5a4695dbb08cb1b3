"""The picture for people: heatmap, box, label, probabilities and noise drawn over a frame."""

import cv2
import numpy as np

from fervid.legend import draw_status, status_rect
from fervid.pen import (
    CLASS_COLOURS,
    FAINT,
    HEAT_ALPHA,
    HEAT_COLOURS,
    LABEL,
    SMALL,
    TEXT,
    TRACK,
    U8,
    WARNING,
    Colour,
    Pen,
    Rect,
    overlap,
    pen_for,
)
from fervid.records import F32, FrameResult

Words = list[tuple[str, float, Colour]]  # parts of a label: text, size in units, colour


def draw(bgr: U8, result: FrameResult, *, heatmap: bool = True) -> U8:
    """A new picture: the frame with all that is known of it drawn over it.

    Args:
        bgr: uint8 (H, W, 3), the frame of `result`; it stays as it is.
        result: what the pipeline found.
        heatmap: lay the heatmaps over the faces.

    Returns:
        uint8 (H, W, 3).
    """
    pen = pen_for(bgr.copy())
    if heatmap:
        for heat, region in zip(result.heatmaps, result.crop_boxes, strict=True):
            blend_heatmap(pen.image, heat, region)
    boxes = [_whole(box) for box in result.faces.boxes]
    for i, box in enumerate(boxes):
        _draw_box(pen, box, _colour(result, i), dashed=bool(result.uncertain[i]))
    if pen.writes:
        _draw_texts(pen, boxes, result, heatmap)
    return pen.image


def _draw_texts(pen: Pen, boxes: list[Rect], result: FrameResult, heatmap: bool) -> None:
    """Labels first, then as many lists of bars as find room."""
    taken = [*boxes, status_rect(pen)]
    for i, (place, words) in enumerate(_place_labels(pen, taken, result)):
        _draw_label(pen, place, words, _colour(result, i))
        taken.append(place)
    for i, box in enumerate(boxes):
        bars = _bars_place(pen, box, result.classes, taken)
        if bars is not None:
            _draw_bars(pen, bars, result, i)
            taken.append(bars)
    draw_status(pen, result, legend=heatmap)


def _whole(box: F32) -> Rect:
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _colour(result: FrameResult, i: int) -> Colour:
    if result.uncertain[i]:
        return FAINT
    return CLASS_COLOURS[result.classes.index(result.labels[i]) % len(CLASS_COLOURS)]


def blend_heatmap(image: U8, heatmap: F32, region: F32) -> None:
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


def _draw_box(pen: Pen, box: Rect, colour: Colour, *, dashed: bool) -> None:
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


def _place_labels(pen: Pen, taken: list[Rect], result: FrameResult) -> list[tuple[Rect, Words]]:
    """Where each label goes and what it says; `taken` starts with the boxes of all faces.

    Where one of them finds no free place, all are shorter by the second class.
    """
    n = len(result.faces)
    for both in (True, False):
        placed: list[tuple[Rect, Words]] = []
        for i in range(n):
            words = _label_words(result, i, both=both)
            wide = sum(pen.text_px(text, size) for text, size, _ in words)
            size = (wide + pen.px(5) * (len(words) + 1), pen.px(15))
            place = _free_place(pen, size, [*taken, *(rect for rect, _ in placed)], i)
            if place is None and both:
                break
            placed.append((place or _place_inside(pen, size, taken[i]), words))
        if len(placed) == n:
            break
    return placed


def _draw_label(pen: Pen, place: Rect, words: Words, colour: Colour) -> None:
    """The words, on a panel with the face's colour at its left."""
    x, y, _, y1 = place
    pen.panel(place)
    pen.image[y:y1, x : x + pen.px(2)] = colour
    base, x = y + (y1 - y + pen.px(LABEL)) // 2, x + pen.px(5)
    for text, units, ink in words:
        pen.text(text, (x, base), units, ink)
        x += pen.text_px(text, units) + pen.px(5)


def _label_words(result: FrameResult, i: int, *, both: bool) -> Words:
    """Track id, the most probable class or `both` of them, doubts."""
    shares, track = result.smoothed[i], int(result.faces.track_ids[i])
    first, second = np.argsort(-shares, kind="stable")[:2].tolist()
    sure = not result.uncertain[i]
    id_ = f"#{track} " if track >= 0 else ""
    told = f"{id_}{result.classes[first]}{'' if sure else '?'} {shares[first]:.0%}"
    words: Words = [(told, LABEL, TEXT if sure else FAINT)]
    if both:
        words.append((f"then {result.classes[second]} {shares[second]:.0%}", SMALL, FAINT))
    return words if sure else [*words, (", ".join(result.reasons[i]), SMALL, WARNING)]


def _free_place(pen: Pen, size: tuple[int, int], taken: list[Rect], i: int) -> Rect | None:
    """Where a label of face i fits above its box or below it without covering anything."""
    box, gap = taken[i], pen.px(2)
    x = max(0, min(box[0], pen.image.shape[1] - size[0]))
    for y in (box[1] - size[1] - gap, box[3] + gap):
        rect = (x, y, x + size[0], y + size[1])
        if pen.inside(rect) and not any(overlap(rect, other) for other in taken):
            return rect
    return None


def _place_inside(pen: Pen, size: tuple[int, int], box: Rect) -> Rect:
    """The top of the box."""
    x = max(0, min(box[0], pen.image.shape[1] - size[0]))
    y = max(0, min(box[1] + pen.px(2), pen.image.shape[0] - size[1]))
    return x, y, x + size[0], y + size[1]


def _bars_place(pen: Pen, box: Rect, classes: tuple[str, ...], taken: list[Rect]) -> Rect | None:
    """Where the list of bars fits beside a box without covering anything; None: nowhere."""
    wide = pen.px(104) + _more_for_names(pen, classes)
    high, gap = pen.px(12 * len(classes) + 5), pen.px(5)
    y = max(0, min(box[1], pen.image.shape[0] - high - pen.px(17)))
    for x in (box[2] + gap, box[0] - gap - wide):
        rect = (x, y, x + wide, y + high)
        if pen.inside(rect) and not any(overlap(rect, other) for other in taken):
            return rect
    return None


def _more_for_names(pen: Pen, classes: tuple[str, ...]) -> int:
    """How many pixels the longest name of a class needs beyond the usual column's."""
    longest = max(pen.text_px(name, SMALL) for name in classes)
    return min(max(0, longest - pen.px(43)), pen.px(100))


def _draw_bars(pen: Pen, place: Rect, result: FrameResult, i: int) -> None:
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
