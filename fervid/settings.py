"""Flags over the configuration file over the defaults, and where each value came from."""

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cyclopts import UNSET, ArgumentCollection, Token

from fervid import probe
from fervid.config import RunConfig
from fervid.config.file import FILE_NAME, ConfigFile, Key, read_config_file
from fervid.errors import ConfigError, FervidError

SOURCES: frozenset[Key] = frozenset({("sources",), ("camera",)})  # naming one replaces both


def _refuse_empty(arguments: ArgumentCollection) -> None:
    """Stop at a path without a name, as "$FOLDER" makes it, which would be the working directory.

    Raises:
        ConfigError: there is one; --no-config alone is no path.
    """
    for item in arguments:
        for token in item.tokens:
            is_path = item.hint in (Path, Path | None)
            if is_path and token.value == "" and token.implicit_value is UNSET:
                name = token.keyword or item.name
                raise ConfigError(f"{name} is empty; give it a name.", name)


def _refuse_fractions(arguments: ArgumentCollection) -> None:
    """Stop at a fraction where a whole number is wanted, which cyclopts would round.

    Raises:
        ConfigError: there is one.
    """
    for item in arguments:
        for token in item.tokens if item.hint in (int, tuple[int, ...]) else ():
            if re.fullmatch(r"[-+]?(\d+\.\d*|\.\d+)", token.value.strip()):
                name = token.keyword or item.name
                raise ConfigError(f"{name} must be a whole number, not {token.value}.", name)


class Settings:
    """Fills in what the command line left open from the configuration file.

    The parser calls it, as cyclopts' `config`, between reading the command line and making a
    `RunConfig`. The file is the one that --config names, or fervid.toml in the working directory
    unless --no-config is given.

    Attributes:
        file: The configuration file that was read, if any.
        found: The name of that file if nobody named it.
    """

    def __init__(self) -> None:
        self.file: ConfigFile | None = None
        self.found: str | None = None
        self._flags: frozenset[Key] = frozenset()

    def __call__(self, app: Any, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Add the file's values to the arguments that no flag has set.

        Raises:
            ConfigError: the file cannot be read, or says something that is not known.
        """
        _refuse_empty(arguments)
        _refuse_fractions(arguments)
        chooser = next((item for item in arguments if item.name == "--config"), None)
        if chooser is None:
            return  # a command that reads no configuration
        self._flags = frozenset(item.keys for item in arguments if item.keys and item.tokens)
        self.file = self._choose(chooser.tokens)
        if self.file is None:
            return
        for item in arguments:
            if item.keys in self.file.values and not self._is_flag(item.keys):
                value = self.file.values[item.keys]
                item.append(Token(keyword=item.name, source=FILE_NAME, implicit_value=value))

    def _choose(self, tokens: Iterable[Token]) -> ConfigFile | None:
        """The file that was named, or found in the working directory, or none."""
        for token in tokens:
            return read_config_file(Path(token.value)) if token.value else None  # --no-config
        if not probe.is_file(Path(FILE_NAME)):
            return None
        self.found = FILE_NAME
        return read_config_file(Path(FILE_NAME))

    def _is_flag(self, key: Key) -> bool:
        """Whether the command line decides on a key."""
        return key in self._flags or (key in SOURCES and bool(SOURCES & self._flags))

    def complete(self, config: RunConfig) -> RunConfig:
        """A configuration with the file's settings of single sources, flags before them.

        Raises:
            ConfigError: a source's settings do not go together.
        """
        if self.file is None:
            return config
        flags = {key[1] for key in self._flags if key[0] == "read" and len(key) == 2}
        per_source = tuple(
            dataclasses.replace(
                settings, read={k: v for k, v in settings.read.items() if k not in flags}
            )
            for settings in self.file.per_source
        )
        return dataclasses.replace(config, per_source=per_source)

    def origin(self, key: Key) -> str:
        """Where the value of a key came from, in words."""
        if self._is_flag(key):
            return "command line"
        if self.file is None:
            return "default"
        if line := self.file.lines.get(key):
            return f"{self.file.path}, line {line}"
        return f"{self.file.path}, [[source]]" if key in self.file.values else "default"

    def explained(self, error: FervidError) -> FervidError:
        """The error with the file named, where a value that the message talks of is the file's."""
        if self.file is None or not isinstance(error, ConfigError):
            return error
        options = {str(key[-1]).replace("_", "-"): key for key in self.file.values}
        blamed = [
            f"{key[-1]} comes from {self.origin(key)}"
            for option, key in options.items()
            if not self._is_flag(key) and re.search(rf"--(no-)?{option}(?![\w-])", str(error))
        ]
        if not blamed:
            return error
        return ConfigError(f"{str(error).rstrip('.')} ({'; '.join(blamed)}).", error.key)
