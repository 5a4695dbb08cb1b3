"""Filters against noise and blocks: pure functions, the paper's two sets of them and a tuned one.

The paper gives its parameters twice and differently (Table 1 and Table 3), so both are kept by
name. `tuned` adapts the strength to the level; its measured reasons are in docs/decisions.md.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.errors import ConfigError
from fervid.records import FilterReason, Noise

U8 = NDArray[np.uint8]
Filter = Callable[[U8, float], U8]
FilterName = Literal["none", "gaussian", "median", "bilateral", "deblock"]
FilterSet = Literal["tuned", "paper-table1", "paper-table3"]

BLOCKED = 0.4  # measured blocking from which a clean frame counts as blocked
IMPULSE_STEP = 20  # grey levels between an impulse and the median around it


def no_filter(image: U8, level: float) -> U8:
    """Return the image as it is."""
    return image


def gaussian_3x3(image: U8, level: float) -> U8:
    """Gaussian blur 3x3, sigma 1 (the paper's Table 1)."""
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 1.0), np.uint8)


def gaussian_5x5(image: U8, level: float) -> U8:
    """Gaussian blur 5x5, sigma 1 (the paper's Table 3)."""
    return np.asarray(cv2.GaussianBlur(image, (5, 5), 1.0), np.uint8)


def gaussian_by_level(image: U8, level: float) -> U8:
    """Gaussian blur whose sigma in pixels grows with the noise.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        level: RMS noise, 0-1. Interpolates the best widths for 48 px faces (docs/decisions.md).
    """
    width = float(np.interp(level, (0.02, 0.05, 0.1, 0.2, 0.3), (0.4, 0.5, 0.7, 1.0, 1.2)))
    return np.asarray(cv2.GaussianBlur(image, (5, 5), width), np.uint8)


def median_3x3(image: U8, level: float) -> U8:
    """Median 3x3 (both of the paper's tables)."""
    return np.asarray(cv2.medianBlur(image, 3), np.uint8)


def impulse_median(image: U8, level: float) -> U8:
    """Median 3x3 at impulses only: black or white pixels far from their neighbourhood."""
    middle = cv2.medianBlur(image, 3)
    extreme = (image <= 2) | (image >= 253)
    impulse = extreme & (cv2.absdiff(image, middle) > IMPULSE_STEP)
    return np.asarray(np.where(impulse, middle, image), np.uint8)


def bilateral_5(image: U8, level: float) -> U8:
    """Bilateral d=5, 75, 75 (the paper's Table 1)."""
    return np.asarray(cv2.bilateralFilter(image, 5, 75, 75), np.uint8)


def bilateral_9(image: U8, level: float) -> U8:
    """Bilateral d=9, 75, 75 (the paper's Table 3)."""
    return np.asarray(cv2.bilateralFilter(image, 9, 75, 75), np.uint8)


def bilateral_by_level(image: U8, level: float) -> U8:
    """Bilateral d=9 with a space sigma of 1 px and a colour sigma that grows with the noise."""
    colour = float(np.interp(level, (0.05, 0.1, 0.2), (40, 90, 150)))
    return np.asarray(cv2.bilateralFilter(image, 9, colour, 1.0), np.uint8)


def deblock(image: U8, level: float) -> U8:
    """Bilateral d=5, 30, 1.5: smooths the small steps between blocks of JPEG or video codecs.

    `fervid.crops` leaves larger faces than the network's input as they are.
    """
    return np.asarray(cv2.bilateralFilter(image, 5, 30, 1.5), np.uint8)


FILTERS: Mapping[FilterSet, Mapping[FilterName, Filter]] = {
    "tuned": {
        "none": no_filter,
        "gaussian": gaussian_by_level,
        "median": impulse_median,
        "bilateral": bilateral_by_level,
        "deblock": deblock,
    },
    "paper-table1": {
        "none": no_filter,
        "gaussian": gaussian_3x3,
        "median": median_3x3,
        "bilateral": bilateral_5,
        "deblock": deblock,
    },
    "paper-table3": {
        "none": no_filter,
        "gaussian": gaussian_5x5,
        "median": median_3x3,
        "bilateral": bilateral_9,
        "deblock": deblock,
    },
}

# The paper's pairing of noise and filter (its section 3.2).
PAPER_CHOICE: Mapping[str, FilterName] = {
    "clean": "none",
    "gaussian": "gaussian",
    "salt_pepper": "median",
    "speckle": "bilateral",
}
# And what measurably helps the network that comes with fervid (docs/decisions.md, "Remedies").
TUNED_CHOICE: Mapping[str, FilterName] = {**PAPER_CHOICE, "blocked": "deblock"}


def filter_table(
    of_card: Mapping[str, str], filter_set: FilterSet = "tuned"
) -> Mapping[str, FilterName]:
    """What `choose_filter` chooses by.

    Args:
        of_card: the filters of a model's card, which go before all others.
        filter_set: the paper's sets know no remedy for blocks.
    """
    usual = TUNED_CHOICE if filter_set == "tuned" else PAPER_CHOICE
    return {**usual, **of_card}  # type: ignore[dict-item]


def choose_filter(noise: Noise, choice: Mapping[str, FilterName] = TUNED_CHOICE) -> FilterName:
    """The filter for a frame, by a table from the kind of its noise to a filter's name.

    A clean frame whose measured blocking reaches BLOCKED takes the filter of "blocked", if the
    table has one.
    """
    blocked = noise.kind == "clean" and noise.quality[0] >= BLOCKED and "blocked" in choice
    return choice["blocked" if blocked else noise.kind]


def filter_reason(
    name: FilterName, noise: Noise, told: bool, choice: Mapping[str, FilterName] = TUNED_CHOICE
) -> FilterReason:
    """Why a frame has its filter, for a person.

    Args:
        name: of the filter.
        noise: of the frame.
        told: whether a person has chosen the filter.
        choice: what `choose_filter` chose by.
    """
    if told:
        return "told"
    if noise.kind != "clean":
        return "unhelpful" if name == "none" else "noise"
    if noise.quality[0] < BLOCKED or choice.get("blocked", "none") == "none":
        return "clean"
    return "large" if name == "none" else "blocks"


def get_filter(name: FilterName, filter_set: FilterSet = "tuned") -> Filter:
    """Look a filter up.

    Raises:
        ConfigError: no such set or filter.
    """
    try:
        return FILTERS[filter_set][name]
    except KeyError:
        sets = ", ".join(FILTERS)
        raise ConfigError(
            f"There is no filter {name!r} in the set {filter_set!r}; sets are {sets}.", "filter"
        ) from None
