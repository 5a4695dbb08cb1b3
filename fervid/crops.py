"""From a frame and its face boxes to the network's input: the ONE preprocessing.

The same code serves run time, training and export: `crop_faces` cuts a square region out of the
frame, `prepare_thumbnail` takes a picture that is the region already; from there on both are one.

Order, with n the region's side in frame pixels and S the network's input:

1. region with a margin, replicated outside the frame; luma;
2. median filters at native scale, whatever n: a resize would smear impulses; deblocking only if
   n <= S, since a reduction takes a codec's blocks with it;
3. other filters where noise is white and the picture about S large: if n <= 1.5 S at native
   scale, then resize; if larger, reduce by area to S, which takes noise down by about n / S, and
   filter after it, with the level that is left. After the reduction the margin is gone and the
   filter reflects at the border, as it does on a training thumbnail.

Reduction is by area, enlargement bilinear.
"""

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid import filters
from fervid.card import ModelCard
from fervid.filters import Filter, FilterName, FilterSet, get_filter
from fervid.records import F32, Noise

U8 = NDArray[np.uint8]

IMPULSE_FILTERS: tuple[Filter, ...] = (filters.impulse_median, filters.median_3x3)
MEDIAN_LOW = 1.25
MARGIN_PX = 4  # the reach of the widest filter, the bilateral d=9
FILTER_AFTER = 1.5  # n / S above which the picture is reduced before it is filtered
EXACT_UP_TO = 12  # n / S up to which the resize's gain is computed
MEASURED_PX = 48  # side of the pictures behind FILTER_GAINS

# RMS of luma for noise of RMS 1 drawn for each channel alone: sqrt(.299^2 + .587^2 + .114^2).
LUMA_GAIN = 0.669

# Realised noise on FER2013's training faces (their histogram), by nominal level. Clipping at black
# and white weakens noise (white: RMS about its mean) and shifts dark and bright areas (bias: RMS of
# that mean), which no averaging takes out: at Gaussian .3 a 240 px face is left with the bias
# alone. These tables and those below are printed by `python -m train gains`.
LEVELS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
GAUSSIAN_WHITE = (0.0, 0.0489, 0.0959, 0.1804, 0.249, 0.3008, 0.3385)
GAUSSIAN_BIAS = (0.0, 0.0036, 0.009, 0.0247, 0.0463, 0.0703, 0.0927)
SPECKLE_WHITE = (0.0, 0.0277, 0.0544, 0.1043, 0.1499, 0.1913, 0.2275)
SPECKLE_BIAS = (0.0, 0.0026, 0.0061, 0.0154, 0.0273, 0.0409, 0.0551)

# RMS left by a filter, as a share of the RMS before it, by that RMS: (Gaussian and speckle noise,
# impulses). Measured as rms(f(noisy) - f(clean)) on 150 training pictures of 48 px; speckle of the
# same RMS lies within .03 of Gaussian noise. Impulses at densities 2, 5, 8, 16 %; what a median
# leaves of them is texture, so it falls as faces grow (.118 at 48 px, .037 at 144).
GAIN_RMS = (0.02, 0.05, 0.1, 0.2, 0.25)
IMPULSE_RMS = (0.08, 0.126, 0.16, 0.225)
FILTER_GAINS: Mapping[Filter, tuple[tuple[float, ...], tuple[float, ...]]] = {
    filters.no_filter: ((1.0, 1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)),
    filters.gaussian_3x3: ((0.376, 0.369, 0.371, 0.385, 0.397), (0.365, 0.372, 0.379, 0.397)),
    filters.gaussian_5x5: ((0.314, 0.305, 0.308, 0.325, 0.339), (0.301, 0.31, 0.318, 0.339)),
    filters.gaussian_by_level: ((0.835, 0.648, 0.428, 0.324, 0.321), (0.485, 0.382, 0.348, 0.329)),
    filters.median_3x3: ((0.701, 0.577, 0.506, 0.484, 0.496), (0.149, 0.158, 0.163, 0.192)),
    filters.impulse_median: ((1.028, 1.005, 0.984, 0.931, 0.893), (0.114, 0.123, 0.127, 0.157)),
    filters.bilateral_5: ((0.35, 0.348, 0.379, 0.521, 0.609), (0.661, 0.683, 0.703, 0.747)),
    filters.bilateral_9: ((0.278, 0.277, 0.315, 0.465, 0.556), (0.502, 0.552, 0.593, 0.671)),
    filters.bilateral_by_level: ((0.476, 0.468, 0.385, 0.383, 0.421), (0.802, 0.545, 0.461, 0.429)),
    filters.deblock: ((0.528, 0.569, 0.701, 0.892, 0.933), (0.975, 0.976, 0.977, 0.98)),
}


