"""Statistics of one image plane from which the kind and the level of its noise are read.

A sample of it is described by 32 numbers: isolated extremes (impulses), the size of the
finest diagonal detail (level), its ratio to the same detail one octave up (white noise or
texture), and its size in each range of brightness (additive or multiplicative noise).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.noise_sample import BAND_ROWS, U8, Sample

I16 = NDArray[np.int16]
F32 = NDArray[np.float32]

N_FEATURES = 32
FAR = 40  # grey levels between an impulse and the median around it
LOW, HIGH = 5, 250
BLACK = 16
FEW_LIT = 150
FEW_IN_BIN = 12
LN_RANGE = np.log(510)
# Medians of rows 0-11 of the table in `measure`, then the other quantiles of row 8.
_ROWS = np.array([*range(12), 8, 8, 8, 8])
_SHARES = np.array([0.5] * 12 + [0.1, 0.25, 0.75, 0.9])
_SPREAD = np.array([12, 13, 8, 14, 15])
_SHAPE = np.array([11, 9, 10])
_GREY = np.arange(256, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PlaneStats:
    """What was counted in a sample.

    Attributes:
        features: float32 (32,), the network's input.
        median_histogram: float32 (256,), of the 3x3 medians.
        pixels: N, the number of pixels.
        low, high: N0 and N1, isolated dark and bright extremes.
        other: Q, pixels far from their median that are no extremes.
        lit: blocks that the detail was measured in.
        detail, coarse_detail: medians of HH and HH2, grey levels.
    """

    features: F32
    median_histogram: F32
    pixels: int
    low: int
    high: int
    other: int
    lit: int
    detail: float
    coarse_detail: float

    @property
    def visible(self) -> float:
        """S0 + S1: at how many pixels pepper, and at how many salt, would stand out."""
        histogram = self.median_histogram
        return float(histogram[FAR + 1 :].sum() + histogram[: 255 - FAR].sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """All 2x2 blocks a b / c d: sums int16, details uint8 (saturated), masks uint8 0 or 1."""

    sums: I16
    hh: U8
    lh: U8
    hl: U8
    ok: U8
    lit: U8


def measure(sample: Sample) -> PlaneStats:
    """Compute the 32 features of a sample and the counts that they are made of.

    Logarithms are natural; medians of detail carry half a grey level so that 0 has a logarithm.

    Source: Donoho & Johnstone 1994, "Ideal spatial adaptation by wavelet shrinkage" (the finest
        diagonal detail and its median); Foi 2009, "Clipped noisy images" (blocks with clipped
        pixels left out).
    """
    (low, high, other), pairs, extreme = _impulses(sample)
    blocks = _blocks(sample, extreme)
    medians = _histogram(sample.medians)
    n, n_lit = sample.pixels.size, cv2.countNonZero(blocks.lit)
    n_ok = cv2.countNonZero(blocks.ok)
    table = np.empty((12, 256), np.float32)
    table[:8] = _joint_histogram(blocks)
    in_bin = table[:8].sum(1)
    table[:8].sum(0, out=table[8])
    table[9] = _histogram(blocks.lh, blocks.lit)
    table[10] = _histogram(blocks.hl, blocks.lit)
    table[11] = _coarse_histogram(blocks, sample)
    quantiles = _quantiles(table, _ROWS, _SHARES) + 0.5
    logs = np.log(quantiles)
    features = np.empty(N_FEATURES, np.float32)
    features[0:3] = np.log(np.array([low, high, other]) / n + 0.001)
    features[3] = n_ok / blocks.ok.size
    features[4:9] = logs[_SPREAD] - LN_RANGE
    features[9:12] = logs[_SHAPE] - logs[8]
    features[12:20] = np.where(in_bin < FEW_IN_BIN, 0, logs[:8] - logs[8])
    features[20:28] = np.sqrt(in_bin / max(n_lit, 1))
    features[28] = medians[FAR + 1 :].sum() / n
    features[29] = medians[: 255 - FAR].sum() / n
    features[30] = np.log((pairs + 0.5) / (2 * (low + high) + 4))
    features[31] = n_lit / max(n_ok, 1)
    detail, coarse = float(quantiles[8]) - 0.5, float(quantiles[11]) - 0.5
    return PlaneStats(features, medians, n, low, high, other, n_lit, detail, coarse)


def _impulses(sample: Sample) -> tuple[tuple[int, int, int], int, U8]:
    """Count N0, N1 and Q, and the touching pairs P; and return the mask of extreme pixels."""
    x = sample.pixels
    far = cv2.absdiff(x, sample.medians) > FAR
    low, high = x <= LOW, x >= HIGH
    n_far, counts, pairs = int(np.count_nonzero(far)), [0, 0], 0
    for i, extreme in enumerate((low, high)):
        mask = far & extreme
        counts[i] = int(np.count_nonzero(mask))
        if counts[i]:
            groups = mask.reshape(-1, sample.group_rows, x.shape[1])
            pairs += int(np.count_nonzero(mask[:, 1:] & mask[:, :-1]))
            pairs += int(np.count_nonzero(groups[:, 1:] & groups[:, :-1]))
    low |= high
    return (counts[0], counts[1], n_far - sum(counts)), pairs, low.view(np.uint8)


def _blocks(sample: Sample, extreme: U8) -> _Blocks:
    """Sums, details and masks of all overlapping blocks, or of the row pairs of bands."""
    x = sample.pixels
    first, second = (x[:-1], x[1:]) if sample.whole else (x[::2], x[1::2])
    e1, e2 = (extreme[:-1], extreme[1:]) if sample.whole else (extreme[::2], extreme[1::2])
    s = cv2.add(first, second, dtype=cv2.CV_16S)
    d = cv2.subtract(first, second, dtype=cv2.CV_16S)
    sums = np.asarray(cv2.add(s[:, :-1], s[:, 1:]), np.int16)
    e = e1 | e2
    ok = np.equal(e[:, :-1] | e[:, 1:], 0).view(np.uint8)
    lit = ok & (sums > 4 * BLACK).view(np.uint8)
    if cv2.countNonZero(lit) < FEW_LIT:
        lit = ok
    hh = _magnitude(cv2.subtract(d[:, :-1], d[:, 1:]))
    lh = _magnitude(cv2.add(d[:, :-1], d[:, 1:]))
    hl = _magnitude(cv2.subtract(s[:, :-1], s[:, 1:]))
    return _Blocks(sums, hh, lh, hl, ok, lit)


def _magnitude(detail: NDArray[Any], scale: float = 1) -> U8:
    return np.asarray(cv2.convertScaleAbs(detail, alpha=scale), np.uint8)


def _histogram(values: U8, mask: U8 | None = None) -> F32:
    counts = cv2.calcHist([values], [0], mask, [256], [0, 256])
    return np.asarray(counts, np.float32).reshape(256)


def _joint_histogram(blocks: _Blocks) -> F32:
    """Count the lit blocks by brightness (8 bins) and HH: float32 (8, 256)."""
    means = (blocks.sums >> 2).astype(np.uint8)
    ranges = [0, 256, 0, 256]
    joint = cv2.calcHist([means, blocks.hh], [0, 1], blocks.lit, [8, 256], ranges)
    return np.asarray(joint, np.float32)


def _coarse_histogram(blocks: _Blocks, sample: Sample) -> F32:
    """Histogram of HH2: the diagonal difference of four adjacent block sums, halved."""
    width = blocks.sums.shape[1]
    # Rows of overlapping blocks are one pixel apart, row pairs of a band two.
    step, rows = (2, len(blocks.sums)) if sample.whole else (1, BAND_ROWS // 2)
    sums = blocks.sums.reshape(-1, rows, width)
    lit = blocks.lit.reshape(-1, rows, width)
    vertical = sums[:, :-step] - sums[:, step:]
    both = lit[:, :-step] & lit[:, step:]
    detail = (vertical[..., :-2] - vertical[..., 2:]).reshape(-1, width - 2)
    mask = (both[..., :-2] & both[..., 2:]).reshape(-1, width - 2)
    return _histogram(_magnitude(detail, 0.5), mask)


def _quantiles(
    table: F32, rows: NDArray[np.intp], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles of histograms, interpolated within their bin; 0 for an empty histogram.

    One running sum over all rows serves every quantile: small numpy calls cost more than work.

    Args:
        table: float32 (R, 256), each row the counts of the values 0-255.
        rows: (Q,), the row of each quantile.
        shares: (Q,), 0-1.
    """
    running = np.empty(table.size + 1)
    running[0] = 0
    table.ravel().cumsum(dtype=np.float64, out=running[1:])
    before, after = running[rows * 256], running[rows * 256 + 256]
    target = before + shares * (after - before)
    k = np.searchsorted(running[1:-1], target)
    start = running[k]
    within = (target - start) / np.maximum(running[k + 1] - start, 1)
    return np.where(after > before, np.maximum(k - rows * 256 - 0.5 + within, 0), 0)


