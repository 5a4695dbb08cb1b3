"""What is measured of a model: accuracy, stability of its heatmaps, robustness, feature SNR.

Pure functions of arrays. Definitions are docs/results' (design, section 8); the paper is Sugianto
et al. 2026, DOI 10.47738/jads.v7i1.1005, and its own figures lie in PAPER.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import simpson  # type: ignore[import-untyped]
from scipy.stats import binomtest, bootstrap  # type: ignore[import-untyped]
from torch.nn import functional

from fervid.records import F32
from train.ssim import ssim

Bools = NDArray[np.bool_]

MAP_PX = 112  # maps are compared at this size: DC depends on it
FLAT = 1e-6  # a map whose range is this share of its largest value is constant
CHUNK = 256

# Per kind, baseline -> proposed: accuracy, DC, robustness AUC ("AURC"), SNR in dB.
PAPER: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "gaussian": {
        "ra": (0.685, 0.801),
        "dc": (0.25, 0.11),
        "auc": (0.42, 0.58),
        "snr": (17.3, 21.8),
    },
    "salt_pepper": {
        "ra": (0.657, 0.784),
        "dc": (0.29, 0.13),
        "auc": (0.39, 0.56),
        "snr": (15.1, 19.6),
    },
    "speckle": {"ra": (0.702, 0.826), "dc": (0.22, 0.10), "auc": (0.45, 0.61), "snr": (16.4, 20.9)},
}


def accuracy_interval(right: Bools) -> tuple[float, float]:
    """95 % interval of an accuracy, from right (N,).

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    test = binomtest(int(right.sum()), len(right))
    low, high = test.proportion_ci(0.95, method="wilson")
    return float(low), float(high)


def pack(right: Bools) -> str:
    """Which of N images a model gets right, as hexadecimal text; models are compared by it."""
    return np.packbits(right).tobytes().hex()


def unpack(text: str, n: int) -> Bools:
    """The bool (N,) that `pack` was given."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=n).astype(np.bool_)


def mcnemar(right_a: Bools, right_b: Bools) -> float:
    """Exact two-sided p of McNemar's test that two models are equally often right.

    Args:
        right_a: (N,), whether the first one is right on each image.
        right_b: (N,), the second one on the same images.

    Source: McNemar 1947; with b and c the images that only one of them gets right, b is binomial
        with n = b + c and p = 1/2.
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    if only_a + only_b == 0:
        return 1.0
    return float(binomtest(only_a, only_a + only_b).pvalue)


def paired_difference(
    a: NDArray[np.generic], b: NDArray[np.generic], rng: np.random.Generator, resamples: int = 2000
) -> tuple[float, float, float]:
    """Mean of a - b over the same N images, and its 95 % bootstrap interval.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife"; images are resampled,
        so that both values of one stay together (percentile method).
    """
    gaps = a.astype(np.float64) - b.astype(np.float64)
    mean = float(gaps.mean())
    if np.ptp(gaps) == 0:
        return mean, mean, mean
    interval = bootstrap(
        (gaps,), np.mean, n_resamples=resamples, batch=64, method="percentile", rng=rng
    ).confidence_interval
    return mean, float(interval.low), float(interval.high)


def scaled_maps(maps: F32) -> tuple[F32, Bools]:
    """Heatmaps made comparable: min-max scaled to 0-1 each, then resized, bilinear.

    Args:
        maps: float32 (N, h, w).

    Returns:
        float32 (N, MAP_PX, MAP_PX), 0 where a map says nothing; and which maps say something,
        bool (N,): neither constant nor with a NaN or infinite cell.
    """
    unit, alive = unit_maps(maps)
    tensor = torch.from_numpy(unit)[:, None]
    large = functional.interpolate(tensor, (MAP_PX, MAP_PX), mode="bilinear", align_corners=False)
    return large[:, 0].numpy(), alive


def unit_maps(maps: F32) -> tuple[F32, Bools]:
    """Maps (N, h, w) min-max scaled to 0-1 each, and which say something; see `scaled_maps`."""
    finite: Bools = np.asarray(np.isfinite(maps).all((1, 2)))
    safe = np.where(finite[:, None, None], maps, 0).astype(np.float64)
    low, high = safe.min((1, 2)), safe.max((1, 2))
    alive: Bools = finite & (high - low > FLAT * np.abs(safe).max((1, 2)))
    span = np.where(alive, high - low, 1)[:, None, None]
    unit = (safe - low[:, None, None]) / span * alive[:, None, None]
    return unit.astype(np.float32), alive


