"""What a source's name says by itself, and the settings that `[[source]]` gives to single ones."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fervid import probe
from fervid.config.addresses import is_fetched, local_name, with_place
from fervid.config.credentials import without_credentials
from fervid.config.reading import STDIN


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What holds for one source, or for every file of a folder or pattern.

    Attributes:
        uri: The source as it is named in the run: a file, a folder, a pattern, a camera or a URL.
        label: What it is called in the display, and as source.label in the head of every output.
        read: Values of `ReadConfig` for this source, by field name; the others stay as they are.
    """

    uri: str
    label: str | None = None
    read: Mapping[str, Any] = field(default_factory=dict)

    def applies_to(self, source: str) -> bool:
        """Whether `source` is this one, or a file in this folder or of this pattern.

        A URL without user and password also means the one with them, a camera's name all its names.
        """
        if source == self.uri or without_credentials(source) == self.uri:
            return True
        if is_fetched(source) or is_fetched(self.uri):
            own, other = map(without_credentials, (self.uri, source))
            return other.startswith(own.rstrip("/") + "/") or _fits(other, own)
        if is_device(source) or is_device(self.uri):
            return identity(source) == identity(self.uri)
        mine, other = (os.path.abspath(name) for name in map(local_name, (self.uri, source)))  # noqa: PTH100
        return Path(mine) in (Path(other), *Path(other).parents) or _fits(other, mine)


def _fits(name: str, pattern: str) -> bool:
    """Whether a file is one of a pattern's, in which **/ may stand for no folder at all."""
    first, *rest = pattern.split("**/")
    forms = [first]
    for part in rest:
        forms = [form + folders + part for form in forms for folders in ("", "**/")]
    return any(fnmatchcase(name, form) for form in forms)


def is_device(source: str) -> bool:
    """Whether a source is no file, here or elsewhere: a stream, a camera or standard input."""
    if is_fetched(source) or local_name(source) != source:
        return False
    if source == STDIN or "://" in source or source.startswith("camera:"):
        return True
    return camera_number(source) is not None


def camera_number(source: str) -> int | None:
    """The number of the camera that a source names, None if it names something else.

    A number alone is a camera's where no file has that name.
    """
    camera = re.fullmatch(r"(?:camera:|/dev/video)?([0-9]{1,4})", source)
    if camera is None or (camera[1] == source and probe.exists(Path(source))):
        return None
    return int(camera[1])


def identity(source: str) -> str:
    """What all names of one source have in common: a camera's number, a file's place.

    Of a file elsewhere it is the URL without credentials: it is written down (manifest.py).
    """
    number = camera_number(source)
    if number is not None:
        return f"camera:{number}"
    if is_device(source):
        return source
    if is_fetched(source):
        return with_place(without_credentials(source), lambda path: str(probe.real(Path(path))))
    return str(probe.real(Path(local_name(source))))
