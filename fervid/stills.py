"""A still: what was done to each face of a frame, side by side, as a figure for a paper.

original | what the network saw | heatmap | figures, a row a face
"""

import cv2
import numpy as np

from fervid.draw import blend_heatmap
from fervid.legend import heat_bar
from fervid.pen import CLASS_COLOURS, U8, Colour, Pen
from fervid.records import F32, FrameResult
from fervid.words import kind_words, map_words

SIDE = 300  # pixels of a picture
MARGIN, HEAD, FIGURES = 16, 34, 380  # pixels: around all, above a picture, of the figures' width
MOST_FACES = 4  # the largest ones
MOST_CLASSES = 8
WHITE, INK, GREY, LINE = 255, (32, 32, 32), (110, 110, 110), (225, 225, 225)
TEXT, SMALL = 10.5, 9.5  # pixels: height of capitals
ROW, STEP = 18, 21  # pixels: from bar to bar, from line to line


def still(bgr: U8, result: FrameResult) -> U8:
    """A new picture that shows how the label of each face came about.

    A row a face, of the four largest: the face as it came, the crop that the network saw (filtered,
    grey, at its own size), the heatmap over the face with its legend, and the figures.

    Args:
        bgr: uint8 (H, W, 3), the frame of `result`; it stays as it is.
        result: what the pipeline found.

    Returns:
        uint8 (h, w, 3), 1,376 px wide.
    """
    sizes = result.faces.boxes[:, 2] - result.faces.boxes[:, 0]
    shown = np.sort(np.argsort(-sizes, kind="stable")[:MOST_FACES]).tolist()
    rows = [_face_row(bgr, result, i) for i in shown] or [_empty_row(bgr, result)]
    return np.concatenate(rows)


def _blank(height: int) -> U8:
    width = 3 * SIDE + FIGURES + 5 * MARGIN
    return np.full((height, width + MARGIN, 3), WHITE, np.uint8)


def _face_row(bgr: U8, result: FrameResult, i: int) -> U8:
    out = _blank(HEAD + SIDE + 3 * MARGIN)
    face = _cut(bgr, result.crop_boxes[i])
    seen = _seen(result, i)
    hot = face.copy()
    blend_heatmap(hot, result.heatmaps[i], np.array([0, 0, SIDE, SIDE], np.float32))
    name = "no" if result.filter_name == "none" else result.filter_name
    titles = (
        "original",
        f"the network's input, {name} filter",
        _map_title(result, i),
    )
    for place, (title, picture) in enumerate(zip(titles, (face, seen, hot), strict=True)):
        x = MARGIN + place * (SIDE + MARGIN)
        _write(out, title, x, HEAD - 10, TEXT, INK)
        out[HEAD : HEAD + SIDE, x : x + SIDE] = picture
    _legend(out, MARGIN + 2 * (SIDE + MARGIN), HEAD + SIDE + 8)
    _figures(out, result, i, MARGIN + 3 * (SIDE + MARGIN) + 8)
    return out


def _empty_row(bgr: U8, result: FrameResult) -> U8:
    """The whole frame, where no face was found."""
    out = _blank(HEAD + SIDE + 3 * MARGIN)
    h, w = bgr.shape[:2]
    scale = min(SIDE / h, (2 * SIDE + MARGIN) / w)
    size = max(1, round(w * scale)), max(1, round(h * scale))
    _write(out, "original", MARGIN, HEAD - 10, TEXT, INK)
    out[HEAD : HEAD + size[1], MARGIN : MARGIN + size[0]] = cv2.resize(bgr, size)
    x = MARGIN + 3 * (SIDE + MARGIN) + 8
    _write(out, "no face", x, HEAD + 12, TEXT + 2, INK)
    for n, line in enumerate(_conditions(result)):
        _write(out, line, x, HEAD + 12 + (n + 1) * STEP, SMALL, GREY)
    return out


