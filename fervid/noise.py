"""Which noise a picture carries and how much of it: one picture, and smoothed over time.

Good for noise that is still per pixel: measure before any resize, warp or filter. Noise that was
enlarged or strongly compressed afterwards reads clean; so does real camera noise (sigma < .03).
"""

from collections import Counter, deque
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files
from typing import IO
from zipfile import BadZipFile

import numpy as np

from fervid.errors import ModelLoadError
from fervid.noise_features import (
    F32,
    FAR,
    HIGH,
    LOW,
    N_FEATURES,
    PlaneStats,
    measure,
    measure_quality,
)
from fervid.noise_sample import U8, sample_plane
from fervid.records import NOISE_KINDS, Noise, NoiseKind

HIDDEN = 48
# o[0:4] are the kinds' scores, then ln sigma, ln density (not used), ln variance, ln severity.
N_OUTPUTS = 8
FLOORS = (0.035, 0.006, 0.012)  # sigma, density, variance: below, clean pictures look the same
MIN_LIT, MIN_ODD = 32, 0.005
MAD = 0.6745
MAX_WHITENESS = 0.5  # ln HH2/HH: 0 for white noise, 0.8-1.4 for clean pictures
EXPLAINED, MIN_SECOND = 0.6, 0.012
MAX_DETAIL = 0.19  # sigma above which clipping makes impulses indistinguishable
GREY = np.arange(256, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseWeights:
    """The fitted numbers: feature means and deviations (32,), and two layers, all float32."""

    mean: F32
    std: F32
    w1: F32
    b1: F32
    w2: F32
    b2: F32

    def __post_init__(self) -> None:
        n, h, o = N_FEATURES, HIDDEN, N_OUTPUTS
        shapes: list[tuple[int, ...]] = [(n,), (n,), (h, n), (h,), (o, h), (o,)]
        for name, shape in zip(self.__slots__, shapes, strict=True):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"{name}: expected float32 {shape}, got {array.shape}")

    def __call__(self, features: F32) -> F32:
        """Eight outputs (8,) for one feature vector (32,)."""
        hidden = self.w1 @ ((features - self.mean) / self.std) + self.b1
        return self.w2 @ np.maximum(hidden, 0) + self.b2


