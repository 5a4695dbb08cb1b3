"""The noise estimator beside `skimage.restoration.estimate_sigma`: accuracy and time."""

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.corruptions import gaussian
from fervid.noise_sample import green_plane
from train.noise_levels import realised_level
from train.noise_material import Material
from train.noise_tally import WIDE, Estimate
from train.robustness import NOISY, corrupt

U8 = NDArray[np.uint8]
Sigma = Callable[[U8], float]

BESIDE = (WIDE[0], NOISY[0], WIDE[1], *NOISY[1:3])  # Gaussian .05, .1, .15, .2, .3
# Width, height and channels of what is timed.
TIMED = ((48, 48, 1), (224, 224, 3), (640, 360, 3), (1920, 1080, 3))
WARM_UP = 5


def published_sigma() -> Sigma | None:
    """`estimate_sigma` of a picture's green plane, 0-1; None without PyWavelets, its needs."""
    if find_spec("pywt") is None:
        return None
    from skimage import restoration

    estimate: Callable[[NDArray[Any]], float] = restoration.estimate_sigma
    return lambda image: float(estimate(green_plane(image) / np.float32(255)))


def sigma_rows(
    material: Material, seed: int, estimate: Estimate, published: Sigma
) -> list[dict[str, Any]]:
    """Gaussian noise, one row a level: both estimates against the realised sigma.

    All pictures count, also those whose kind is taken wrongly: then ours is what the estimator
    says of the Gaussian part, 0 if it sees none.

    Returns:
        For "ours" and "published" the medians of |estimate / sigma - 1| and of estimate / sigma.
    """
    rows = []
    for setting in BESIDE:
        ratios = []
        for clean, place in zip(material.pictures, material.places, strict=True):
            noisy = corrupt(clean, setting, seed, int(place))
            sigma = realised_level(clean, noisy, "gaussian")
            ratios.append((float(estimate(noisy).levels[0]) / sigma, published(noisy) / sigma))
        table = np.array(ratios)  # (N, 2)
        errors, middles = np.median(abs(table - 1), 0), np.median(table, 0)
        rows.append(
            {
                "material": material.name,
                "sigma": setting.level,
                "pictures": len(ratios),
                "ours": {"error_p50": errors[0], "ratio_p50": middles[0]},
                "published": {"error_p50": errors[1], "ratio_p50": middles[1]},
            }
        )
    return rows


def time_rows(
    face: U8,
    repeats: int,
    estimate: Estimate,
    published: Sigma | None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[dict[str, Any]]:
    """Milliseconds a call, one thread of OpenCV, both estimators by turns.

    Args:
        face: uint8 (48, 48), enlarged to each size; Gaussian noise of sigma .1 is added.
        repeats: calls of each, after a few that are not counted.
        estimate: the estimator.
        published: what stands beside it, if anything.
        clock: seconds.

    Returns:
        For each size "ours", and "published" with the "ratio" of the medians: "p50_ms", "p95_ms".
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return [_timed(face, size, repeats, (estimate, published), clock) for size in TIMED]
    finally:
        cv2.setNumThreads(threads)


def _timed(
    face: U8,
    size: tuple[int, int, int],
    repeats: int,
    both: tuple[Estimate, Sigma | None],
    clock: Callable[[], float],
) -> dict[str, Any]:
    width, height, channels = size
    large = np.asarray(cv2.resize(face, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    picture = large if channels == 1 else np.dstack([large] * channels)
    picture = gaussian(picture, 0.1, np.random.default_rng(0))
    calls: list[Callable[[U8], object]] = [call for call in both if call is not None]
    spent: list[list[float]] = [[] for _ in calls]
    for _ in range(WARM_UP + repeats):
        for call, times in zip(calls, spent, strict=True):
            start = clock()
            call(picture)
            times.append(clock() - start)
    row: dict[str, Any] = {"width": width, "height": height, "channels": channels}
    row["repeats"] = repeats
    for name, times in zip(("ours", "published"), spent, strict=False):
        row[name] = _milliseconds(times[WARM_UP:])
    if len(spent) > 1:
        row["ratio"] = row["published"]["p50_ms"] / row["ours"]["p50_ms"]
    return row


def _milliseconds(times: Sequence[float]) -> dict[str, float]:
    p50, p95 = np.quantile(times, (0.5, 0.95)) * 1000
    return {"p50_ms": float(p50), "p95_ms": float(p95)}