def measure_quality(sample: Sample, stats: PlaneStats) -> F32:
    """Blocking, blur and darkness of a sample, each 0 (good) to 1 (bad), float32 (3,).

    Only rows are compared, since bands have no long columns. The ends of the scales were set on
    FER2013, video frames and photographs: JPEG quality 10 doubles the steps between blocks, and
    sharp pictures keep 0.3-0.45 of their variation under Crete's blur, pictures blurred by 3 px
    0.75-0.8. Blur is measured on the medians, else noise would pass for sharpness; strong noise
    still hides some of it.

    Source: Wang, Sheikh & Bovik 2002, "No-reference perceptual quality assessment of JPEG
        compressed images" (B over A); Crete et al. 2007, "The blur effect" (equations 3-7).
    """
    x, m = sample.pixels, sample.medians
    across = _columns(cv2.absdiff(x[:, 1:], x[:, :-1]))
    phases = across[: len(across) // 8 * 8].reshape(-1, 8).mean(0)
    # Pixels enlarged two or four times have steps between blocks too, and the same ones elsewhere.
    inside = max(phases[:7].mean(), phases[1:7:2].mean(), phases[3])
    blocking = phases[7] / (inside + 0.5)
    steps = cv2.absdiff(m[:, 1:], m[:, :-1])
    soft = cv2.blur(m, (9, 1))
    lost = cv2.subtract(steps, cv2.absdiff(soft[:, 1:], soft[:, :-1]))
    blur = 1 - float(_columns(lost).sum()) / max(float(_columns(steps).sum()), 1e-6)
    # Black bars are not darkness, unless there is nothing else.
    seen = stats.median_histogram[BLACK + 1 :]
    light = float(_GREY[BLACK + 1 :] @ seen) / max(float(seen.sum()), 1)
    return np.array(
        [
            np.interp(blocking, (1.15, 2), (0, 1)),
            np.interp(blur, (0.4, 0.8), (0, 1)) if steps.any() else 0,
            np.interp(light, (20, 80), (1, 0)),
        ],
        np.float32,
    )


def _columns(values: NDArray[Any]) -> F32:
    """Mean of each column, float32 (W,)."""
    means = cv2.reduce(values, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
    return np.asarray(means, np.float32).reshape(-1)
