"""`python -m train gains`: measure the tables by which `fervid.crops.residual_noise` tells eta.

What a filter leaves of noise, and what clipping at black and white makes of it, on training
pictures; the labels are not looked at. Prints the tables as they stand in fervid/crops.py.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fervid import corruptions, crops
from fervid.filters import Filter

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

PICTURES = 150
DENSITIES = (0.02, 0.05, 0.08, 0.16)
SIGMAS = (0.015, 0.03, 0.06, 0.1, 0.15, 0.22, 0.28, 0.34)
DRAWS = 4000  # of the noise, for each grey level


def gains(images: U8, seed: int = 0) -> Mapping[Filter, tuple[F64, F64]]:
    """RMS left by each filter as a share of the RMS before it.

    Args:
        images: uint8 (N, 48, 48).
        seed: of the noise.

    Returns:
        For each filter its shares at `crops.GAIN_RMS` of Gaussian noise, and at DENSITIES of
        impulses.
    """
    gauss = [_noisy("gaussian", sigma, images, seed) for sigma in SIGMAS]
    impulses = [_noisy("salt_pepper", density, images, seed) for density in DENSITIES]
    before = [rms(noisy, images) for noisy in gauss]
    found = {}
    for f in crops.FILTER_GAINS:
        share = [_share(f, noisy, images) for noisy in gauss]
        found[f] = (
            np.interp(crops.GAIN_RMS, before, share),
            np.array([_share(f, noisy, images) for noisy in impulses]),
        )
    return found


def realised(images: U8, kind: str, seed: int = 0) -> tuple[F64, F64]:
    """What clipping leaves of noise at the levels `crops.LEVELS`.

    Args:
        images: uint8 (N, H, W), for their histogram.
        kind: "gaussian" or "speckle".
        seed: of the noise.

    Returns:
        white: RMS about the noise's mean; bias: RMS of that mean, both 0-1.
    """
    share = np.bincount(images.ravel(), minlength=256) / images.size  # (256,)
    grey = np.arange(256) / 255
    draws = np.random.default_rng(seed).standard_normal(DRAWS)
    white, bias = [], []
    for level in crops.LEVELS:
        size = np.full(256, level) if kind == "gaussian" else level * grey
        seen = np.clip(grey[:, None] + size[:, None] * draws, 0, 1)  # (256, DRAWS)
        white.append(np.sqrt(share @ seen.var(1)))
        bias.append(np.sqrt(share @ (seen.mean(1) - grey) ** 2))
    return np.array(white), np.array(bias)


def rms(noisy: U8, clean: U8) -> float:
    """RMS difference of two pictures or stacks of them, 0-1."""
    return float(np.sqrt(np.mean((noisy.astype(np.float32) - clean) ** 2))) / 255


def _noisy(kind: str, level: float, images: U8, seed: int) -> U8:
    draw = corruptions.CORRUPTIONS[kind]
    return np.stack(
        [draw(x, level, np.random.default_rng((seed, i))) for i, x in enumerate(images)]
    )


def _share(f: Filter, noisy: U8, clean: U8) -> float:
    level = rms(noisy, clean)
    after = [np.stack([f(x, level) for x in stack]) for stack in (noisy, clean)]
    return rms(*after) / level


def tables(images: U8) -> str:
    """The tables, as Python."""

    def row(values: F64) -> str:
        return "(" + ", ".join(f"{value:.4g}" for value in values.round(4)) + ")"

    lines = []
    for kind in ("gaussian", "speckle"):
        white, bias = realised(images, kind)
        lines += [f"{kind.upper()}_WHITE = {row(white)}", f"{kind.upper()}_BIAS = {row(bias)}"]
    chosen = np.random.default_rng(0).choice(len(images), PICTURES, replace=False)
    for f, (gauss, impulses) in gains(images[np.sort(chosen)]).items():
        name = getattr(f, "__name__", "")
        lines.append(f"filters.{name}: ({row(gauss.round(3))}, {row(impulses.round(3))}),")
    return "\n".join(lines)
