"""What poor video suffers from beside the paper's three noises: settings to measure a model on.

TRAINED are families that the shipped recipe trains on (`train.augment.FAMILIES`). HELD_OUT are
those that nothing was trained on, tuned on or chosen by, fixed here beforehand. MIXTURES are two
faults at once, and noise that is enlarged or compressed after it was added. Where a family of
`fervid.corruptions` has a free choice (the direction of a motion) these take the one by which other
tools were measured, so that figures can be compared.

All functions are `f(face, level, rng) -> face` on uint8 (48, 48).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid import corruptions
from train.in_frame import h264
from train.robustness import Setting

U8 = NDArray[np.uint8]


def motion_blur(face: U8, length: float, rng: np.random.Generator) -> U8:
    """Smear over `length` pixels to the side."""
    kernel = np.full((1, int(length)), 1 / int(length), np.float32)
    return np.asarray(cv2.filter2D(face, -1, kernel), np.uint8)


def low_contrast(face: U8, factor: float, rng: np.random.Generator) -> U8:
    """Squeeze the contrast to a share `factor`, a little under mid-grey."""
    return np.asarray(face * np.float32(factor) + 90, np.uint8)


def few_colours(face: U8, greys: float, rng: np.random.Generator) -> U8:
    """Round to so many grey levels, without dithering."""
    steps = int(greys) - 1
    return np.asarray(np.rint(np.rint(face / 255 * steps) / steps * 255), np.uint8)


def h264_face(face: U8, crf: float, rng: np.random.Generator) -> U8:
    """A face that slides through a film of its own size, coded by x264 at `crf`."""
    return np.ascontiguousarray(h264(np.repeat(face[:, :, None], 3, 2), int(crf))[:, :, 1])


def half_size_after_gaussian(face: U8, sigma: float, rng: np.random.Generator) -> U8:
    """Gaussian noise on the face at twice the size, then reduced by area to 48 px."""
    twice = cv2.resize(face, (96, 96), interpolation=cv2.INTER_LINEAR)
    noisy = corruptions.gaussian(np.asarray(twice, np.uint8), sigma, rng)
    return np.asarray(cv2.resize(noisy, (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


def enlarged_after_gaussian(face: U8, sigma: float, rng: np.random.Generator) -> U8:
    """Gaussian noise on the face at half the size, then enlarged: noise that is no longer white."""
    half = cv2.resize(face, (24, 24), interpolation=cv2.INTER_AREA)
    noisy = corruptions.gaussian(np.asarray(half, np.uint8), sigma, rng)
    return np.asarray(cv2.resize(noisy, (48, 48), interpolation=cv2.INTER_LINEAR), np.uint8)


@dataclass(frozen=True, slots=True)
class Chain:
    """One corruption after another, each with its own level; the setting's level is not used."""

    parts: tuple[tuple[str, float], ...]

    def __call__(self, face: U8, level: float, rng: np.random.Generator) -> U8:
        """Apply them all."""
        for kind, amount in self.parts:
            face = corruptions.CORRUPTIONS[kind](face, amount, rng)
        return face


@dataclass(frozen=True, slots=True, eq=False)
class CameraNoise:
    """Noise of real cameras: differences float32 (P, H, W), luma, in grey levels.

    Source: Xu, Li, Liang, Zhang, Zhang 2018, "Real-world noisy image denoising: a new benchmark"
        (PolyU): a single shot less the mean of many.
    """

    differences: tuple[NDArray[np.float32], ...]

    def __call__(self, face: U8, strength: float, rng: np.random.Generator) -> U8:
        """Add a random piece of it, `strength` times as strong."""
        piece = self.differences[rng.integers(len(self.differences))]
        h, w = face.shape
        y, x = rng.integers(piece.shape[0] - h), rng.integers(piece.shape[1] - w)
        noise = np.float32(strength) * piece[y : y + h, x : x + w]
        return np.asarray(np.rint(np.clip(face + noise, 0, 255)), np.uint8)


def camera_noise(folder: Path) -> CameraNoise | None:
    """Read `*_real.JPG` with their `*_mean.JPG`; None where the folder holds none."""
    found = []
    for real in sorted(folder.glob("*_real.JPG")):
        mean = real.with_name(real.name.replace("_real", "_mean"))
        noisy, clean = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in (real, mean))
        if noisy is not None and clean is not None:
            found.append(noisy.astype(np.float32) - clean.astype(np.float32))
    return CameraNoise(tuple(found)) if found else None


TRAINED: Sequence[Setting] = (
    Setting(30, "jpeg", 30),
    Setting(31, "jpeg", 10),
    Setting(32, "half", 24, corruptions.pixelate),
    Setting(33, "third", 16, corruptions.pixelate),
    Setting(34, "motion", 5, motion_blur),
    Setting(35, "motion", 9, motion_blur),
    Setting(36, "darken", 0.25),
)
HELD_OUT: Sequence[Setting] = (
    Setting(40, "dark_shot", 0.1),
    Setting(41, "defocus", 2),
    Setting(42, "h264", 38, h264_face),
    Setting(43, "contrast", 0.3, low_contrast),
    Setting(44, "few_colours", 6, few_colours),
)
CAMERA_LEVELS = ((45, 1.0), (46, 4.0))
MIXTURES: Sequence[Setting] = (
    Setting(50, "gaussian .1 + s&p 5 %", 0, Chain((("gaussian", 0.1), ("salt_pepper", 0.05)))),
    Setting(51, "speckle .04 + s&p 5 %", 0, Chain((("speckle", 0.04), ("salt_pepper", 0.05)))),
    Setting(52, "gaussian .1 + speckle .04", 0, Chain((("speckle", 0.04), ("gaussian", 0.1)))),
    Setting(
        53, "quarter of the light + gaussian .05", 0, Chain((("darken", 0.25), ("gaussian", 0.05)))
    ),
    Setting(54, "24 px + gaussian .1", 0, Chain((("low_resolution", 24), ("gaussian", 0.1)))),
    Setting(55, "gaussian .1, then jpeg 50", 0, Chain((("gaussian", 0.1), ("jpeg", 50)))),
    Setting(56, "gaussian .2, then half size", 0.2, half_size_after_gaussian),
    Setting(57, "gaussian .1, then enlarged", 0.1, enlarged_after_gaussian),
)


def held_out(camera: CameraNoise | None) -> tuple[Setting, ...]:
    """The held-out families; real camera noise among them where its pictures are at hand."""
    if camera is None:
        return tuple(HELD_OUT)
    return (*HELD_OUT, *(Setting(n, "camera", level, camera) for n, level in CAMERA_LEVELS))
