"""Results as annotations for ELAN, the Max Planck Institute's program for coding video.

`write_annotations` writes faces.eaf and faces.tsv beside each journal: for every face a tier of
expressions and a tier of where they are uncertain.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fervid import probe
from fervid.elan.document import Document, Media, Tier, eaf, in_ms
from fervid.errors import ConfigError, SinkError
from fervid.intervals import Interval, Intervals
from fervid.outputs import JOURNAL, VIDEO
from fervid.results import refuse_no_folder
from fervid.sinks.jsonl import read_frames, read_headers
from fervid.sinks.text import write_whole

EAF, TABLE = "faces.eaf", "faces.tsv"
HEADING = "tier\tbegin_ms\tend_ms\tvalue\n"
MIME = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mpg": "video/mpeg"}


def write_annotations(
    folder: Path, now: datetime, *, least_s: float, overwrite: bool = False
) -> Iterator[tuple[Path, str]]:
    """Write annotations beside each journal in and below a folder.

    Args:
        folder: as given to `-o`.
        now: with its time zone; ELAN wants to know when a file was made.
        least_s: shorter intervals are left out, seconds.
        overwrite: replace annotations that exist, with what somebody may have changed in them.

    Yields:
        Each file's path, and in words what was done about it.

    Raises:
        ConfigError: there is no such folder, no journal in it, or the least duration is none.
        SinkError: a journal cannot be read, or a file not be written.
    """
    if not 0 <= least_s < float("inf"):
        raise ConfigError(f"--least-s must be 0 or more seconds, not {least_s:g}.", "least_s")
    refuse_no_folder(folder)
    journals = sorted(folder.rglob(JOURNAL))
    if not journals:
        raise ConfigError(
            f"There is no journal ({JOURNAL}) below {folder}; give the folder that -o named.",
            "elan",
        )
    return (_write(journal, now, least_s, overwrite=overwrite) for journal in journals)


def _write(journal: Path, now: datetime, least_s: float, *, overwrite: bool) -> tuple[Path, str]:
    target = journal.with_name(EAF)
    if not overwrite and any(probe.exists(journal.with_name(name)) for name in (EAF, TABLE)):
        return target, "is there already; --overwrite makes it again, without what was changed"
    if journal.stat().st_size == 0:
        return journal, "is empty: the run ended before it began"
    headers = read_headers(journal)
    if len(headers) > 1:
        return journal, "holds several sources, and ELAN's files one"
    try:
        document = _document(journal, headers[0], now, least_s)
    except (KeyError, TypeError, ValueError) as error:  # JSON, but not with a journal's fields
        raise SinkError(
            f"{journal} is no journal of this version; analyse the clip again.", str(journal)
        ) from error
    write_whole(target, eaf(document))
    write_whole(journal.with_name(TABLE), HEADING + "".join(_lines(document)))
    linked = document.media.path if document.media else "no video"
    count = sum(len(tier.intervals) for tier in document.tiers)
    return target, f"{count} intervals in {len(document.tiers)} tiers, linked with {linked}"


def _document(journal: Path, header: Mapping[str, Any], now: datetime, least_s: float) -> Document:
    """What a journal's annotations are."""
    rate = header["source"]["rate"]
    frame_s = 1 / 25 if rate is None else _per_frame_s(rate)
    found = Intervals(frame_s)
    for _, line in read_frames(journal):
        found.add(line)
    media = _media(journal.parent, header["source"])
    tiers = []
    for track, labels, doubts in found.tracks(least_s):
        tiers.append(Tier(f"face {track}", "expression", _moved(labels, media)))
        tiers.append(Tier(f"face {track} uncertain", "uncertain", _moved(doubts, media)))
    author = f"fervid {header['fervid']}, {header['model']}"
    return Document(author, now, tuple(header["classes"]), tuple(tiers), media)


def _per_frame_s(rate: str) -> float:
    above, _, below = rate.partition("/")
    return float(below or 1) / float(above)


def _media(folder: Path, source: Mapping[str, Any]) -> Media | None:
    """The video that the times belong to: the source, or else the annotated one that was written.

    The annotated video of a part of the source begins at 0.
    """
    file = Path(source["uri"])
    kind = MIME.get(file.suffix.lower())
    if kind and not source["live"] and probe.is_file(file):
        try:
            path = os.path.relpath(probe.real(file), probe.real(folder))
        except ValueError:  # another drive of Windows
            path = str(probe.real(file))
        return Media(Path(path).as_posix(), kind, 0.0)
    if probe.is_file(folder / VIDEO):
        return Media(VIDEO, MIME[".mp4"], float(source["start_s"]))
    return None


def _moved(intervals: list[Interval], media: Media | None) -> tuple[Interval, ...]:
    """Intervals in the time of the linked video."""
    zero_s = media.zero_s if media else 0.0
    return tuple(Interval(i.start_s - zero_s, i.end_s - zero_s, i.value) for i in intervals)


def _lines(document: Document) -> Iterator[str]:
    """The table's lines, as ELAN imports tab-delimited text."""
    for tier in document.tiers:
        for interval in tier.intervals:
            begin, end = in_ms(interval)
            yield f"{tier.name}\t{begin}\t{end}\t{interval.value}\n"
