"""The paper's noises and the faults of real video: functions `f(image, level, rng) -> image`.

Images are uint8, (H, W) or (H, W, 3); levels are on the 0-1 scale; the result is clipped and
rounded to 8 bits. Gaussian and speckle noise are drawn per channel, impulses hit all channels of a
pixel. Every draw comes from the generator that the
caller passes, so a seeded generator gives the same picture again.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Corruption = Callable[[U8, float, np.random.Generator], U8]


def _to8(x: NDArray[np.floating]) -> U8:
    return np.asarray(np.rint(np.clip(x, 0, 1) * 255), np.uint8)


def _normal(image: U8, rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal(image.shape, np.float32)


def gaussian(image: U8, sigma: float, rng: np.random.Generator) -> U8:
    """Add Gaussian noise of standard deviation `sigma`."""
    return _to8(image.astype(np.float32) / 255 + np.float32(sigma) * _normal(image, rng))


def salt_pepper(image: U8, density: float, rng: np.random.Generator) -> U8:
    """Set a share `density` of the pixels to black or white, half each."""
    u = rng.random(image.shape[:2], np.float32)
    noisy = image.copy()
    noisy[u < density / 2] = 0
    noisy[u > 1 - density / 2] = 255
    return noisy


def speckle(image: U8, variance: float, rng: np.random.Generator) -> U8:
    """Multiplicative noise: x + x N(0, variance)."""
    x = image.astype(np.float32) / 255
    return _to8(x + x * np.float32(np.sqrt(variance)) * _normal(image, rng))


def jpeg(image: U8, quality: float, rng: np.random.Generator) -> U8:
    """Compress as JPEG of this quality, 1-100."""
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    flag = cv2.IMREAD_GRAYSCALE if image.ndim == 2 else cv2.IMREAD_COLOR
    return np.asarray(cv2.imdecode(coded, flag), np.uint8)


def low_resolution(image: U8, px: float, rng: np.random.Generator) -> U8:
    """Shrink by area to a height of `px` and enlarge again."""
    h, w = image.shape[:2]
    small = (max(1, round(w * px / h)), max(1, round(px)))
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def pixelate(image: U8, px: float, rng: np.random.Generator) -> U8:
    """Shrink by area to a height of `px` and enlarge to blocks, by area again."""
    h, w = image.shape[:2]
    small = (max(1, round(w * px / h)), max(1, round(px)))
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (w, h), interpolation=cv2.INTER_AREA), np.uint8)


def motion_blur(image: U8, length: float, rng: np.random.Generator) -> U8:
    """Smear over `length` pixels in a random direction."""
    n = max(2, round(length)) | 1
    kernel = np.zeros((n, n), np.float32)
    kernel[n // 2] = 1
    turn = cv2.getRotationMatrix2D((n // 2, n // 2), float(rng.uniform(0, 180)), 1)
    turned = cv2.warpAffine(kernel, turn, (n, n))
    return np.asarray(cv2.filter2D(image, -1, turned / turned.sum()), np.uint8)


def defocus(image: U8, sigma: float, rng: np.random.Generator) -> U8:
    """Blur with a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def darken(image: U8, factor: float, rng: np.random.Generator) -> U8:
    """Leave a share `factor` of the light."""
    return (image * np.float32(factor)).astype(np.uint8)


def dark_shot(image: U8, factor: float, rng: np.random.Generator) -> U8:
    """Leave a share `factor` of the light with the shot noise of half a photon per grey level."""
    photons = rng.poisson(image * (factor * 0.5))
    return np.clip(photons / 0.5, 0, 255).astype(np.uint8)


def low_contrast(image: U8, factor: float, rng: np.random.Generator) -> U8:
    """Squeeze the contrast to a share `factor` around mid-grey."""
    return _to8((image.astype(np.float32) / 255 - 0.5) * np.float32(factor) + 0.5)


CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian": gaussian,
    "salt_pepper": salt_pepper,
    "speckle": speckle,
    "jpeg": jpeg,
    "low_resolution": low_resolution,
    "pixelate": pixelate,
    "motion_blur": motion_blur,
    "defocus": defocus,
    "darken": darken,
    "dark_shot": dark_shot,
    "low_contrast": low_contrast,
}

# The nine settings of the paper (its section 3): sigma, density, variance.
PAPER_LEVELS: Mapping[str, tuple[float, float, float]] = {
    "gaussian": (0.1, 0.2, 0.3),
    "salt_pepper": (0.02, 0.05, 0.08),
    "speckle": (0.04, 0.06, 0.08),
}
