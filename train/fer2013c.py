"""FER2013-C: FER2013's faces under 15 corruptions at five severities, as ImageNet-C has them.

Pure functions of a grey picture, a severity and a generator; every draw comes from a generator
seeded by (seed, number of the corruption, severity, image), so with the same releases of numpy and
OpenCV anybody gets the same pictures. No picture is published: `python -m train fer2013c generate`
makes them from FER2013 itself.

Levels lie midway between CIFAR-10-C's (32 px) and ImageNet-64x64-C's (64 px), as 48 px do;
darkness, which neither has, is this benchmark's own. Snow, frost, fog, spatter and saturate are
left out: they are weather and colour.

Source: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions
    and perturbations", arXiv 1903.12261.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid import corruptions
from fervid.corruptions import Corruption
from fervid.records import F32
from train.augment import FAMILIES, KINDS

U8 = NDArray[np.uint8]
Group = Literal["noise", "blur", "digital"]

VERSION = 1  # changes whenever a picture of any severity does
SEVERITIES = (1, 2, 3, 4, 5)
ELASTIC_PX = 2.4  # over which elastic's shifts agree: ImageNet-64x64-C's 1.9-5.1 px on 48 px
ZOOM_STEP = 0.01
FINE = 16  # points a pixel in which a kernel is drawn

# What training does to every picture in the name of light: gain and gamma of .7-1.4.
JITTER = "light"
TRAINED = frozenset((*FAMILIES, *KINDS, JITTER))


@dataclass(frozen=True, slots=True)
class Fault:
    """A corruption of the benchmark.

    Attributes:
        number: seeds its draws and never changes.
        group: as in ImageNet-C.
        kin: the fault in fervid's training that is nearest, by its name there; empty: none.
        unit: what the levels are.
        levels: of severity 1 to 5.
        apply: makes the picture: uint8 (H, W), level, generator -> uint8 (H, W).
    """

    number: int
    group: Group
    kin: str
    unit: str
    levels: tuple[float, float, float, float, float]
    apply: Corruption

    @property
    def trained(self) -> bool:
        """Whether the shipped model has seen its like in training."""
        return self.kin in TRAINED

    def __call__(self, image: U8, severity: int, rng: np.random.Generator) -> U8:
        """The picture uint8 (H, W) at a severity of 1 to 5.

        Raises:
            ValueError: there is no such severity, or the picture is not grey with 8 bits.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"severity: expected 1 to 5, got {severity}")
        if image.ndim != 2 or image.dtype != np.uint8:
            raise ValueError(f"image: expected uint8 (H, W), got {image.dtype} {image.shape}")
        return self.apply(image, self.levels[severity - 1], rng)


def _rounded(image: NDArray[Any]) -> U8:
    """Grey levels 0-255, clipped and rounded to 8 bits."""
    return np.asarray(np.rint(np.clip(image, 0, 255)), np.uint8)


def shot_noise(image: U8, photons: float, rng: np.random.Generator) -> U8:
    """Count light in a sensor that white fills with `photons`."""
    return _rounded(rng.poisson(image * (photons / 255)) * (255 / photons))


def speckle_noise(image: U8, sigma: float, rng: np.random.Generator) -> U8:
    """Multiplicative noise: x + x N(0, sigma^2)."""
    return corruptions.speckle(image, sigma**2, rng)


def defocus_blur(image: U8, radius: float, rng: np.random.Generator) -> U8:
    """Spread every point over a disk of `radius` pixels, as an open lens does."""
    n = 2 * int(np.ceil(radius)) + 1
    at = (np.arange(n * FINE) + 0.5) / FINE - n / 2
    inside = np.hypot(at[:, None], at) <= radius
    kernel = inside.reshape(n, FINE, n, FINE).mean((1, 3))
    return _filtered(image, kernel)


def motion_blur(image: U8, length: float, rng: np.random.Generator) -> U8:
    """Smear evenly along `length` pixels in a random direction."""
    n = 2 * int(np.ceil(length / 2)) + 1
    angle = rng.uniform(0, np.pi)
    at = (np.arange(n * FINE) + 0.5) / (n * FINE) * length - length / 2
    columns, rows = (_shares(at * way, n) for way in (np.cos(angle), np.sin(angle)))
    return _filtered(image, rows.T @ columns)