def drift(clean: F32, noisy: F32) -> tuple[F32, F32]:
    """DC, how far heatmaps moved under noise: 1 - SSIM, and the cosine distance.

    The caller takes both maps for one class, the prediction on the clean image. A constant map or
    one with a NaN on either side has DC 1, or a dead map would be perfectly stable. SSIM is over
    the 7 px windows that lie inside the map, as scikit-image's.

    Args:
        clean: float32 (N, h, w), not scaled.
        noisy: float32 (N, h', w').

    Returns:
        1 - SSIM (N,), 0 (the same) to 2; cosine distance (N,), 0 to 1.

    Source: Sugianto et al. 2026, section 3.4 (1 - SSIM) and 4.3 (cosine distance); Wang et al.
        2004, "Image quality assessment", for SSIM (uniform window, k1 .01, k2 .03, range 1).
    """
    parts = [
        _drift(clean[start : start + CHUNK], noisy[start : start + CHUNK])
        for start in range(0, len(clean), CHUNK)
    ]
    if not parts:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    moved, cosine = (np.concatenate(column) for column in zip(*parts, strict=True))
    return moved, cosine


def _drift(clean: F32, noisy: F32) -> tuple[F32, F32]:
    (a, a_alive), (b, b_alive) = scaled_maps(clean), scaled_maps(noisy)
    x, y = torch.from_numpy(a), torch.from_numpy(b)
    alive = a_alive & b_alive
    cosine = 1 - functional.cosine_similarity(x.flatten(1), y.flatten(1)).numpy()
    moved = 1 - ssim(a, b)
    return np.where(alive, moved, np.float32(1)), np.where(alive, cosine.clip(0), np.float32(1))


def chance_drift(maps: F32, rng: np.random.Generator) -> Mapping[str, tuple[F32, F32]]:
    """DC to compare with: of unrelated images, and of each image against the mean map.

    Args:
        maps: float32 (N, h, w), N at least 2, of clean images.
        rng: pairs the images; none is paired with itself.

    Returns:
        "unrelated" and "mean_map", each as `drift` returns it.
    """
    unit, alive = unit_maps(maps)
    mean = unit.sum(0) / max(1, int(alive.sum()))  # those that say nothing are 0
    return {
        "unrelated": drift(maps, maps[partners(len(maps), rng)]),
        "mean_map": drift(maps, np.broadcast_to(mean, (len(maps), *mean.shape))),
    }


def partners(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """For each of n images (2 at least) another one, int64 (n,); each is taken once."""
    chain = rng.permutation(n)
    partner = np.empty_like(chain)
    partner[chain] = np.roll(chain, 1)
    return partner


def robustness_auc(levels: Sequence[float], values: Sequence[float]) -> float:
    """The paper's "AURC": mean height of a curve over the noise level, by Simpson's rule.

    Not the area under the risk-coverage curve, which goes by the same name.

    Args:
        levels: rising from 0, the clean images; spacing need not be even.
        values: accuracy, or accuracy (1 - DC), at each level.

    Returns:
        Area divided by the range, so that a constant curve gives its constant.

    Raises:
        ValueError: the levels do not rise from 0.

    Source: Sugianto et al. 2026, section 3.4 (area by Simpson's rule) and 4.4 (activation
        consistency and prediction quality).
    """
    if levels[0] != 0 or np.any(np.diff(levels) <= 0):
        raise ValueError(f"levels: expected rising from 0, got {list(levels)}")
    return float(simpson(values, x=levels)) / levels[-1]


def snr_db(clean: F32, noisy: F32, *, centred: bool = False) -> NDArray[np.float64]:
    """Signal to noise of a layer's features, in dB for each image.

    Args:
        clean: float32 (N, C, h, w), features of the clean images.
        noisy: the same of the noisy ones.
        centred: take the mean of each channel over all clean images and cells out of the signal;
            after a ReLU that mean is positive, says nothing of the image, and inflates the SNR.

    Returns:
        float64 (N,); infinite where the features are the same.

    Source: Sugianto et al. 2026, section 3.4: 10 log10(|S|^2 / |S - S_noisy|^2).
    """
    signal = clean.astype(np.float64)
    error = np.square(signal - noisy).sum((1, 2, 3))
    if centred:
        signal -= signal.mean((0, 2, 3), keepdims=True)
    power = np.square(signal).sum((1, 2, 3))
    with np.errstate(divide="ignore"):
        return np.asarray(10 * (np.log10(power) - np.log10(error)), np.float64)


def rounded(value: Any, digits: int = 5) -> Any:
    """A tree of figures for JSON: plain rounded numbers, None for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(item, digits) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), digits) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
