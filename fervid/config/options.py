"""Kinds of values beyond the plain types: switches that can be negated, times, parts of a picture.

Each is a type with marks for both ways in: `Parameter` is what cyclopts makes of it on the command
line, and the function reads the same text where a configuration file has it as a string.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter, Token

T = TypeVar("T")


def seconds(text: str) -> float:
    """Read a time: "90", "1:30" or "0:01:30.5", in seconds.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?|\.\d+", text):
        raise ValueError(f"{text!r} is no time; write seconds, m:ss or h:mm:ss")
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


def region(text: str) -> tuple[int, int, int, int]:
    """Read a part of the picture: "x,y,w,h" in pixels.

    Raises:
        ValueError: it is none.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(re.fullmatch(r"\d+", part) for part in parts):
        raise ValueError(
            f"{text!r} is no part of a picture; write x,y,w,h in whole pixels, like 0,0,640,480"
        )
    x, y, w, h = (int(part) for part in parts)
    return x, y, w, h


def _from_text(read: Callable[[str], T]) -> Callable[[Any, Sequence[Token]], T]:
    """What cyclopts calls to convert an option's only word."""

    def convert(hint: Any, tokens: Sequence[Token]) -> T:
        return read(tokens[0].value)

    return convert


def readers(hint: Any) -> list[Callable[[str], Any]]:
    """The functions that read this kind of value from text; none for a plain type."""
    return [mark for mark in getattr(hint, "__metadata__", ()) if not isinstance(mark, Parameter)]


Time = Annotated[
    float | None, Parameter(converter=_from_text(seconds), n_tokens=1, metavar="TIME"), seconds
]
Region = Annotated[
    tuple[int, int, int, int] | None,
    Parameter(converter=_from_text(region), n_tokens=1, metavar="X,Y,W,H"),
    region,
]
Switch = Annotated[bool, Parameter(negative_bool="no-")]  # on by itself, so that it needs an "off"
AutoSwitch = Annotated[bool | None, Parameter(negative_bool="no-")]