def _shares(at: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Linear shares (P, n) of points (P,), 0 being the middle, in n pixels."""
    apart = np.abs(at[:, None] - (np.arange(n) - n // 2))
    return np.asarray(np.maximum(0, 1 - apart), np.float64)


def _filtered(image: U8, kernel: NDArray[np.float64]) -> U8:
    unit = (kernel / kernel.sum()).astype(np.float32)
    blurred = cv2.filter2D(image.astype(np.float32), -1, unit, borderType=cv2.BORDER_REFLECT_101)
    return _rounded(blurred)


def zoom_blur(image: U8, zoom: float, rng: np.random.Generator) -> U8:
    """Zoom in from 1 to `zoom` while the shutter is open."""
    h, w = image.shape
    total = image.astype(np.float32)
    steps = np.arange(1, zoom + ZOOM_STEP / 2, ZOOM_STEP)
    for step in steps:
        turn = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), 0, float(step))
        total = total + cv2.warpAffine(image.astype(np.float32), turn, (w, h))
    return _rounded(total / (len(steps) + 1))


def glass_blur(image: U8, spread: float, rng: np.random.Generator) -> U8:
    """Scatter pixels by `spread` (RMS of each coordinate) behind rough glass, and soften.

    ImageNet-C swaps neighbours one after the other; here each pixel looks at a random neighbour,
    which scatters as far and takes one draw.
    """
    shifts = rng.standard_normal((2, *image.shape), np.float32) * np.float32(spread)
    scattered = _shifted(image, shifts)
    return _rounded(cv2.GaussianBlur(scattered, (0, 0), spread / 2))


def elastic(image: U8, shift: float, rng: np.random.Generator) -> U8:
    """Warp by smooth random shifts of RMS `shift` pixels in each coordinate.

    ImageNet-C's random affine map before it is left out: training has such maps, and they trade
    against the warp from severity to severity.
    """
    noise = rng.standard_normal((2, *image.shape), np.float32)
    smooth = np.stack([cv2.GaussianBlur(part, (0, 0), ELASTIC_PX) for part in noise])
    rms = np.sqrt(np.mean(smooth**2, (1, 2), keepdims=True))
    return _rounded(_shifted(image, smooth * (np.float32(shift) / rms)))


def _shifted(image: U8, shifts: F32) -> F32:
    """The picture where every pixel looks `shifts` (2, H, W), x and y, away; float32 (H, W)."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    how, border = cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101
    moved = cv2.remap(image.astype(np.float32), x + shifts[0], y + shifts[1], how, None, border)
    return np.asarray(moved, np.float32)


def brightness(image: U8, plus: float, rng: np.random.Generator) -> U8:
    """Add `plus`, 0-1, to every pixel."""
    return _rounded(image + 255 * plus)


def contrast(image: U8, factor: float, rng: np.random.Generator) -> U8:
    """Squeeze the contrast to a share `factor` around the picture's mean."""
    return _rounded((image - image.mean()) * factor + image.mean())


def pixelate(image: U8, share: float, rng: np.random.Generator) -> U8:
    """Shrink both sides to a `share` by area and enlarge in blocks."""
    h, w = image.shape
    size = max(1, round(w * share)), max(1, round(h * share))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


FAULTS: Mapping[str, Fault] = {
    "gaussian_noise": Fault(
        1, "noise", "gaussian", "sigma, 0-1", (0.04, 0.07, 0.10, 0.12, 0.14), corruptions.gaussian
    ),
    "shot_noise": Fault(2, "noise", "", "photons at white", (350, 160, 70, 45, 27), shot_noise),
    "impulse_noise": Fault(
        3,
        "noise",
        "salt_pepper",
        "density",
        (0.01, 0.02, 0.04, 0.065, 0.10),
        corruptions.salt_pepper,
    ),
    "speckle_noise": Fault(
        4, "noise", "speckle", "sigma, 0-1", (0.10, 0.15, 0.18, 0.23, 0.28), speckle_noise
    ),
    "defocus_blur": Fault(
        5, "blur", "defocus", "radius, px", (0.7, 1.0, 1.3, 1.75, 2.25), defocus_blur
    ),
    "glass_blur": Fault(6, "blur", "", "spread, px", (0.4, 0.55, 0.7, 0.9, 1.2), glass_blur),
    "motion_blur": Fault(
        7, "blur", "motion_blur", "length, px", (2.0, 3.0, 4.0, 5.0, 6.0), motion_blur
    ),
    "zoom_blur": Fault(8, "blur", "", "zoom", (1.05, 1.10, 1.15, 1.20, 1.25), zoom_blur),
    "gaussian_blur": Fault(
        9, "blur", "defocus", "sigma, px", (0.45, 0.68, 0.85, 1.0, 1.25), corruptions.defocus
    ),
    "brightness": Fault(
        10, "digital", JITTER, "added, 0-1", (0.08, 0.15, 0.22, 0.30, 0.40), brightness
    ),
    "darkness": Fault(
        11, "digital", "darken", "light left", (0.60, 0.40, 0.25, 0.15, 0.10), corruptions.darken
    ),
    "contrast": Fault(
        12, "digital", "low_contrast", "contrast left", (0.55, 0.40, 0.28, 0.17, 0.09), contrast
    ),
    "elastic": Fault(13, "digital", "", "shift, px", (0.2, 0.35, 0.5, 0.65, 0.8), elastic),
    "pixelate": Fault(
        14, "digital", "low_resolution", "side left", (0.92, 0.85, 0.77, 0.67, 0.57), pixelate
    ),
    "jpeg": Fault(15, "digital", "jpeg", "quality", (72, 61, 54, 45, 32), corruptions.jpeg),
}


def corrupt(image: U8, name: str, severity: int, seed: int, index: int) -> U8:
    """A picture of the benchmark.

    Args:
        image: uint8 (48, 48).
        name: of the corruption.
        severity: 1 to 5.
        seed: of the benchmark; 0 is what is reported.
        index: of the image in its split.
    """
    fault = FAULTS[name]
    return fault(image, severity, np.random.default_rng((seed, fault.number, severity, index)))
