"""One training picture: geometry, light, faults of video, noise, filter, network input.

The order is that of the world and of the test: what happens before the camera, in the camera,
and in fervid. Every draw comes from a generator seeded by (seed, pass, image), so a run that is
resumed sees exactly the pictures it would have seen.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid import corruptions
from fervid.card import ModelCard
from fervid.crops import prepare, residual_noise
from fervid.filters import FilterName, FilterSet, choose_filter, get_filter
from fervid.noise import estimate_noise
from fervid.records import Noise

U8 = NDArray[np.uint8]

# train/faults.py has what is measured without ever having been trained or tuned on.
FAMILIES = ("jpeg", "low_resolution", "pixelate", "motion_blur", "darken")
KINDS = ("gaussian", "salt_pepper", "speckle")
FAULT_LEVELS = {
    "jpeg": (8, 60),
    "low_resolution": (14, 40),
    "pixelate": (14, 40),
    "defocus": (0.3, 2.0),
    "motion_blur": (3, 9),
    "low_contrast": (0.25, 0.8),
    "darken": (0.12, 0.8),
}
PAPER_FILTERS = 0.3  # share of the filters that are the paper's instead of the tuned ones


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Probabilities and ranges; all angles in degrees, shifts and scales as shares of the face.

    `noise` and `faults` are the shares of images with one of the paper's noises and with another
    fault; `kinds` and `families` are what each is drawn from, evenly, a name once for every share
    it has. `native` is the share of the noisy images simulated at a face larger than 48 px, up to
    `native_px`; `filtered` is the share of noisy images that pass the matching filter. With
    `estimated` filter and eta come from the run time's own estimate of the noise in the picture,
    errors and all, and from the true noise without.
    """

    flip: float = 0.5
    rotation: float = 10.0
    shift: float = 0.08
    scale: float = 0.15
    light: float = 0.5
    noise: float = 0.3
    kinds: tuple[str, ...] = KINDS
    faults: float = 0.15
    families: tuple[str, ...] = FAMILIES
    native: float = 0.3
    native_px: int = 160
    filtered: float = 0.5
    estimated: bool = False
    erase: float = 0.0


class View(NamedTuple):
    """One training picture.

    As seen and without noise and faults, uint8 (px, px); the eta of what is seen; and what the run
    time says of the picture (`about`), six zeros unless `estimated`.
    """

    seen: U8
    clean: U8
    eta: float
    about: tuple[float, ...] = (0.0,) * 6


def augment(image: U8, px: int, config: AugmentConfig, rng: np.random.Generator) -> View:
    """Make one training picture.

    Args:
        image: uint8 (48, 48).
        px: side of the network's input.
        config: what may happen.
        rng: this picture's own generator.

    Returns:
        The picture, the same one without noise and faults, and eta: the RMS noise left in it,
        measured against itself without noise or, if `estimated`, as fervid estimates it.
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
        dirty = _fault(face, config, rng) if fate < config.noise + config.faults else face
        if config.estimated:
            dirty, clean = _erase((dirty, face), config, rng)
            return _estimated(dirty, to_input(clean, px), config, rng)
        seen, clean = _erase((to_input(dirty, px), to_input(face, px)), config, rng)
        return View(seen, clean, 0.0)
    before = _fault(face, config, rng) if rng.random() < 0.1 else face
    kind, level = _draw_noise(config, rng)
    dirty = corruptions.CORRUPTIONS[kind](before, level, rng)
    clean = to_input(face, px)
    if config.estimated:
        return _estimated(dirty, clean, config, rng)
    name, family = _draw_filter(kind, config, rng)
    strength = float(np.sqrt(np.mean((dirty.astype(np.float32) - before) ** 2))) / 255
    rest, seen = (prepare(x, px, get_filter(name, family), strength) for x in (before, dirty))
    return View(seen, clean, float(np.sqrt(np.mean((seen.astype(np.float32) - rest) ** 2))) / 255)


def _estimated(dirty: U8, clean: U8, config: AugmentConfig, rng: np.random.Generator) -> View:
    """A picture's way through fervid: noise estimate, filter (or none), resize, eta."""
    noise, card = estimate_noise(dirty), _card(len(clean))
    name: FilterName = "none"
    family: FilterSet = "tuned"
    if noise.kind != "clean" and rng.random() < config.filtered:
        name = choose_filter(noise)
        family = "paper-table3" if rng.random() < PAPER_FILTERS else "tuned"
    seen = prepare(dirty, len(clean), get_filter(name, family), noise.severity)
    eta = residual_noise(noise, name, len(dirty), card, family, luma_gain=1.0)
    return View(seen, clean, min(eta, card.eta_max), about(noise))


def about(noise: Noise) -> tuple[float, ...]:
    """What an estimate says: the three noises' levels, then blocking, blur and darkness."""
    return (*map(float, noise.levels), *map(float, noise.quality))


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


def _fault(face: U8, config: AugmentConfig, rng: np.random.Generator) -> U8:
    """One of the faults of ordinary video, its size in proportion to the face."""
    unit = len(face) / 48
    family = config.families[rng.integers(len(config.families))]
    low, high = FAULT_LEVELS[family]
    level = rng.uniform(low, high) * (unit if family in ("defocus", "motion_blur") else 1)
    return corruptions.CORRUPTIONS[family](face, level, rng)


def _draw_noise(config: AugmentConfig, rng: np.random.Generator) -> tuple[str, float]:
    """Kind and level, a little past the paper's levels."""
    kind = config.kinds[rng.integers(len(config.kinds))]
    top = {"gaussian": 0.35, "salt_pepper": 0.10, "speckle": 0.10}[kind]
    return kind, float(rng.uniform(0.05 * top, top))


def _draw_filter(
    kind: str, config: AugmentConfig, rng: np.random.Generator
) -> tuple[FilterName, FilterSet]:
    if rng.random() >= config.filtered:
        return "none", "tuned"
    family: FilterSet = "paper-table3" if rng.random() < PAPER_FILTERS else "tuned"
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


def _erase(faces: tuple[U8, U8], config: AugmentConfig, rng: np.random.Generator) -> tuple[U8, U8]:
    """Cover the same random rectangle with grey, as a hand or a caption would."""
    if rng.random() >= config.erase:
        return faces
    n = len(faces[0])
    h, w = (int(n * s) for s in rng.uniform(0.15, 0.4, 2))
    y, x = rng.integers(n - h), rng.integers(n - w)
    grey = rng.integers(256)
    covered = faces[0].copy(), faces[1].copy()
    for face in covered:
        face[y : y + h, x : x + w] = grey
    return covered


@lru_cache(maxsize=8)
def _card(px: int) -> ModelCard:
    """What `residual_noise` wants to know: the picture is the crop region itself."""
    return ModelCard(name="training", classes=("any", "other"), input_px=px, crop_scale=1.0)