def _cut(bgr: U8, region: F32) -> U8:
    """A region of a frame, SIDE x SIDE; what lies beyond the frame is black."""
    x0, y0, x1, y1 = (float(v) for v in region)
    scale = SIDE / max(x1 - x0, 1e-3)
    move = np.array([[scale, 0, -x0 * scale], [0, SIDE / max(y1 - y0, 1e-3), 0]])
    move[1, 2] = -y0 * move[1, 1]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(bgr, move, (SIDE, SIDE), flags=way), np.uint8)


def _seen(result: FrameResult, i: int) -> U8:
    """What the network saw of a face, enlarged without inventing anything between its pixels."""
    if not result.crops.size:
        return np.full((SIDE, SIDE, 3), LINE, np.uint8)
    large = cv2.resize(result.crops[i], (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)


def _map_title(result: FrameResult, i: int) -> str:
    """Which map it is, in the fullest form that is no wider than the map."""
    forms = map_words(result.cam, result.target)
    if not result.target:
        forms = tuple(form.replace("the label", result.labels[i]) for form in forms)
    pen = Pen(np.zeros((1, 1, 3), np.uint8), 1.0)
    return next((form for form in forms if pen.text_px(form, TEXT) <= SIDE), forms[-1])


def _legend(out: U8, x: int, y: int) -> None:
    bar = heat_bar(SIDE - 90, 10, 160)
    _write(out, "low", x, y + 10, SMALL, GREY)
    out[y : y + 10, x + 40 : x + 40 + bar.shape[1]] = bar
    _write(out, "high", x + 48 + bar.shape[1], y + 10, SMALL, GREY)


def _figures(out: U8, result: FrameResult, i: int, x: int) -> None:
    """Label, a bar a class, and under which conditions."""
    shares, track = result.smoothed[i], int(result.faces.track_ids[i])
    mark = "?" if result.uncertain[i] else ""
    name = f"#{track} " if track >= 0 else ""
    title = f"{name}{result.labels[i]}{mark} {shares.max():.0%}"
    y = HEAD + 10
    _write(out, title, x, y, TEXT + 2.5, INK)
    likely = np.argsort(-shares, kind="stable")[:MOST_CLASSES]
    for n, k in enumerate(sorted(likely.tolist())):
        colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
        _bar(out, (x, y + 12 + n * ROW), result.classes[k], float(shares[k]), colour)
    below = y + 12 + MOST_CLASSES * ROW + 22
    for n, line in enumerate(_conditions(result, i)):
        _write(out, line, x, below + n * STEP, SMALL, GREY)


def _bar(out: U8, at: tuple[int, int], name: str, share: float, colour: Colour) -> None:
    (x, top), start, long = at, at[0] + 92, FIGURES - 150
    base = top + ROW - 5
    _write(out, name[:10], x, base, SMALL, INK)
    out[top + 3 : top + ROW - 3, start : start + long] = LINE
    out[top + 3 : top + ROW - 3, start : start + round(long * min(share, 1.0))] = colour
    _write(out, f"{share:.0%}", start + long + 8, base, SMALL, INK)


def _conditions(result: FrameResult, i: int | None = None) -> list[str]:
    """Lines of figures about the frame, and of one face of it."""
    noise = result.noise
    level = "" if noise.kind == "clean" else f" {noise.level:.2f}"
    blocks, blur, dark = noise.quality.tolist()
    lines = [
        f"frame {result.index}, {result.time_s:.2f} s",
        f"noise {kind_words(noise.kind)}{level}, filter {result.filter_name}",
        f"blocks {blocks:.2f}, blur {blur:.2f}, darkness {dark:.2f}",
    ]
    if i is None:
        return lines
    width = float(result.faces.boxes[i, 2] - result.faces.boxes[i, 0])
    lines.insert(1, f"face {width:.0f} px wide, noise left {float(result.eta[i]):.3f}")
    why = ", ".join(result.reasons[i])
    return [*lines, *([f"uncertain: {why}"] if why else [])]


def _write(out: U8, text: str, x: int, y: int, size: float, colour: Colour) -> None:
    Pen(out, 1.0).text(text, (x, y), size, colour)
