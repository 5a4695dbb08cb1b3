"""Files that are elsewhere, by fsspec: what is there, whether it has changed, and fetching it."""

import glob
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fervid.config import without_credentials
from fervid.config.addresses import ARCHIVES, CACHES, links, scheme_of
from fervid.errors import FervidError, LibraryMissing, SourceOpenError
from fervid.unreachable import is_gone, told

# What protocols call a mark of the content, and the moment of change, which counts where none is.
HASHES = ("ETag", "etag", "e_tag", "Content-MD5", "content_md5", "md5Hash", "crc32c", "CRC", "sha")
MOMENTS = (
    *("mtime", "LastModified", "Last-Modified", "last_modified", "updated", "modified", "modify"),
    *("modificationTime", "modification_time", "date_time", "generation", "created"),
)


@dataclass(frozen=True, slots=True)
class Remote:
    """A file, folder or pattern elsewhere.

    Attributes:
        url: as it was given.
        system: fsspec's file system.
        path: in that system.
    """

    url: str
    system: Any
    path: str

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return without_credentials(self.url)

    @property
    def is_pattern(self) -> bool:
        """Whether the path has signs that stand for others."""
        return glob.has_magic(self.path)

    def about(self) -> Mapping[str, Any] | None:
        """What is known of it: name, size, type; None where nothing is there.

        Raises:
            SourceOpenError: it cannot be asked for.
        """
        with told(self.url):
            try:
                found: Mapping[str, Any] = self.system.info(self.path)
            except FileNotFoundError as error:
                if not is_gone(error):
                    raise
                return None
            return found

    def fitting(self) -> dict[str, Mapping[str, Any]]:
        """What fits the pattern: path and what is known of it.

        Raises:
            SourceOpenError: it cannot be listed.
        """
        with told(self.url):
            found: dict[str, Mapping[str, Any]] = self.system.glob(self.path, detail=True)
            return found

    def below(self, folder: str) -> dict[str, Mapping[str, Any]]:
        """Every file below a folder: path and what is known of it.

        Raises:
            SourceOpenError: it cannot be listed.
        """
        with told(self.url):
            found: dict[str, Mapping[str, Any]] = self.system.find(folder, detail=True)
            return found

    def url_of(self, path: str) -> str:
        """The address of another file of this system, with all that leads to it.

        Raises:
            SourceOpenError: no address leads to it.
        """
        first, *rest = links(self.url)
        wrapped, (own, *others) = (
            ([first], rest) if first.lower() in CACHES else ([], [first, *rest])
        )
        cut = self.path.rstrip("/")
        base = own.rstrip("/") if cut else own + "/" * (not own.endswith("/"))
        tail = _common_end(base, cut)
        head = cut[: len(cut) - len(tail)]
        name = path[len(head) :]
        url = base[: len(base) - len(tail)] + (name if cut else name.lstrip("/"))
        made = "::".join([*wrapped, url, *others])
        if not path.startswith(head) or locate(made).path.rstrip("/") != path.rstrip("/"):
            raise SourceOpenError(
                f"The files in {self.shown} cannot be named one by one; name each file itself.",
                self.shown,
            )
        return made


def locate(url: str, *, fresh: bool = False) -> Remote:
    """Find out which file system an address belongs to; most are not asked anything yet.

    Args:
        url: the address.
        fresh: forget what fsspec remembers of such file systems, as lists of files.

    Raises:
        LibraryMissing: fsspec, or what it needs for this protocol, is not installed.
        SourceOpenError: the address is malformed, or its server is out of reach.
    """
    shown = without_credentials(url)
    try:
        from fsspec import available_protocols
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise LibraryMissing(
            f"{shown} needs fsspec, which is not installed here; pip install 'fervid[remote]', or "
            "copy the file to this machine.",
            "remote",
        ) from error
    parts = links(url)
    if scheme_of(url) in ARCHIVES and len(parts) == 1:
        raise SourceOpenError(
            f"The address {shown} names no archive; write it like "
            f"{scheme_of(url)}://a.mp4::/path/archive.{scheme_of(url)}.",
            shown,
        )
    known = available_protocols()
    for scheme in filter(None, map(scheme_of, parts)):
        if scheme not in known:
            raise SourceOpenError(
                f"No package here knows addresses like {scheme}://, as in {shown}; check the "
                "spelling, or install the one that brings it to fsspec.",
                shown,
            )
    # A cache in front says that fsspec is meant; copies are kept nowhere.
    own = url.partition("::")[2] if parts[0].lower() in CACHES else url
    with told(url):
        system, path = url_to_fs(own)
        if fresh:
            type(system).clear_instance_cache()
            system, path = url_to_fs(own)
    return Remote(url, system, path)


def check_remote(url: str) -> None:
    """Refuse a file that is not there, is empty or a folder, without fetching it.

    Raises:
        LibraryMissing, SourceOpenError: it is.
    """
    there = locate(url)
    about = there.about()
    if about is None and there.is_pattern:
        there.fitting()  # tells why it cannot be listed, if it cannot
    shown = there.shown
    if about is None:
        raise SourceOpenError(f"There is no file {shown}; check its name and folder.", shown)
    if about.get("type") == "directory":
        raise SourceOpenError(f"{shown} is a folder; name a video file in it.", shown)
    if about.get("size") == 0:
        raise SourceOpenError(f"{shown} is empty; copy or record it again.", shown)


def remote_stamp(url: str) -> tuple[int, int]:
    """The size of a file and a number that changes with it; (0, 0) where it is not there.

    The number is made of what the protocol tells: a hash, a moment, or nothing but the size. It is
    one thing, since lists of files and questions for one of them tell more or less besides.
    """
    try:
        about = locate(url).about()
    except FervidError:  # told where it is opened
        about = None
    if about is None:
        return 0, 0
    size = int(about.get("size") or 0)
    told_of = next((about[key] for key in (*HASHES, *MOMENTS) if about.get(key) is not None), None)
    mark = told_of.timestamp() if isinstance(told_of, datetime) else told_of
    digest = hashlib.sha256(repr((size, mark)).encode()).digest()
    return size, int.from_bytes(digest[:7], "big")


def fetch(url: str, place: Path, size: int) -> None:
    """Copy a file to this machine.

    Args:
        url: its address.
        place: the new file.
        size: in bytes, as the server says; 0 where it does not.

    Raises:
        LibraryMissing, SourceOpenError: it cannot be fetched, or not all of it came.
    """
    there = locate(url)
    with told(url, place):
        there.system.get_file(there.path, str(place))
    came = place.stat().st_size
    if came < size:
        raise SourceOpenError(
            f"{there.shown} broke off while it was fetched ({came:,} of {size:,} bytes came); "
            "check the network, and start again.",
            there.shown,
        )


def _common_end(one: str, other: str) -> str:
    """The end that two paths share: whole names, or all of the second one."""
    n = 0
    while n < min(len(one), len(other)) and one[-1 - n] == other[-1 - n]:
        n += 1
    end = other[len(other) - n :]
    return end if end == other else end[end.index("/") :] if "/" in end else ""
