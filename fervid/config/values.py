"""Values of a configuration file: from TOML's types to those of the sections, or a refusal."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from cyclopts import Parameter, Token

NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    Path: "a path in quotes",
}
PLURALS: Mapping[type, str] = {int: "whole numbers", str: "texts in quotes"}


class WrongType(ValueError):  # noqa: N818  says what was wanted
    """A value has another type than its key; the message is what the key wants."""


def typed(value: Any, hint: Any, place: Callable[[str], Path]) -> Any:
    """Turn a value of a TOML file into what a field holds.

    Args:
        value: as tomllib gives it.
        hint: the field's type, with its marks.
        place: finds a path that is named in the file.

    Raises:
        WrongType: it is of another type.
        ConfigError: it is text that does not say what it should.
    """
    convert = next((m.converter for m in getattr(hint, "__metadata__", ()) if _reads(m)), None)
    if callable(convert) and _is_text(value, hint):
        return convert(hint, [Token(value=str(value))])  # text as on the command line
    if isinstance(value, str) and "\0" in value:  # no file's name can hold it
        raise WrongType("text without a NUL character")
    plain = _without_none(hint)
    if get_origin(plain) is tuple:
        return _tuple(value, get_args(plain), place)
    if get_origin(plain) is Literal:
        if not isinstance(value, str):
            raise WrongType(NAMES[str])
        return value
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if plain is Path and value == "":
        raise WrongType("the name of a file or folder")
    if plain is Path and isinstance(value, str):
        return place(value)
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise WrongType(NAMES[plain])
    return value


def _reads(mark: Any) -> bool:
    """Whether a mark of a type is the command line's, with a function that reads text."""
    return isinstance(mark, Parameter) and mark.converter is not None


def _is_text(value: Any, hint: Any) -> bool:
    """Whether a value is text, or a whole number where words are wanted: `reconnect = 5`."""
    return isinstance(value, str) or (_without_none(hint) is str and type(value) is int)


def _without_none(hint: Any) -> Any:
    """The type that a field holds where it holds something, marks left aside."""
    if hasattr(hint, "__metadata__"):
        hint = hint.__origin__
    inner = [part for part in get_args(hint) if part is not NoneType]
    if get_origin(hint) in (tuple, Literal) or not inner:
        return hint
    return inner[0]


def _tuple(value: Any, parts: tuple[Any, ...], place: Callable[[str], Path]) -> tuple[Any, ...]:
    """A list of a TOML file as a tuple of a fixed or of any length."""
    anything = parts[-1] is Ellipsis
    kinds = [parts[0]] * len(value) if anything and isinstance(value, list) else list(parts)
    wanted = f"a list of {'' if anything else f'{len(parts)} '}{PLURALS[parts[0]]}"
    if not isinstance(value, list) or len(value) != len(kinds):
        raise WrongType(wanted)
    try:
        return tuple(typed(item, kind, place) for item, kind in zip(value, kinds, strict=True))
    except WrongType as error:
        raise WrongType(wanted) from error
