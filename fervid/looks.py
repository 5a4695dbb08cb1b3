"""Looks: which model sees which part of a frame, and the picture that it is given.

Nothing here runs a model; boxes and windows are in pixels of the frame.
"""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.filters import gaussian_by_level, impulse_median
from fervid.records import F32, Faces, Noise

U8 = NDArray[np.uint8]
ModelName = Literal["short", "full"]

# Height of the picture for the detector, and the noise that may be left in it. Measured on 35
# frames of ten one-person clips (288-480 px high), short range, score .3: at Gaussian .2 / .3 it
# finds .49 / .26 of the faces in the raw frame, 1.00 / 1.00 at 180 px filtered (360 px filtered:
# 1.00 / 1.00, boxes less exact); at 96 px boxes lose precision (IoU .80). Full range: .71 / .40.
CLEAN_HEIGHT = 360
NOISY_HEIGHT = 180
RMS_LEFT = 0.05
# Share of the RMS that an impulse-only median leaves (2-8 % impulses: .11-.15).
MEDIAN_GAIN = 0.15
FILTER_FROM = 0.02  # RMS noise below which filtering costs more than it brings

OVERLAP = 0.6  # of the smaller box: above it two boxes are one face
TILES = 2  # along the shorter side
TILES_OVERLAP = 0.35  # of a tile's side: a face up to this size lies whole in one of them
CLOSE_UP_PX = 192


@dataclass(frozen=True, slots=True)
class Look:
    """A model and the window it looks at: x0, y0, x1, y1, half-open.

    A `close_up` may reach beyond the frame, whose border is repeated there, and is enlarged.
    """

    model: ModelName
    window: tuple[int, int, int, int]
    close_up: bool = False


def whole(model: ModelName, height: int, width: int) -> Look:
    """The look at the whole frame."""
    return Look(model, (0, 0, width, height))


def tiles(model: ModelName, height: int, width: int) -> tuple[Look, ...]:
    """Looks at overlapping squares that cover the frame, row by row."""
    side = math.ceil(min(height, width) / (TILES - (TILES - 1) * TILES_OVERLAP))

    def starts(length: int) -> list[int]:
        count = math.ceil((length - side * TILES_OVERLAP) / (side * (1 - TILES_OVERLAP)) - 1e-6)
        last = max(count - 1, 1)
        return [round(i * (length - side) / last) for i in range(max(count, 1))]

    corners = [(x, y) for y in starts(height) for x in starts(width)]
    return tuple(Look(model, (x, y, x + side, y + side)) for x, y in corners)


def close_up(model: ModelName, box: F32, times: float) -> Look:
    """The look at a square around a box (4,), `times` as large as its longer side."""
    centre, half = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max()) * times / 2
    x0, y0, x1, y1 = (round(float(v)) for v in (*(centre - half), *(centre + half)))
    return Look(model, (x0, y0, x1, y1), close_up=True)


def detector_picture(bgr: U8, noise: Noise) -> tuple[U8, float]:
    """The picture in which faces are looked for: reduced by area, filtered if noisy.

    Impulses are taken out before the reduction, which would smear them. The more noise, the
    stronger the reduction, until RMS_LEFT is left or the picture is NOISY_HEIGHT high; what noise
    remains is blurred by its level.

    Args:
        bgr: uint8 (H, W, 3).
        noise: of that frame.

    Returns:
        The picture, BGR uint8, at most CLEAN_HEIGHT high, and its scale (1: as large as the frame).
    """
    rms = noise.severity
    if noise.kind == "salt_pepper":
        bgr = impulse_median(bgr, rms)
        rms *= MEDIAN_GAIN
    h, w = bgr.shape[:2]
    height = CLEAN_HEIGHT
    if rms > FILTER_FROM:
        height = int(np.clip(h * RMS_LEFT / rms, NOISY_HEIGHT, CLEAN_HEIGHT))
    scale = min(1.0, height / h)
    if scale < 1:
        size = (max(1, round(w * scale)), height)
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    if rms * scale > FILTER_FROM:
        bgr = gaussian_by_level(bgr, rms * scale)
    return bgr, scale