def crop_boxes(boxes: F32, card: ModelCard) -> F32:
    """The square regions that the network sees, float32 (N, 4), possibly beyond the frame.

    Framing as FER2013 has it: the side is the box times `card.crop_scale`, the centre lies
    `card.crop_shift` of the box higher. "The box" is its longer side: BlazeFace boxes are square,
    a shorter side has been clipped by the frame's border.

    Args:
        boxes: float32 (N, 4), face boxes in frame pixels.
        card: the model's card.
    """
    size = longer_sides(boxes)[:, None]  # (N, 1)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    centre = centre - size * np.array([0, card.crop_shift], np.float32)
    half = size * np.float32(card.crop_scale / 2)
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def longer_sides(boxes: F32) -> F32:
    """float32 (N,): of boxes (N, 4)."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(1, initial=0), np.float32)


def crop_faces(
    bgr: U8,
    boxes: F32,
    card: ModelCard,
    filter_fn: Filter = filters.no_filter,
    level: float = 0.0,
) -> tuple[F32, U8]:
    """Cut faces out of a frame and make them the network's input.

    Args:
        bgr: uint8 (H, W, 3), the frame as it came, not filtered.
        boxes: float32 (N, 4), face boxes (not crop regions) in frame pixels.
        card: the model's card.
        filter_fn: from `fervid.filters`.
        level: RMS noise of the frame, 0-1 (`Noise.severity`); the filter is told what is left of
            it in luma and after a reduction.

    Returns:
        images float32 (N, 3, S, S), luma three times, normalised; crops uint8 (N, S, S).
    """
    s = card.input_px
    crops = np.zeros((len(boxes), s, s), np.uint8)
    for i, box in enumerate(crop_boxes(boxes, card)):
        n = max(1, round(float(box[2] - box[0])))
        x, y = round(float(box[0])), round(float(box[1]))
        gray = _cut_luma(bgr, x - MARGIN_PX, y - MARGIN_PX, n + 2 * MARGIN_PX)
        crops[i] = prepare(gray, s, filter_fn, level * LUMA_GAIN, MARGIN_PX)
    return normalise(crops, card), crops


def prepare_thumbnail(gray: U8, card: ModelCard, filter_fn: Filter, level: float) -> U8:
    """The crop uint8 (S, S) of a square grey picture that is framed already, such as FER2013's.

    Args:
        gray: uint8 (n, n).
        card: the model's card.
        filter_fn: from `fervid.filters`.
        level: RMS noise of `gray`, 0-1.

    Raises:
        ValueError: `gray` is not square.
    """
    if gray.ndim != 2 or gray.shape[0] != gray.shape[1]:
        raise ValueError(f"prepare_thumbnail: expected a square grey picture, got {gray.shape}")
    return prepare(gray, card.input_px, filter_fn, level)


def normalise(crops: U8, card: ModelCard) -> F32:
    """uint8 (N, S, S) -> float32 (N, 3, S, S): luma three times, by the card's mean and std."""
    scaled = (crops.astype(np.float32) / 255 - np.float32(card.mean)) / np.float32(card.std)
    return np.repeat(scaled[:, None], 3, axis=1)  # (N, 3, S, S)


def _cut_luma(bgr: U8, x: int, y: int, side: int) -> U8:
    """Luma uint8 (side, side) of a square whose corner is x, y; the border is replicated."""
    h, w = bgr.shape[:2]
    x0, x1 = int(np.clip(x, 0, w - 1)), int(np.clip(x + side, 1, w))
    y0, y1 = int(np.clip(y, 0, h - 1)), int(np.clip(y + side, 1, h))
    gray = cv2.cvtColor(np.ascontiguousarray(bgr[y0:y1, x0:x1]), cv2.COLOR_BGR2GRAY)
    left, top = (min(max(0, c0 - c), side - 1) for c0, c in ((x0, x), (y0, y)))
    right, bottom = side - (x1 - x0) - left, side - (y1 - y0) - top
    padded = cv2.copyMakeBorder(gray, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.uint8)


def acting(filter_fn: Filter, n: int, s: int) -> Filter:
    """The filter that a picture of n pixels gets on its way to s: no deblocking if it is larger."""
    return filters.no_filter if filter_fn is filters.deblock and n > s else filter_fn


def _is_late(n: int, s: int, filter_fn: Filter) -> bool:
    """Whether the filter follows the reduction from n to s pixels."""
    return n > FILTER_AFTER * s and filter_fn not in IMPULSE_FILTERS


