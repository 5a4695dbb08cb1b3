"""A configuration as TOML, with a comment at each key that says where its value came from."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fervid.config import RunConfig, without_credentials
from fervid.config.file import Key, sections
from fervid.config.watching import shown_address

DEL = 0x7F


def to_toml(config: RunConfig, origin: Callable[[Key], str]) -> str:
    """The effective configuration as TOML, without users and passwords.

    Args:
        config: what is shown.
        origin: says of a key, as ("labels", "smooth_s"), where its value came from.

    Returns:
        Lines; read from the folder they were written for, they are the same configuration.
    """
    tables = sections()
    rows = [
        _row((item.name,), getattr(config, item.name), origin)
        for item in dataclasses.fields(config)
        if item.name not in tables and item.name != "per_source"
    ]
    lines = _aligned(rows)
    for name in tables:
        section = getattr(config, name)
        rows = [
            _row((name, item.name), _shown(item.name, getattr(section, item.name)), origin)
            for item in dataclasses.fields(section)
        ]
        lines += ["", f"[{name}]", *_aligned(rows)]
    for number, settings in enumerate(config.per_source):
        own = {"uri": settings.uri, "label": settings.label, **settings.read}
        given = {key: value for key, value in own.items() if value is not None}
        rows = [_row(("source", number, key), value, origin) for key, value in given.items()]
        lines += ["", "[[source]]", *_aligned(rows)]
    return "\n".join(lines) + "\n"


def _shown(name: str, value: Any) -> Any:
    """A value as it may be printed."""
    return shown_address(value) if name == "alert_url" and value else value


def _row(key: Key, value: Any, origin: Callable[[Key], str]) -> tuple[str, str]:
    """One key and the comment beside it; a value that is not set is a comment altogether."""
    said = f"{key[-1]} = {_value(value)}" if value is not None else f"# {key[-1]} is not set"
    return said, origin(key)


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    """Rows with their comments below each other, where the keys are short enough for that."""
    width = max((len(said) for said, _ in rows if len(said) <= 40), default=0)
    return [f"{said:<{width}}  # {comment}" for said, comment in rows]


def _value(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    text = str(value) if isinstance(value, Path) else without_credentials(value)
    if text.startswith("~/"):
        text = f"./{text}"  # a folder of that name, which the file would read as the user's
    # JSON's strings are TOML's, but for the one control character that JSON lets through.
    return json.dumps(text, ensure_ascii=False).replace(chr(DEL), "\\u007f")
