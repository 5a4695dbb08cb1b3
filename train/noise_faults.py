"""What noise meets on its way to a file: compression, another size, darkness, other noise.

The noise estimator reads noise that is still per pixel. These are the conditions under which it is
not, or not alone; `noise-check` says what it answers there and `noise-harm` what that costs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.corruptions import CORRUPTIONS, darken, jpeg
from train.h264 import last_coded
from train.robustness import CLEAN, NOISY, Setting

U8 = NDArray[np.uint8]
# Puts noise on a picture; the number draws a field of its own.
Add = Callable[[U8, int], U8]

FIELDS = 3  # pictures of the H.264 clip: the same scene, fresh noise in each


@dataclass(frozen=True, slots=True)
class Mix:
    """Noises one after the other; `number` seeds them and never changes. None at all: clean."""

    number: int
    parts: tuple[Setting, ...]

    @property
    def name(self) -> str:
        """For tables."""
        return " + ".join(part.name for part in self.parts) or CLEAN.name


@dataclass(frozen=True, slots=True)
class Fault:
    """A way of a picture from the sensor to the file; `number` seeds and never changes."""

    number: int
    name: str
    apply: Callable[[U8, Add], U8]


def _as_added(picture: U8, add: Add) -> U8:
    return add(picture, 0)


def _coded(picture: U8, add: Add, crf: int) -> U8:
    """H.264 of a still scene; the size must be even."""
    clip = [add(picture, number) for number in range(FIELDS)]
    if picture.ndim == 3:
        return last_coded(clip, crf)
    coded = last_coded(
        [np.asarray(cv2.cvtColor(p, cv2.COLOR_GRAY2BGR), np.uint8) for p in clip], crf
    )
    return np.asarray(cv2.cvtColor(coded, cv2.COLOR_BGR2GRAY), np.uint8)


def _compressed(picture: U8, add: Add, quality: int) -> U8:
    return jpeg(add(picture, 0), quality, np.random.default_rng(0))  # draws nothing


def _at_another_size(picture: U8, add: Add, factor: float) -> U8:
    """Noise at `factor` times the size, then back to the picture's own."""
    h, w = picture.shape[:2]
    size = (round(w * factor), round(h * factor))
    ways = (cv2.INTER_CUBIC, cv2.INTER_AREA) if factor > 1 else (cv2.INTER_AREA, cv2.INTER_LINEAR)
    there = np.asarray(cv2.resize(picture, size, interpolation=ways[0]), np.uint8)
    return np.asarray(cv2.resize(add(there, 0), (w, h), interpolation=ways[1]), np.uint8)


def _in_the_dark(picture: U8, add: Add, factor: float) -> U8:
    return add(darken(picture, factor, np.random.default_rng(0)), 0)  # draws nothing


AS_ADDED = Fault(0, "as added", _as_added)
FAULTS = (
    Fault(1, "H.264 crf 23", partial(_coded, crf=23)),
    Fault(2, "H.264 crf 28", partial(_coded, crf=28)),
    Fault(3, "H.264 crf 35", partial(_coded, crf=35)),
    Fault(4, "half size", partial(_at_another_size, factor=2)),
    Fault(5, "double size", partial(_at_another_size, factor=0.5)),
    Fault(6, "JPEG 90", partial(_compressed, quality=90)),
    Fault(7, "JPEG 75", partial(_compressed, quality=75)),
    Fault(8, "JPEG 50", partial(_compressed, quality=50)),
    Fault(9, "a quarter of the light", partial(_in_the_dark, factor=0.25)),
)

_WEAK = {setting.name: setting for setting in NOISY}
NO_NOISE = Mix(0, ())
SINGLE = tuple(Mix(setting.number, (setting,)) for setting in NOISY[1::3])  # the middle levels
MIXED = (
    Mix(11, (_WEAK["gaussian 0.1"], _WEAK["salt_pepper 0.05"])),
    Mix(12, (_WEAK["speckle 0.04"], _WEAK["gaussian 0.1"])),
    Mix(13, (_WEAK["speckle 0.04"], _WEAK["salt_pepper 0.05"])),
)
CONDITIONS: tuple[tuple[Fault, Mix], ...] = (
    *((fault, mix) for fault in FAULTS for mix in (NO_NOISE, *SINGLE)),
    *((AS_ADDED, mix) for mix in MIXED),
)


def spoiled(picture: U8, fault: Fault, mix: Mix, seed: int, *place: int) -> tuple[U8, U8]:
    """The picture under a fault without and with the noise; both as large as it is.

    Args:
        picture: uint8 (H, W) or BGR (H, W, 3), clean, H and W even.
        fault: what happens to the picture.
        mix: the noise in it.
        seed: of the noise, together with fault, mix and place.
        place: which picture it is.
    """

    def add(clean: U8, field: int) -> U8:
        for step, part in enumerate(mix.parts):
            rng = np.random.default_rng((seed, fault.number, mix.number, *place, field, step))
            clean = CORRUPTIONS[part.kind](clean, part.level, rng)
        return clean

    without = fault.apply(picture, lambda clean, field: clean)
    return without, fault.apply(picture, add) if mix.parts else without
