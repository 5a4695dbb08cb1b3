"""The configuration file: TOML with a table for each section of `RunConfig`.

    sources = ["door.mp4"]          # paths are relative to this file
    [labels]
    smooth_s = 0.8
    [[source]]                      # settings of one source
    uri = "rtsp://camera/stream"
    roi = [0, 0, 640, 480]

What a file says is checked here, key by key, against the types and limits of the sections. The
keys of a `[[source]]` are `uri`, `label` and those of `[read]`.
"""

import dataclasses
import functools
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from fervid import probe
from fervid.config import STDOUT, ReadConfig, RunConfig, SourceConfig, without_credentials
from fervid.config.addresses import is_fetched, local_name, with_place
from fervid.config.section import Section, check_field
from fervid.config.source import is_device
from fervid.config.statements import key_lines
from fervid.config.values import WrongType, typed
from fervid.errors import ConfigError
from fervid.nearest import nearest_word, or_else

FILE_NAME = "fervid.toml"
Key = tuple[str | int, ...]  # ("sources",), ("labels", "smooth_s") or ("source", 0, "roi")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a configuration file says.

    Attributes:
        path: The file.
        values: Typed values by key, as ("labels", "smooth_s") or ("sources",).
        per_source: Settings of single sources.
        lines: Lines from 1 by key; those of single sources as ("source", 0, "roi").
    """

    path: Path
    values: Mapping[Key, Any]
    per_source: tuple[SourceConfig, ...]
    lines: Mapping[Key, int]

    def config(self) -> RunConfig:
        """The configuration that the file alone makes.

        Raises:
            ConfigError: its values do not go together.
        """
        top = {str(key[0]): value for key, value in self.values.items() if len(key) == 1}
        for name, section in sections().items():
            own = {str(key[1]): value for key, value in self.values.items() if key[0] == name}
            top[name] = section(**own)
        return RunConfig(**top, per_source=self.per_source)


@functools.cache
def sections() -> dict[str, type]:
    """The tables of a file: the fields of `RunConfig` that are sections themselves."""
    hints = get_type_hints(RunConfig)
    return {
        name: hint
        for name, hint in hints.items()
        if isinstance(hint, type) and issubclass(hint, Section)
    }


def load_config(path: Path | str) -> RunConfig:
    """Read a whole configuration from a TOML file.

    Raises:
        ConfigError: the file cannot be read, or holds a key or value that is not known.
    """
    return read_config_file(Path(path)).config()


def read_config_file(path: Path) -> ConfigFile:
    """Read and check a configuration file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or holds a key or value that is not known; the
            message names the file, the key and the nearest known one.
    """
    text = _text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", "config") from error
    return _Reader(path).read(table, key_lines(text))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text; save it as UTF-8.", "config") from error
    except FileNotFoundError as error:
        way = or_else(path, "check --config")
        raise ConfigError(f"There is no configuration file {path}; {way}", "config") from error
    except OSError as error:
        raise ConfigError(
            f"The configuration file {path} cannot be read ({error.strerror}); check --config and "
            "the file's permissions.",
            "config",
        ) from error


@dataclass(frozen=True, slots=True)
class _Reader:
    """Checks the tables of one file."""

    path: Path

    def read(self, table: dict[str, Any], lines: Mapping[Any, int]) -> ConfigFile:
        known = sections()
        fields = {field.name: field for field in dataclasses.fields(RunConfig)}
        plain = {n: field for n, field in fields.items() if n not in known and n != "per_source"}
        hints = get_type_hints(RunConfig, include_extras=True)
        values: dict[Key, Any] = {}
        for name, value in table.items():
            if name in plain:
                values[name,] = self._value(plain[name], hints[name], value, name)
            elif name in known:
                values |= self._section(name, known[name], value)
            elif name != "source":
                raise ConfigError(self._unknown(name, value, [*plain, *known, "source"]), name)
        if ("sources",) in values:
            values["sources",] = tuple(self._source(uri) for uri in values["sources",])
        per_source = tuple(self._settings(item) for item in self._tables(table.get("source", [])))
        if per_source and not {("sources",), ("camera",)} & values.keys():
            values["sources",] = tuple(settings.uri for settings in per_source)
        return ConfigFile(self.path, values, per_source, lines)

    def _section(self, name: str, section: type, table: Any) -> dict[Key, Any]:
        if not isinstance(table, dict):
            raise ConfigError(f"{name} in {self.path} is a table; write [{name}] above its keys.")
        found = self._fields(section, table, f"[{name}]", ())
        return {(name, key): value for key, value in found.items()}

    def _settings(self, table: dict[str, Any]) -> SourceConfig:
        own = {item.name: item for item in dataclasses.fields(SourceConfig) if item.name != "read"}
        given = {
            key: self._value(item, str, table[key], f"{key} in [[source]]")
            for key, item in own.items()
            if key in table
        }
        if "uri" not in given:
            raise ConfigError(f"A [[source]] in {self.path} has no uri; add uri = ....", "uri")
        rest = {key: value for key, value in table.items() if key not in own}
        found = self._fields(ReadConfig, rest, "[[source]]", own)
        return SourceConfig(self._source(given["uri"]), given.get("label"), found)

    def _fields(
        self, section: type, table: dict[str, Any], where: str, more: Iterable[str]
    ) -> dict[str, Any]:
        fields = {item.name: item for item in dataclasses.fields(section)}
        hints = get_type_hints(section, include_extras=True)
        for key, value in table.items():
            if key not in fields:
                raise ConfigError(self._unknown(key, value, [*fields, *more], where), key)
        return {
            key: self._value(fields[key], hints[key], value, f"{key} in {where}")
            for key, value in table.items()
        }

    def _value(self, item: "dataclasses.Field[Any]", hint: Any, value: Any, called: str) -> Any:
        try:
            found = typed(value, hint, self._place)
        except WrongType as error:
            raise self._wrong(called, str(error), value, item.name) from error
        except ConfigError as error:
            option = "--" + item.name.replace("_", "-")
            message = str(error).replace(option, f"{called} of {self.path}")
            raise ConfigError(message, item.name) from error
        bare = hint.__origin__ if hasattr(hint, "__metadata__") else hint
        check_field(item, bare, found, f"{called} of {self.path}")
        return found

    def _tables(self, value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise ConfigError(
                f"source in {self.path} is a list of tables; write [[source]] above each.", "source"
            )
        return value

    def _wrong(self, called: str, wanted: str, value: Any, key: str) -> ConfigError:
        shown = json.dumps(_harmless(value), default=str, ensure_ascii=False)
        return ConfigError(f"{called} of {self.path} must be {wanted}, not {shown}.", key)

    def _unknown(self, key: str, value: Any, known: list[str], where: str = "") -> str:
        """Say that a key is not known, and which one may be meant."""
        what, shown = ("section", f"[{key}]") if _is_table(value, where) else ("key", key)
        place = f"in {where} of {self.path}" if where else f"in {self.path}"
        owners = [name for name, section in sections().items() if key in section.__annotations__]
        near = nearest_word(key, known)
        if owners:
            hint = f"it belongs below [{owners[0]}]."
        elif where and key in RunConfig.__annotations__:
            hint = "it belongs above the first section."
        elif near:
            hint = f"did you mean {_header(near)}?"
        else:
            hint = f"known are {', '.join(known)}."
        return f"Unknown {what} {shown} {place}; {hint}"

    def _place(self, text: str) -> Path:
        """A path that the file names: relative to the file; - is standard output."""
        return STDOUT if text == "-" else Path(self._beside(text))

    def _source(self, uri: str) -> str:
        """A source that the file names, as seen from the working directory."""
        if is_fetched(uri) or local_name(uri) != uri:
            return with_place(uri, self._beside)
        beside = probe.exists(self.path.parent / uri) if uri.isdecimal() else not is_device(uri)
        return self._beside(uri) if beside else uri

    def _beside(self, text: str) -> str:
        """A relative path as seen from the working directory; ~/ is the user's folder."""
        if text.startswith("~/"):
            return os.path.expanduser(text)  # noqa: PTH111  keeps patterns as they are
        folder = str(self.path.parent)
        return text if folder == "." else os.path.join(folder, text)  # noqa: PTH118


def _is_table(value: Any, where: str) -> bool:
    return isinstance(value, dict) and not where


def _header(name: str) -> str:
    """A key as it stands in a file: that of a table in brackets."""
    return "[[source]]" if name == "source" else f"[{name}]" if name in sections() else name


def _harmless(value: Any) -> Any:
    """A value for a message, its addresses without users and passwords."""
    if isinstance(value, dict):
        return {key: _harmless(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_harmless(item) for item in value]
    return without_credentials(value) if isinstance(value, str) else value
