"""FetchedSource: a file that is elsewhere, copied to this machine for as long as it is read.

The copy lies in a folder of its own below TMPDIR (/tmp), which nobody else may enter, and is
deleted when the source is closed. A process that is killed deletes nothing; the system drops its
lock on the folder, by which others know that nobody needs it (`sweep`).
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from fervid.config import without_credentials
from fervid.config.addresses import links
from fervid.errors import ConfigError, SourceError, SourceOpenError
from fervid.folders import safe_file_name
from fervid.lock import FolderLock
from fervid.records import Frame, SourceInfo
from fervid.remote import fetch, remote_stamp
from fervid.source import Source

NAME, UNFINISHED = "fervid-fetched-", "fervid-making-"
LONGEST = 100  # characters of a copy's name; its end says what kind of file it is
MB = 1_000_000


class FetchedSource:
    """A source whose file is fetched first; info and messages name where it came from.

    Args:
        uri: the address of the file.
        open_file: opens the copy.

    Raises:
        LibraryMissing, SourceOpenError: it cannot be fetched, or the copy not be opened.
    """

    def __init__(self, uri: str, open_file: Callable[[str], Source]) -> None:
        self._shown, self._place = without_credentials(uri), _Place()
        try:
            name = file_name(uri)
            self._path = self._place.path / (safe_file_name(name)[-LONGEST:] or "file")
            size = remote_stamp(uri)[0]
            _refuse_large(self._shown, size, self._place.path)
            fetch(uri, self._path, size)
            with self._renamed():
                self._source = open_file(str(self._path))
        except BaseException:
            self._place.close()
            raise
        self.info: SourceInfo = replace(
            self._source.info, uri=self._shown, label=name, place=str(self._path)
        )

    def __iter__(self) -> Iterator[Frame]:
        with self._renamed():
            yield from self._source

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def damaged(self) -> int:
        """As the source of the copy counts."""
        return self._source.damaged

    def close(self) -> None:
        """Close the copy and delete it; closing twice is harmless."""
        try:
            self._source.close()
        finally:
            self._place.close()

    @contextmanager
    def _renamed(self) -> Iterator[None]:
        """Have errors name the address and not the copy."""
        try:
            yield
        except SourceError as error:
            said = str(error).replace(str(self._path), self._shown)
            raise type(error)(said, self._shown) from error


class _Place:
    """A folder for a copy, locked while it is needed."""

    def __init__(self) -> None:
        sweep()
        try:
            made = Path(tempfile.mkdtemp(prefix=UNFINISHED))
        except OSError as error:
            raise SourceOpenError(
                f"No file can be fetched, as {tempfile.gettempdir()} cannot be written "
                f"({error.strerror}); set TMPDIR to a folder that can."
            ) from error
        self._lock = FolderLock(made)
        self._lock.take()
        # Under this name others look at it, and then it is locked: a lock is not by name.
        self.path = made.with_name(NAME + made.name.removeprefix(UNFINISHED))
        made.rename(self.path)

    def close(self) -> None:
        """Delete the folder; closing twice is harmless."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep() -> None:
    """Delete the copies that killed processes of this user have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{NAME}*"):
        if folder.is_symlink() or not _is_own(folder):
            continue
        lock = FolderLock(folder)
        try:
            lock.take()
        except ConfigError:  # somebody reads it
            continue
        if lock.held:  # where there are no locks nobody can tell
            shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _is_own(folder: Path) -> bool:
    """Whether a folder is this user's."""
    try:
        return hasattr(os, "getuid") and folder.stat().st_uid == os.getuid()
    except OSError:  # it has gone
        return False


def file_name(uri: str) -> str:
    """The last name in an address: of a file in an archive, its name there."""
    first, *rest = links(uri)
    own = first if "://" in first or not rest else rest[0]
    path = re.split(r"[?#]", own, maxsplit=1)[0] if own.lower().startswith("http") else own
    return path.rstrip("/").rpartition("/")[2] or "file"


def _refuse_large(shown: str, size: int, place: Path) -> None:
    """Stop before a disk is filled by a file that it cannot hold.

    Raises:
        SourceOpenError: it cannot.
    """
    free = shutil.disk_usage(place).free
    if size > free:
        raise SourceOpenError(
            f"{shown} does not fit into {place.parent} ({size / MB:,.0f} of {free / MB:,.0f} MB); "
            "set TMPDIR to a larger disk.",
            shown,
        )
