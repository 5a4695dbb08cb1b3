"""The folder of a segment: its name, its manifest, which files in it are fervid's.

    results/clip/20260131T031000.040Z/segment.json, annotated.mp4, faces.jsonl, faces.parquet, ...

The name says when the segment was begun, in UTC; of a recording the time of the video follows, as
in 20260131T031000.040Z_00h25m00s. A folder is taken for a segment only if its name has this form
and the manifest in it names it: a folder that somebody copied or renamed is nobody's but theirs.
"""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fervid.durable import write_durably
from fervid.errors import ConfigError, SinkError
from fervid.lock import FolderLock
from fervid.opened import make_folder
from fervid.outputs import FOLDERS, IN_FOLDER, SEGMENT

FORMAT_KEY, FORMAT = "fervid_segment", 1
_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z(?:_\d{2,}h[0-5]\dm[0-5]\ds)?(?:-\d+)?")


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a source's outputs.

    Attributes:
        folder: that holds it and nothing else.
        begun: when it was begun, in UTC.
        ended: when it was complete; None while it is written, and after a crash.
    """

    folder: Path
    begun: datetime
    ended: datetime | None = None

    @property
    def latest(self) -> datetime:
        """The latest moment that is known of it."""
        return self.ended or self.begun


def segment_name(begun: datetime, video_s: float | None = None) -> str:
    """The name of a segment's folder: sortable, and fit for every file system.

    Args:
        begun: when it was begun.
        video_s: where it begins in a recording, in seconds; None for live sources.
    """
    moment = begun.astimezone(UTC)
    name = f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z"
    if video_s is None:
        return name
    minutes, seconds = divmod(int(video_s), 60)
    return f"{name}_{minutes // 60:02}h{minutes % 60:02}m{seconds:02}s"


def make_segment(place: Path, begun: datetime, video_s: float | None = None) -> Segment:
    """Make the folder of a new segment, whatever is there already, and its manifest.

    Args:
        place: the folder of the source.
        begun: the present moment.
        video_s: where it begins in a recording, in seconds.

    Raises:
        SinkError: it cannot be made.
    """
    make_folder(place)
    name = segment_name(begun, video_s)
    for number in itertools.count(1):
        folder = place / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise SinkError(
                f"The folder {folder} cannot be made ({error.strerror}); free space there, check "
                "its permissions or choose another place.",
                str(folder),
            ) from error
        break
    segment = Segment(folder, begun.astimezone(UTC))
    write_manifest(segment)
    return segment


def write_manifest(segment: Segment) -> None:
    """Write what is known of a segment into its folder, for good.

    Raises:
        SinkError: it cannot be written.
    """
    ended = None if segment.ended is None else segment.ended.astimezone(UTC).isoformat()
    content = {FORMAT_KEY: FORMAT, "name": segment.folder.name}
    content |= {"begun": segment.begun.isoformat(), "ended": ended}
    write_durably(segment.folder / SEGMENT, json.dumps(content, indent=1) + "\n")


def read_segment(folder: Path) -> Segment | None:
    """The segment in a folder; None if fervid has not made this folder as one."""
    manifest = folder / SEGMENT
    if not _NAME.fullmatch(folder.name) or folder.is_symlink() or manifest.is_symlink():
        return None
    try:
        content: Any = json.loads(manifest.read_text(encoding="utf-8"))
        if content[FORMAT_KEY] != FORMAT or content["name"] != folder.name:
            return None
        begun, ended = _moment(content["begun"]), content["ended"]
        return Segment(folder, begun, None if ended is None else _moment(ended))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def own_files(segment: Segment) -> Iterator[Path]:
    """The files of a segment that fervid writes, the manifest last; no links, none behind links."""
    for pictures in _picture_folders(segment):
        for path in FOLDERS[pictures.name](pictures):
            if not path.parent.is_symlink() and _is_plain(path):
                yield path
    for name in (*IN_FOLDER, SEGMENT):
        for path in (segment.folder / f"{name}.part", segment.folder / name):
            if _is_plain(path):
                yield path


def size_of(segment: Segment) -> int:
    """The bytes that a segment's files have."""
    total = 0
    for path in own_files(segment):
        with suppress(FileNotFoundError):  # somebody removes it at this moment
            total += path.stat().st_size
    return total


def is_being_written(segment: Segment) -> bool:
    """Whether a run, this one or another, is at work on a segment.

    Where there are no locks (Windows, some network file systems), every segment without an end
    counts as being written.
    """
    lock = FolderLock(segment.folder)
    try:
        lock.take()
    except ConfigError:
        return True
    with lock:
        return not lock.held and segment.ended is None


def remove_segment(segment: Segment) -> None:
    """Remove a segment's files, and its folders where nothing else lies in them.

    Raises:
        OSError: one cannot be removed; the manifest stays, so that it is tried again.
    """
    for path in own_files(segment):
        path.unlink(missing_ok=True)
    pictures = _picture_folders(segment)
    inner = [path for folder in pictures for path in folder.glob("track_*")]
    for folder in (*(path for path in inner if not path.is_symlink()), *pictures, segment.folder):
        with suppress(OSError):  # not empty, or not there
            folder.rmdir()


def _picture_folders(segment: Segment) -> list[Path]:
    folders = [segment.folder / name for name in FOLDERS]
    return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
