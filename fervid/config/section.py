"""What the sections of the configuration have in common: limits and closed sets, checked once."""

import dataclasses
import functools
import math
from collections.abc import Collection
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from fervid.errors import ConfigError
from fervid.nearest import nearest_word

T = TypeVar("T")
ALIKE = 0.7  # of 1, words of a closed set: `gpu` is .67 of `cpu`, and means another thing


def within(default: T, low: float, high: float = math.inf) -> T:
    """A field whose value, unless None, lies between two limits."""
    limited: T = field(default=default, metadata={"limits": (low, high)})
    return limited


class Section:
    """A section of the configuration: checks its limits and closed sets when it is made."""

    __slots__ = ()

    def __post_init__(self: Any) -> None:
        """Check every field; text is taken for a path where one is wanted.

        Raises:
            TypeError: there is text in the place of several.
            ConfigError: a value is out of its limits, or none of the known ones.
        """
        hints = _hints(type(self))  # type: ignore[arg-type]  # a class is hashable
        for item in dataclasses.fields(self):
            value, hint = getattr(self, item.name), hints[item.name]
            if get_origin(hint) is tuple:
                refuse_text(item.name, value)
            if isinstance(value, str) and Path in (hint, *get_args(hint)):
                object.__setattr__(self, item.name, Path(value))
            option = "--" + item.name.replace("_", "-")
            check_field(item, hints[item.name], getattr(self, item.name), option)


@functools.cache
def _hints(section: type) -> dict[str, Any]:
    """The types of a section's fields, without their marks."""
    return get_type_hints(section)


def refuse_text(name: str, value: object) -> None:
    """Stop where a text in the place of several would be taken apart into letters.

    Raises:
        TypeError: so it would.
    """
    if isinstance(value, str):
        raise TypeError(f"expected a tuple, got text; write {name}=({value!r},)")


def check_field(item: "dataclasses.Field[Any]", hint: Any, value: Any, called: str) -> None:
    """Check one value of a section.

    Args:
        item: the field.
        hint: its type.
        value: of that type, but perhaps out of its limits.
        called: what the message calls it, as "--every".

    Raises:
        ConfigError: the value is out of its limits, or none of the known ones.
    """
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ConfigError(meant(called, value, get_args(hint)), item.name)
    if value is None or "limits" not in item.metadata:
        return
    low, high = item.metadata["limits"]
    if not (low <= value <= high and math.isfinite(value)):
        bounds = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ConfigError(f"{called} must be {bounds}, not {value:g}.", item.name)


def meant(called: str, value: object, known: Collection[str]) -> str:
    """Return what is said about a value that is none of a closed set."""
    near = nearest_word(str(value), known, ALIKE)
    way = f"; did you mean {near}?" if near else "."
    return f"{called} must be one of {', '.join(known)}, not {value}{way}"
