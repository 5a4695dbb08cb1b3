"""What a face looks like, as far as that tells the persons of one video apart: its colours.

Colours outlast a turn of the head, a laugh and a hand over the mouth; the grey pattern of a face
does not (measured on the clips of docs/results/tracking.md).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.records import F32

U8 = NDArray[np.uint8]

SIDE = 24  # px, of the small picture whose colours are counted
LEAST_OWN = 0.3  # of the oval that must be this face's alone
LIGHT, MOST_GAIN = 110.0, 4.0  # grey level to which a face is brought, and the most it is raised
BINS = (6, 8, 8)  # of lightness and of the two colour axes of CIE L*a*b*
# Skin, hair and walls lie in the middle of the colour axes; beyond counts as the outermost bin.
ENDS = ((0, 256), (96, 176), (96, 176))
SHARED = 0.25  # of a bin goes to either neighbour, so that a shade more or less is no jump


def _oval() -> U8:
    """255 inside the oval that fills a square, where the face is; 0 in the corners."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, (SIDE // 2, SIDE // 2), (SIDE // 2 - 1, SIDE // 2), 0, 0, 360, 255, -1)
    return mask


def _spreading(*bins: int) -> F32:
    """(D, D): a histogram times this is the same one with part of each bin in its neighbours."""
    whole: F32 = np.ones((1, 1), np.float32)
    for n in bins:
        one = np.eye(n) * (1 - 2 * SHARED) + (np.eye(n, k=1) + np.eye(n, k=-1)) * SHARED
        one[0, 0] = one[-1, -1] = 1 - SHARED
        whole = np.kron(whole, one).astype(np.float32)
    return whole


def _bin_numbers() -> U8:
    """(1, 256, 3): the bin of each value of L*, a* and b*."""
    value = np.arange(256)
    numbers = [
        ((value - low) * n // (high - low)).clip(0, n - 1)
        for n, (low, high) in zip(BINS, ENDS, strict=True)
    ]
    return np.stack(numbers, axis=-1)[None].astype(np.uint8)


BIN_NUMBERS = _bin_numbers()
EACH = [end for n in BINS for end in (0, n)]
OVAL = _oval()
# Two small products instead of one by (D, D), for which BLAS would wake its threads.
SPREAD_LIGHT, SPREAD_COLOUR = _spreading(BINS[0]), _spreading(*BINS[1:])


def describe(bgr: U8, boxes: F32) -> F32:
    """The colours of these faces, to be compared by `likeness`.

    Each face is brought to one brightness, so that a lamp or the camera's exposure changes nothing,
    and what it shares with another box is left out: that may be the other one's.

    Args:
        bgr: uint8 (H, W, 3), the frame.
        boxes: float32 (N, 4).

    Returns:
        float32 (N, D), square roots of histograms that sum to 1; all 0 for a face of which too
        little is left to tell.
    """
    looks = np.zeros((len(boxes), BINS[0] * BINS[1] * BINS[2]), np.float32)
    shared = _shared(boxes)
    for k, (x0, y0, x1, y1) in enumerate(boxes.round().astype(int).tolist()):
        step = max(1, min(x1 - x0, y1 - y0) // SIDE)  # a large face has pixels to spare
        face = bgr[max(y0, 0) : max(y1, 0) : step, max(x0, 0) : max(x1, 0) : step]
        own = _own_part(boxes, k) if shared[k] else OVAL
        if face.size and np.count_nonzero(own) >= LEAST_OWN * np.count_nonzero(OVAL):
            small = np.asarray(cv2.resize(face, (SIDE, SIDE)), np.uint8)
            looks[k] = np.sqrt(_colours(small, own))
    return looks


def _shared(boxes: F32) -> NDArray[np.bool_]:
    """(N,): whether another box covers part of this one."""
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.bool_)
    meet = (boxes[:, None, :2] < boxes[None, :, 2:]).all(2)  # (N, N): i begins before j ends
    return np.asarray((meet & meet.T).sum(1) > 1, np.bool_)


def _own_part(boxes: F32, k: int) -> U8:
    """The oval of face k without what other boxes cover, uint8 (SIDE, SIDE)."""
    low, size = boxes[k, :2], boxes[k, 2:] - boxes[k, :2]
    corners = (boxes.reshape(-1, 2, 2) - low) / np.maximum(size, 1) * SIDE  # (N, 2, 2)
    own = OVAL.copy()
    for j, (start, end) in enumerate(corners.round().astype(int).clip(0, SIDE).tolist()):
        if j != k:
            own[start[1] : end[1], start[0] : end[0]] = 0
    return own


def _colours(small: U8, own: U8) -> F32:
    """Histogram (D,), sum 1, of the colours where `own` is set, at one brightness."""
    light = cv2.mean(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), own)[0]
    even = cv2.convertScaleAbs(small, alpha=min(LIGHT / max(light, 1.0), MOST_GAIN))
    bins = cv2.LUT(cv2.cvtColor(even, cv2.COLOR_BGR2LAB), BIN_NUMBERS)
    counts = cv2.calcHist([bins], [0, 1, 2], own, BINS, EACH).reshape(BINS[0], -1)
    counts = SPREAD_LIGHT @ counts @ SPREAD_COLOUR
    return np.asarray(counts.ravel() / counts.sum(), np.float32)


def likeness(a: F32, b: F32) -> F32:
    """How alike faces look, (M, D) and (N, D) -> (M, N), 0 (nothing in common) to 1.

    Source: Bhattacharyya 1943; the coefficient of two histograms p and q is sum(sqrt(p q)).
    """
    return np.asarray(a @ b.T, np.float32)
