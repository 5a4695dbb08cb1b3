"""Which values a recipe may hold: by a field's annotation, and by a table of ranges."""

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints


class Range(NamedTuple):
    """Numbers from `low` to `high`; `open_low` and `open_high` leave the end itself out."""

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Whether a finite number lies inside; NaN lies nowhere."""
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        low = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        if self.high == math.inf:
            return low
        return f"{low} and {'below' if self.open_high else 'at most'} {self.high:g}"


SHARE = Range(0, 1)
BELOW_ONE = Range(0, 1, open_high=True)
POSITIVE = Range(0, open_low=True)
AT_LEAST_0, AT_LEAST_1 = Range(0), Range(1)

# By class name and field; a field without an entry may have any value of its type.
RANGES: Mapping[str, Mapping[str, Range]] = {
    "Stage": {
        "passes": POSITIVE,
        "px": Range(16),
        "blocks": AT_LEAST_1,
        "width": Range(0, 1, open_low=True),
        "last_stride": Range(1, 2),
        "last_dilation": AT_LEAST_1,
        "lr": POSITIVE,
        "dropout": BELOW_ONE,
        "mixup": AT_LEAST_0,
        "distil_maps": AT_LEAST_0,
    },
    "Recipe": {
        "seed": AT_LEAST_0,
        "batch": AT_LEAST_1,
        "lr": POSITIVE,
        "head_lr": POSITIVE,
        "weight_decay": AT_LEAST_0,
        "warmup": SHARE,
        "label_smoothing": BELOW_ONE,
        "ema": BELOW_ONE,
        "clip": AT_LEAST_0,
        "distil": SHARE,
        "distil_clean": SHARE,
        "distil_maps": AT_LEAST_0,
        "dropout": BELOW_ONE,
        "mixup": AT_LEAST_0,
        "eta_jitter": AT_LEAST_0,
        "mean": SHARE,
        "std": POSITIVE,
    },
    "AugmentConfig": {
        "flip": SHARE,
        "rotation": AT_LEAST_0,
        "shift": AT_LEAST_0,
        "scale": AT_LEAST_0,
        "light": SHARE,
        "noise": SHARE,
        "faults": SHARE,
        "native": SHARE,
        "native_px": Range(48),
        "filtered": SHARE,
        "erase": SHARE,
    },
}
NUMBERS = 4  # blocks: one for each layer
NAMES: Mapping[str, tuple[str, ...]] = {
    "kinds": ("gaussian", "salt_pepper", "speckle"),
    "families": (
        "jpeg",
        "low_resolution",
        "pixelate",
        "defocus",
        "motion_blur",
        "low_contrast",
        "darken",
    ),
}


def fault(kind: type, key: str, value: Any) -> str | None:
    """What is wrong with the value of a dataclass's field, "must be ..."; None if nothing is."""
    hint = get_type_hints(kind)[key]
    if get_origin(hint) in (types.UnionType, Union):
        if value is None:
            return None
        hint = next(part for part in get_args(hint) if part is not type(None))
    bounds = RANGES.get(kind.__name__, {}).get(key)
    if get_origin(hint) is Literal:
        known = get_args(hint)
        return None if value in known else f"must be {' or '.join(map(str, known))}"
    if get_origin(hint) is tuple:
        return _names_fault(key, value) or _tuple_fault(get_args(hint)[0], value, bounds)
    return _plain_fault(hint, value, bounds)


def _names_fault(key: str, values: Any) -> str | None:
    if key not in NAMES or (isinstance(values, tuple) and values and set(values) <= {*NAMES[key]}):
        return None
    return f"must be a list of some of {', '.join(NAMES[key])}"


def _tuple_fault(part: type, values: Any, bounds: Range | None) -> str | None:
    if dataclasses.is_dataclass(part) or part is str:
        return None  # stages, each checked on its own; names
    if not isinstance(values, tuple) or len(values) != NUMBERS:
        return f"must be {NUMBERS} whole numbers"
    return next((said for v in values if (said := _plain_fault(part, v, bounds))), None)


def _plain_fault(kind: type, value: Any, bounds: Range | None) -> str | None:
    """A bool is no number here, though Python's is; a whole number is also a float."""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    if kind not in names:
        return None
    known = (int, float) if kind is float else (kind,)
    if type(value) not in known:
        return f"must be {names[kind]}"
    if kind is str and not value:
        return "must not be empty"
    if bounds is not None and not bounds.holds(value):
        return f"must be {bounds}"
    return None
