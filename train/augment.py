"""One training picture: geometry, light, faults of video, noise, filter, network input.

The order is that of the world and of the test: what happens before the camera, in the camera,
and in fervid. Every draw comes from a generator seeded by (seed, pass, image), so a run that is
resumed sees exactly the pictures it would have seen.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid import corruptions
from fervid.crops import prepare
from fervid.filters import FilterName, FilterSet, get_filter

U8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Probabilities and ranges; all angles in degrees, shifts and scales as shares of the face.

    `noise` and `faults` are the shares of images with one of the paper's noises and with another
    fault; `native` is the share of the noisy images simulated at a face larger than 48 px, up to
    `native_px`; `filtered` is the share of noisy images that pass the matching filter.
    """

    flip: float = 0.5
    rotation: float = 10.0
    shift: float = 0.08
    scale: float = 0.15
    light: float = 0.5
    noise: float = 0.3
    faults: float = 0.15
    native: float = 0.3
    native_px: int = 160
    filtered: float = 0.5
    erase: float = 0.0


def augment(
    image: U8, px: int, config: AugmentConfig, rng: np.random.Generator
) -> tuple[U8, float]:
    """Make one training picture.

    Args:
        image: uint8 (48, 48).
        px: side of the network's input.
        config: what may happen.
        rng: this picture's own generator.

    Returns:
        uint8 (px, px), and its eta: RMS noise left in it, measured against the same picture
        without noise.
    """
    fate = rng.random()
    noisy = fate < config.noise
    native = 48
    if noisy and rng.random() < config.native:
        native = int(48 * (config.native_px / 48) ** rng.random())
    face = _geometry(image, native, config, rng)
    if rng.random() < config.light:
        face = _light(face, rng)
    if not noisy:
        if fate < config.noise + config.faults:
            face = _fault(face, rng)
        return to_input(_erase(face, config, rng), px), 0.0
    if rng.random() < 0.1:
        face = _fault(face, rng)
    kind, level = _draw_noise(rng)
    dirty = corruptions.CORRUPTIONS[kind](face, level, rng)
    name, family = _draw_filter(kind, config, rng)
    strength = float(np.sqrt(np.mean((dirty.astype(np.float32) - face) ** 2))) / 255
    clean, dirty = (prepare(x, px, get_filter(name, family), strength) for x in (face, dirty))
    eta = float(np.sqrt(np.mean((dirty.astype(np.float32) - clean) ** 2))) / 255
    return dirty, eta


def _geometry(image: U8, native: int, config: AugmentConfig, rng: np.random.Generator) -> U8:
    scale = native / 48 * np.exp(rng.uniform(-config.scale, config.scale))
    turn = cv2.getRotationMatrix2D(
        (23.5, 23.5), float(rng.uniform(-config.rotation, config.rotation)), scale
    )
    shift = rng.uniform(-config.shift, config.shift, 2) * native
    turn[:, 2] = turn[:, 2] + (native - 48) / 2 + shift
    if rng.random() < config.flip:
        image = np.ascontiguousarray(image[:, ::-1])
    warped = cv2.warpAffine(
        image, turn, (native, native), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, np.uint8)


def _light(face: U8, rng: np.random.Generator) -> U8:
    gain, gamma = np.exp(rng.uniform(-0.35, 0.35)), np.exp(rng.uniform(-0.35, 0.35))
    table = 255 * np.clip(gain * (np.arange(256) / 255) ** gamma, 0, 1)
    return np.asarray(cv2.LUT(face, np.rint(table).astype(np.uint8)), np.uint8)


def _fault(face: U8, rng: np.random.Generator) -> U8:
    """One of the faults of ordinary video, its size in proportion to the face."""
    unit = len(face) / 48
    match rng.integers(6):
        case 0:
            return corruptions.jpeg(face, rng.uniform(8, 60), rng)
        case 1:
            return corruptions.low_resolution(face, rng.uniform(14, 40), rng)
        case 2:
            return corruptions.defocus(face, unit * rng.uniform(0.3, 2.0), rng)
        case 3:
            return corruptions.motion_blur(face, unit * rng.uniform(3, 7), rng)
        case 4:
            return corruptions.low_contrast(face, rng.uniform(0.25, 0.8), rng)
        case _:
            return corruptions.darken(face, rng.uniform(0.12, 0.8), rng)


def _draw_noise(rng: np.random.Generator) -> tuple[str, float]:
    """Kind and level, a little past the paper's levels."""
    kind = ("gaussian", "salt_pepper", "speckle")[rng.integers(3)]
    top = {"gaussian": 0.35, "salt_pepper": 0.10, "speckle": 0.10}[kind]
    return kind, float(rng.uniform(0.05 * top, top))


def _draw_filter(
    kind: str, config: AugmentConfig, rng: np.random.Generator
) -> tuple[FilterName, FilterSet]:
    if rng.random() >= config.filtered:
        return "none", "tuned"
    family: FilterSet = "paper-table3" if rng.random() < 0.3 else "tuned"
    match kind:
        case "salt_pepper":
            return "median", family
        case "speckle" if rng.random() < 0.5:
            return "bilateral", family
        case _:
            return "gaussian", family


def to_input(face: U8, px: int) -> U8:
    """Resize to the network's input, as an unfiltered crop is."""
    return prepare(face, px, get_filter("none"), 0.0)


def _erase(face: U8, config: AugmentConfig, rng: np.random.Generator) -> U8:
    """Cover a random rectangle with grey, as a hand or a caption would."""
    if rng.random() >= config.erase:
        return face
    n = len(face)
    h, w = (int(n * s) for s in rng.uniform(0.15, 0.4, 2))
    y, x = rng.integers(n - h), rng.integers(n - w)
    covered = face.copy()
    covered[y : y + h, x : x + w] = rng.integers(256)
    return covered