def look_picture(look: Look, bgr: U8, noise: Noise) -> U8:
    """What the look's model is given; it shows the look's whole window.

    Args:
        look: at a window that shares pixels with the frame.
        bgr: uint8 (H, W, 3), the frame.
        noise: of the frame.

    Returns:
        BGR uint8 (h, w, 3), of another size than the window's.
    """
    if look.close_up:
        return _near(look, bgr, noise)
    x0, y0, x1, y1 = look.window
    return detector_picture(bgr[y0:y1, x0:x1], noise)[0]


def _near(look: Look, bgr: U8, noise: Noise) -> U8:
    """A close-up: out of the frame, or out of its reduced picture where the frame is noisy."""
    scale = 1.0
    if noise.kind != "clean":
        bgr, scale = detector_picture(bgr, noise)
    h, w = bgr.shape[:2]
    x0, y0, x1, y1 = (round(v * scale) for v in look.window)
    # Of a face that the frame's corner cuts, rounding leaves a pixel.
    x0, y0 = min(x0, w - 1), min(y0, h - 1)
    x1, y1 = max(x1, x0 + 1, 1), max(y1, y0 + 1, 1)
    inside = bgr[max(y0, 0) : min(y1, h), max(x0, 0) : min(x1, w)]
    above, below, left, right = max(-y0, 0), max(y1 - h, 0), max(-x0, 0), max(x1 - w, 0)
    square = cv2.copyMakeBorder(inside, above, below, left, right, cv2.BORDER_REPLICATE)
    way = cv2.INTER_AREA if len(square) > CLOSE_UP_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (CLOSE_UP_PX, CLOSE_UP_PX), interpolation=way), np.uint8)


def common_areas(boxes: F32, others: F32) -> F32:
    """(N, M): the area that boxes (N, 4) and others (M, 4) share, in px."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray(np.maximum(high - low, 0).prod(2), np.float32)


def areas(boxes: F32) -> F32:
    """(N,): of boxes (N, 4), in px."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(1), np.float32)


def overlaps(boxes: F32, others: F32) -> F32:
    """(N, M): intersection over union of boxes (N, 4) and others (M, 4)."""
    common = common_areas(boxes, others)
    union = areas(boxes)[:, None] + areas(others)[None] - common
    return np.asarray(common / np.maximum(union, 1e-6), np.float32)


def same_face(boxes: F32, others: F32) -> NDArray[np.bool_]:
    """(N, M): whether a box covers another so far that both are one face."""
    smaller = np.minimum(areas(boxes)[:, None], areas(others)[None])
    return np.asarray(common_areas(boxes, others) > OVERLAP * smaller, np.bool_)


def by_score(faces: Faces) -> Faces:
    """The faces by falling score."""
    return chosen(faces, np.argsort(-faces.scores, kind="stable"))


def suppressed(faces: Faces) -> Faces:
    """Without the faces that an earlier one covers or is covered by."""
    same = same_face(faces.boxes, faces.boxes)
    kept: list[int] = []
    for i in range(len(faces)):
        if not same[i, kept].any():
            kept.append(i)
    return chosen(faces, np.array(kept, np.intp))


def chosen(faces: Faces, which: NDArray[np.intp] | NDArray[np.bool_]) -> Faces:
    """These faces, by index or mask."""
    return Faces(faces.boxes[which], faces.scores[which], faces.eyes[which], faces.track_ids[which])


def joined(first: Faces, second: Faces) -> Faces:
    """The faces of both, in this order."""
    return Faces(
        np.concatenate([first.boxes, second.boxes]),
        np.concatenate([first.scores, second.scores]),
        np.concatenate([first.eyes, second.eyes]),
        np.concatenate([first.track_ids, second.track_ids]),
    )
