"""Settings of single sources: what `[[source]]` says in a configuration file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fervid.config.credentials import without_credentials


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

        A URL also matches when only its user and password differ.
        """
        if source == self.uri or without_credentials(source) == self.uri:
            return True
        if is_device(source) or is_device(self.uri):
            return False
        mine, other = (os.path.abspath(name) for name in (self.uri, source))  # noqa: PTH100
        return Path(mine) in (Path(other), *Path(other).parents) or fnmatchcase(other, mine)


def is_device(source: str) -> bool:
    """Whether a source is no file: a URL, a camera or standard input."""
    return source == "-" or "://" in source or source.startswith(("camera:", "/dev/"))
