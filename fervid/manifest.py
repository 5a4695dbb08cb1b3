"""manifest.json, beside the clips' folders: what a run takes in hand, and what of it is done.

    {"fervid_manifest": 1, "files": {"/archive/a/x.mp4":
        {"folder": "a/x", "size": 5120, "mtime_ns": 17, "state": "done"}}}

Every change replaces the whole file, so that it is complete at any moment. A file is `planned`,
`done` (its outputs are on the disk for good) or `failed`, which is tried again. The size and time
of change are those from before the file was analysed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self, get_args

from fervid import probe
from fervid.archive import MANIFEST
from fervid.config.addresses import is_fetched
from fervid.config.source import identity
from fervid.durable import write_durably
from fervid.errors import ConfigError, SinkError
from fervid.images import sequence
from fervid.lock import FolderLock
from fervid.remote import remote_stamp

FORMAT_KEY, FORMAT = "fervid_manifest", 1
State = Literal["planned", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one file.

    Attributes:
        folder: of its outputs, below the results' folder.
        size: in bytes; of a sequence of images, of all together.
        mtime_ns: when it changed last; of a sequence, the latest; of a file elsewhere, a mark.
        state: how far it is.
    """

    folder: str
    size: int
    mtime_ns: int
    state: State = "planned"


def stamp(source: str) -> tuple[int, int]:
    """The size of a source and when it changed last; (0, 0) where it is not there.

    Of a file elsewhere the second is a number that another content gets another one of.
    """
    if is_fetched(source):
        return remote_stamp(source)
    pictures = sequence(source) if probe.is_folder(Path(source)) or "%" in source else []
    try:
        found = [path.stat() for path in pictures or (Path(source),)]
    except (OSError, ValueError):
        return 0, 0
    return sum(s.st_size for s in found), max(s.st_mtime_ns for s in found)


class Manifest:
    """The manifest of a results' folder; a context manager, which keeps other runs out of it.

    Args:
        out: the folder, which may not be there yet; None keeps nothing.

    Raises:
        ConfigError: another run is at work there, or the file is not of fervid, or damaged.
    """

    def __init__(self, out: Path | None) -> None:
        self._out = out
        self._lock = FolderLock(out)
        self._lock.take()
        try:
            self._files: dict[str, Entry] = {} if out is None else _read(out / MANIFEST)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.close()

    def entry(self, source: str) -> Entry | None:
        """What is known of a source."""
        return self._files.get(identity(source))

    def begun(self, sources: Iterable[str]) -> dict[str, Path]:
        """Those of some sources that a run has taken in hand, and their folders."""
        entries = {source: self.entry(source) for source in sources}
        return {source: Path(entry.folder) for source, entry in entries.items() if entry}

    def unchanged(self, sources: Iterable[str]) -> frozenset[str]:
        """Those of some sources that are as they were when a run took them in hand."""
        entries = {source: self.entry(source) for source in sources}
        return frozenset(
            source
            for source, entry in entries.items()
            if entry and (entry.size, entry.mtime_ns) == stamp(source)
        )

    def begin(self, folders: Mapping[str, str]) -> None:
        """Take sources in hand: from now on what lies in their folders is this run's.

        Args:
            folders: by source, below the results' folder.

        Raises:
            ConfigError: another run has begun there meanwhile.
            SinkError: the manifest cannot be written.
        """
        if self._out is None or not folders:
            return
        _make(self._out)
        self._lock.take()
        taken = set(folders.values())  # with --overwrite others may have had them
        self._files = {s: e for s, e in self._files.items() if e.folder not in taken}
        for source, folder in folders.items():
            self._files[identity(source)] = Entry(folder, *stamp(source))
        self._write(self._out)

    def conclude(self, source: str, *, done: bool) -> None:
        """Write down that a source is complete, or has failed.

        Raises:
            SinkError: the manifest cannot be written.
        """
        entry = self.entry(source)
        if self._out is not None and entry is not None:
            state: State = "done" if done else "failed"
            self._files[identity(source)] = replace(entry, state=state)
            self._write(self._out)

    def _write(self, out: Path) -> None:
        files = {source: asdict(entry) for source, entry in self._files.items()}
        content = {FORMAT_KEY: FORMAT, "files": files}
        write_durably(out / MANIFEST, json.dumps(content, indent=1) + "\n")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"The folder {folder} cannot be made ({error.strerror}); choose another.", str(folder)
        ) from error


def _read(path: Path) -> dict[str, Entry]:
    """The entries of a manifest; none where there is no such file."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        files = {FORMAT: content["files"]}[content[FORMAT_KEY]]
        return {source: _entry(fields) for source, fields in files.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}); check its permissions or choose another "
            "folder.",
            "out",
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path} is no manifest of this version of fervid; move it or choose another folder.",
            "out",
        ) from error


def _entry(fields: Mapping[str, Any]) -> Entry:
    """An entry; its folder lies below the results' folder, whoever wrote it.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    entry = Entry(**fields)
    folder = PurePosixPath(entry.folder)
    below = folder.parts and not folder.is_absolute() and ".." not in folder.parts
    if not below or entry.state not in get_args(State):
        raise ValueError(fields)
    return replace(entry, size=int(entry.size), mtime_ns=int(entry.mtime_ns))