def prepare(gray: U8, s: int, filter_fn: Filter, level: float, margin: int = 0) -> U8:
    """Filter and resize a square picture; the order is in the module, and training takes it too.

    Args:
        gray: uint8 (n + 2 margin, n + 2 margin), luma.
        s: side of the result.
        filter_fn: from `fervid.filters`.
        level: RMS noise of `gray`, 0-1.
        margin: pixels around the picture that only the filter sees.

    Returns:
        uint8 (s, s).
    """
    n = gray.shape[0] - 2 * margin
    filter_fn = acting(filter_fn, n, s)
    late = _is_late(n, s, filter_fn)
    if not late:
        gray = filter_fn(gray, level)
    gray = gray[margin : margin + n, margin : margin + n]
    if n != s:
        how = cv2.INTER_AREA if n > s else cv2.INTER_LINEAR
        gray = np.asarray(cv2.resize(gray, (s, s), interpolation=how), np.uint8)
    return filter_fn(gray, level * _resize_gain(n, s)) if late else gray


@lru_cache(maxsize=256)
def _resize_gain(n: int, s: int) -> float:
    """RMS that resizing from n to s pixels leaves of white noise, about s / n.

    Exact: the mean over output pixels of the sum of squared weights, one axis standing for both.
    """
    if n > EXACT_UP_TO * s:
        return s / n
    how = cv2.INTER_AREA if n > s else cv2.INTER_LINEAR
    weights = cv2.resize(np.eye(n, dtype=np.float32), (n, s), interpolation=how)  # (s, n)
    return float((weights**2).sum() / s)


def residual_noise(
    noise: Noise,
    filter_name: FilterName,
    face_px: float,
    card: ModelCard,
    filter_set: FilterSet = "tuned",
    luma_gain: float = LUMA_GAIN,
) -> float:
    """The eta of one face: RMS noise left in its crop on the network's own input grid.

    The noise goes through luma, filter and resize as the crop does, by the tables above; parts and
    kinds add in squares. Within .008 of the truth at the paper's settings on 48-240 px faces.

    Args:
        noise: of the frame.
        filter_name: the filter that was applied to the crop.
        face_px: the longer side of the face's box.
        card: the model's card.
        filter_set: where the filter is from.
        luma_gain: LUMA_GAIN for noise drawn per channel, 1 for a grey picture.

    Returns:
        RMS of (crop of noisy - crop of clean through the same path), 0-1 scale.
    """
    n, s = max(1, round(face_px * card.crop_scale)), card.input_px
    filter_fn = acting(get_filter(filter_name, filter_set), n, s)
    sigma, density, speckle = (float(level) for level in noise.levels)
    white = np.hypot(_at(sigma, GAUSSIAN_WHITE), _at(speckle, SPECKLE_WHITE)) * luma_gain
    bias = np.hypot(_at(sigma, GAUSSIAN_BIAS), _at(speckle, SPECKLE_BIAS))
    power = card.mean**2 + card.std**2  # E[x^2]
    impulses = np.sqrt(density / 2 * (power + 1 - 2 * card.mean + power))
    # Impulses not taken out pull every area towards mid-grey by their density.
    pull = 0.0 if filter_fn in IMPULSE_FILTERS else density * card.std
    parts = (
        float(bias),
        pull,
        _left(float(white), n, s, filter_fn),
        _impulses_left(float(np.sqrt(impulses**2 - pull**2)), n, s, filter_fn),
    )
    return float(np.sqrt(np.sum(np.square(parts))))


def _at(level: float, realised: tuple[float, ...]) -> float:
    return float(np.interp(level, LEVELS, realised))


def _left(rms: float, n: int, s: int, filter_fn: Filter) -> float:
    """RMS that filter and resize leave of white noise."""
    resize, gains = _resize_gain(n, s), FILTER_GAINS[filter_fn][0]
    if _is_late(n, s, filter_fn):
        return rms * resize * float(np.interp(rms * resize, GAIN_RMS, gains))
    gain = float(np.interp(rms, GAIN_RMS, gains))
    # Smooth noise loses less in a resize: of the loss, the share (gain - .1) / .9 is left, within
    # .02 for Gaussian blurs of .7 and 1.2 px. Far reduced, a median leaves more than nothing would:
    # its share of low frequencies is sqrt(pi / 2), the median's efficiency against the mean's.
    smooth = gain * (1 - (1 - resize) * max(0.0, gain - 0.1) / 0.9)
    return rms * min(smooth, MEDIAN_LOW * resize)


def _impulses_left(rms: float, n: int, s: int, filter_fn: Filter) -> float:
    """RMS that filter and resize leave of impulses; a reduction makes them like white noise."""
    if _is_late(n, s, filter_fn):
        return _left(rms, n, s, filter_fn)
    gain = float(np.interp(rms, IMPULSE_RMS, FILTER_GAINS[filter_fn][1]))
    if filter_fn in IMPULSE_FILTERS:
        gain = min(1.0, gain * MEASURED_PX / n)
    return rms * gain * _resize_gain(n, s)
