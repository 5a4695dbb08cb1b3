"""The line on which each key of a TOML text stands, which tomllib does not tell."""

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[
    str | int, ...
]  # ("labels", "smooth_s"), or ("source", 0, "roi") in an array of tables


def key_lines(text: str) -> dict[Path, int]:
    """The line, from 1, on which each key of a text begins.

    A statement is the shortest run of lines that is TOML by itself, so that what stands within
    strings and arrays over several lines is not taken for a key.

    Args:
        text: TOML without mistakes.
    """
    found: dict[Path, int] = {}
    header: Path = ()
    begun: dict[Path, int] = {}  # tables of an array of tables so far
    for line, statement in _statements(text):
        if not statement.lstrip().startswith("["):
            for path in _leaves(tomllib.loads(statement)):
                found.setdefault((*header, *path), line)
            continue
        header = _header(statement)
        if statement.lstrip().startswith("[["):
            begun[header] = begun.get(header, -1) + 1
            header = (*header, begun[header])
        found.setdefault(header, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each statement; comments and empty lines are none."""
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not lines and (not line.strip() or line.lstrip().startswith("#")):
            continue
        lines.append(line)
        try:
            tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        yield number - len(lines) + 1, "\n".join(lines)
        lines = []


def _header(statement: str) -> Path:
    """The table that `[...]` or `[[...]]` opens."""
    path: list[str | int] = []
    value: Any = tomllib.loads(statement)
    while value:
        if isinstance(value, list):
            value = value[0]
        else:
            key, value = next(iter(value.items()))
            path.append(key)
    return tuple(path)


def _leaves(table: dict[str, Any]) -> Iterator[Path]:
    """Every path into nested tables, the inner ones too."""
    for key, value in table.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *rest) for rest in _leaves(value))
