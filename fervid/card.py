"""ModelCard: what a model file says about itself, and the constants it must be used with.

The card travels as JSON inside the model file (ONNX metadata key `fervid.card`, safetensors
metadata key `fervid.card`), so preprocessing cannot drift away from the weights.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from fervid.config import FilterChoice
from fervid.errors import CardError
from fervid.records import NOISE_KINDS

CARD_KEY = "fervid.card"
CARD_VERSION = 1
# What a card may ask for, so that a hostile one cannot take all memory or write to a terminal.
LARGEST_PX, MOST_CLASSES, LONGEST_NAME = 1024, 1000, 60
# Sides of a face that a crop may have and lie away, and the most that ln(temperature) may be.
WIDEST_CROP, FARTHEST_CROP, MOST_HEAT = 4.0, 2.0, 60.0
FILTER_NAMES = get_args(FilterChoice)[1:]  # "auto" is no filter
FILTERED_KINDS = (*NOISE_KINDS, "blocked")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The contract between a trained network and everything that feeds or reads it.

    Attributes:
        name: short name of the model.
        classes: K class names in output order.
        input_px: S, side of the square input.
        stem: "torchvision" (7x7 stride 2 + max-pool) or "small" (3x3 stride 2, no max-pool).
        last_stride: stride of layer4 (1 keeps its map as large as layer3's).
        last_dilation: dilation of layer4's later 3x3 convolutions.
        mean, std: of luma on the 0-1 scale.
        crop_scale: side of the crop as a multiple of the detector's box width.
        crop_shift: how far the crop lies above the box's centre, as a share of the box's width.
        temperature: (t0, t1, t2); logits are divided by exp(t0 + t1 eta + t2 darkness), both 0-1.
        uncertain_below: calibrated confidence under which a label is called uncertain.
        eta_max: the largest eta the network was trained with.
        filters: noise kind, or "blocked" -> filter that validation chose for this network.
        precision: "float32", "float16" or "int8".
        metrics: measured figures, name -> value.
        recipe: the training recipe, as text.
        data: what it was trained on.
        licence: SPDX expression of the weights.
        weights_sha256: hash of the fp16 weights this file was made from.
        content_sha256: hash of the network in this very file, of an .onnx file's graph or a
            .safetensors file's tensors; "" where none was noted, and then none is checked.
    """

    name: str
    classes: tuple[str, ...]
    input_px: int
    stem: Literal["torchvision", "small"] = "small"
    last_stride: int = 1
    last_dilation: int = 1
    mean: float = 0.5077
    std: float = 0.2551
    crop_scale: float = 1.16
    crop_shift: float = 0.09
    temperature: tuple[float, float, float] = (0.0, 0.0, 0.0)
    uncertain_below: float = 0.5
    eta_max: float = 0.35
    filters: Mapping[str, str] = field(default_factory=dict)
    precision: str = "float32"
    metrics: Mapping[str, float] = field(default_factory=dict)
    recipe: str = ""
    data: str = ""
    licence: str = "LicenseRef-FER2013-weights"
    weights_sha256: str = ""
    content_sha256: str = ""
    version: int = CARD_VERSION

    def __post_init__(self) -> None:
        if self.version != CARD_VERSION:
            raise CardError(
                f"The model's card has version {self.version}, this fervid reads {CARD_VERSION}; "
                "export the model again with this version."
            )
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise CardError(f"The model's card names no distinct classes: {list(self.classes)}.")
        if not 16 <= self.input_px <= LARGEST_PX or self.std <= 0 or self.crop_scale <= 0:
            raise CardError("The model's card has an impossible input size, std or crop scale.")
        if not (1 <= self.last_stride <= 8 and 1 <= self.last_dilation <= 8):
            raise CardError("The model's card has an impossible stride or dilation.")
        if len(self.classes) > MOST_CLASSES or not all(map(_is_name, self.classes)):
            raise CardError(
                f"The model's card needs at most {MOST_CLASSES} classes with names of 1 to "
                f"{LONGEST_NAME} printable letters."
            )
        if self.stem not in ("torchvision", "small"):
            raise CardError(f"The model's card names an unknown stem, {self.stem!r}.")
        if len(self.temperature) != 3:
            raise CardError("The model's card needs three numbers for its temperature.")
        self._check_ranges()
        for kind, name in self.filters.items():
            if kind not in FILTERED_KINDS or name not in FILTER_NAMES:
                raise CardError(
                    f"The model's card pairs the noise {kind!r} with the filter {name!r}; known "
                    f"are {', '.join(FILTERED_KINDS)} and {', '.join(FILTER_NAMES)}."
                )

    def _check_ranges(self) -> None:
        if self.crop_scale > WIDEST_CROP or abs(self.crop_shift) > FARTHEST_CROP:
            raise CardError("The model's card has crops that are larger or farther than any face.")
        if sum(map(abs, self.temperature)) > MOST_HEAT:
            raise CardError("The model's card has an impossible temperature.")

    def to_json(self) -> str:
        """The card as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, where: str) -> "ModelCard":
        """Read a card.

        Args:
            text: JSON as `to_json` writes it.
            where: the file it came from, for the message.

        Raises:
            CardError: the text is no card, or lacks or adds a field.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            for name in ("classes", "temperature"):
                if name in fields:
                    fields[name] = tuple(fields[name])
            for name, value in fields.items():
                _check_type(name, value)
            return cls(**fields)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise CardError(
                f"The card of {where} cannot be read ({error}); export the model again."
            ) from error

    def check_content(self, found: str, where: object) -> None:
        """Refuse a file whose network is not the one that its card was written for.

        Args:
            found: hash of the network in the file.
            where: the file, for the message.

        Raises:
            CardError: the card notes another hash.
        """
        if self.content_sha256 not in ("", found):
            raise CardError(
                f"The network in {where} is not the one of its card (its hash is {found[:12]}, the "
                f"card says {self.content_sha256[:12]}); get the file again from where it came."
            )

    def replace(self, **changes: Any) -> "ModelCard":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and text.isprintable()


def _check_type(name: str, value: Any) -> None:
    """Refuse a field whose value is of another type than the default or than it must be.

    Raises:
        TypeError: so it is.
    """
    wanted, what = _KINDS.get(name, (object, ""))
    items = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, wanted) and not isinstance(item, bool) for item in items):
        raise TypeError(f"{name} must be {what}, not {json.dumps(value)}")
    if wanted is _NUMBER and not all(map(math.isfinite, items)):
        raise TypeError(f"{name} must be finite")


_NUMBER = (int, float)
_KINDS: Mapping[str, tuple[Any, str]] = {
    **dict.fromkeys(("name", "stem", "precision", "recipe", "data", "licence"), (str, "text")),
    **dict.fromkeys(("weights_sha256", "content_sha256"), (str, "text")),
    "classes": (str, "a list of names"),
    **dict.fromkeys(("input_px", "last_stride", "last_dilation"), (int, "a whole number")),
    **dict.fromkeys(("mean", "std", "crop_scale", "crop_shift"), (_NUMBER, "a number")),
    **dict.fromkeys(("uncertain_below", "eta_max"), (_NUMBER, "a number")),
    "temperature": (_NUMBER, "three numbers"),
    **dict.fromkeys(("filters", "metrics"), (Mapping, "a table")),
}


def sha256(path: Path) -> str:
    """The hash of a model's file, in hexadecimal, as the outputs and cards carry it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