def load_weights(file: IO[bytes]) -> NoiseWeights:
    """Read the weights from an npz file; what else it holds (metadata) is left alone.

    Raises:
        ModelLoadError: it is no such file.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return NoiseWeights(**{f.name: arrays[f.name] for f in fields(NoiseWeights)})
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ModelLoadError(f"The noise estimator's weights cannot be read ({error}).") from error


@lru_cache(maxsize=1)
def default_weights() -> NoiseWeights:
    """The weights that come with fervid, read once.

    Raises:
        ModelLoadError: they are missing or damaged.
    """
    try:
        with (files("fervid") / "models" / "noise.npz").open("rb") as file:
            return load_weights(file)
    except FileNotFoundError as error:
        raise ModelLoadError(
            "fervid/models/noise.npz is missing; reinstall fervid or run `python -m train noise`."
        ) from error


def estimate_noise(image: U8, weights: NoiseWeights | None = None) -> Noise:
    """Estimate kind and level of the noise, and other faults, of one picture.

    Args:
        image: uint8 (H, W) or BGR (H, W, 3), at least 16 px on a side, at native resolution:
            before any resize, warp or filter.
        weights: None for those that come with fervid.

    Returns:
        Its levels hold the strongest kind, and a second one where impulses and other noise mix.

    Raises:
        ValueError: not such an image.
        ModelLoadError: the weights are missing or damaged.
    """
    sample = sample_plane(image)
    stats = measure(sample)
    kind, levels, severity = read_noise(stats, weights or default_weights())
    return Noise(kind, levels, severity, measure_quality(sample, stats))


def read_noise(stats: PlaneStats, weights: NoiseWeights) -> tuple[NoiseKind, F32, float]:
    """Turn statistics into kind, levels float32 (3,) as in `Noise`, and severity.

    The network answers for the kind, sigma and the variance; impulses are counted, which is at
    the sampling floor already.
    """
    clean: tuple[NoiseKind, F32, float] = ("clean", np.zeros(3, np.float32), 0.0)
    odd = stats.low + stats.high + stats.other
    if stats.lit < MIN_LIT and odd < MIN_ODD * stats.pixels:
        return clean
    out = weights(stats.features)
    kind = NOISE_KINDS[int(out[:4].argmax())]
    if kind == "clean":
        return clean
    index = NOISE_KINDS.index(kind) - 1
    density = 2 * (stats.low + stats.high) / max(stats.visible, 1)
    levels = np.zeros(3, np.float32)
    levels[index] = density if kind == "salt_pepper" else np.exp(out[4 + index])
    if levels[index] < FLOORS[index]:
        return clean
    if kind == "salt_pepper":
        levels[0] = _sigma_beside_impulses(stats)
        return kind, levels, float(np.hypot(_impulse_rms(stats, density), levels[0]))
    if kind == "speckle":
        levels[2] = np.sqrt(levels[2])
    levels[1] = _density_beside(stats, kind, float(levels[2]))
    if not levels[1]:
        return kind, levels, float(np.exp(out[7]))
    # Impulses mislead the network's levels, but not the detail of the blocks without extremes.
    if kind == "gaussian":
        levels[0] = _detail_sigma(stats)
    light = float((GREY / 255) ** 2 @ stats.median_histogram) / stats.pixels
    other = levels[0] if kind == "gaussian" else levels[2] * np.sqrt(light)
    return kind, levels, float(np.hypot(other, _impulse_rms(stats, float(levels[1]))))


def _impulse_rms(stats: PlaneStats, density: float) -> float:
    """RMS of impulses, half of them black, on a picture with these medians."""
    m = GREY / 255
    mean = float((m**2 + (1 - m) ** 2) @ stats.median_histogram) / stats.pixels
    return float(np.sqrt(density / 2 * mean))


def _detail_sigma(stats: PlaneStats) -> float:
    """Gaussian sigma if all detail were noise: too large on texture, too small where it clips."""
    return stats.detail / (2 * MAD * 255)


def _sigma_beside_impulses(stats: PlaneStats) -> float:
    """Gaussian sigma of the pixels that are no impulses, 0 unless their detail is white."""
    sigma = _detail_sigma(stats)
    white = np.log((stats.coarse_detail + 0.5) / (stats.detail + 0.5)) < MAX_WHITENESS
    return sigma if white and sigma > FLOORS[0] else 0.0


def _density_beside(stats: PlaneStats, kind: NoiseKind, speckle: float) -> float:
    """Density of the impulses beyond those that clipped Gaussian or speckle noise explains.

    The tails around the medians overstate the extremes of pure noise: on FER2013 and photographs
    at sigma .1-.2 and variance .04-.16 they are 0.3-0.8 of it, hence EXPLAINED.

    Source: Bowling et al. 2009, "A logistic approximation to the cumulative normal distribution",
        Phi(z) = 1 / (1 + exp(-(1.5976 z + 0.07056 z^3))).
    """
    gaussian = kind == "gaussian"
    if gaussian and _detail_sigma(stats) > MAX_DETAIL:
        return 0.0
    sd = np.maximum(_detail_sigma(stats) * 255 if gaussian else speckle * GREY, 1)
    dark = (np.minimum(LOW + 0.5, GREY - FAR - 0.5) - GREY) / sd
    bright = (GREY - np.maximum(HIGH - 0.5, GREY + FAR + 0.5)) / sd
    z = np.maximum(np.stack([dark, bright]), -8)
    tails = (1 / (1 + np.exp(-1.5976 * z - 0.07056 * z**3))).sum(0)
    visible = max(stats.visible, 1)
    explained = 2 * float(tails @ stats.median_histogram) / visible
    density = 2 * (stats.low + stats.high) / visible
    if density < 1.3 * explained + MIN_SECOND:
        return 0.0
    return density - EXPLAINED * explained


class NoiseMeter:
    """Measures frame after frame and smooths: a label changes after `votes` of `window` frames.

    The first frame answers at once. Levels and severity are the medians of the frames that agree
    with the label, quality that of all frames of the window.

    Args:
        window: frames that are remembered.
        votes: how many of them a new label needs.
        weights: None for those that come with fervid.

    Raises:
        ValueError: `votes` is not a majority of `window`, so two labels could win.
    """

    def __init__(
        self, window: int = 5, votes: int = 3, weights: NoiseWeights | None = None
    ) -> None:
        if not window / 2 < votes <= window:
            raise ValueError(f"votes: expected a majority of {window} frames, got {votes}")
        self._votes, self._weights = votes, weights
        self._recent: deque[Noise] = deque(maxlen=window)
        self._said = Noise.clean()

    def reset(self) -> None:
        """Forget all frames, as at a cut or a new source."""
        self._recent.clear()

    def update(self, frame_image: U8) -> Noise:
        """Measure one frame and return the smoothed noise.

        Args:
            frame_image: as in `estimate_noise`.

        Raises:
            ValueError: not such an image.
        """
        return self.add(estimate_noise(frame_image, self._weights))

    def add(self, noise: Noise) -> Noise:
        """Take one frame's own noise and return the smoothed one."""
        kind = self._said.kind if self._recent else noise.kind
        self._recent.append(noise)
        leader, count = Counter(n.kind for n in self._recent).most_common(1)[0]
        if count >= self._votes:
            kind = leader
        agreeing = [n for n in self._recent if n.kind == kind] or [self._said]
        self._said = Noise(
            kind,
            np.median([n.levels for n in agreeing], 0).astype(np.float32),
            float(np.median([n.severity for n in agreeing])),
            np.median([n.quality for n in self._recent], 0).astype(np.float32),
        )
        return self._said
