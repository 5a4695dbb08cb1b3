"""Rebuild what a run could not complete - tables, summaries, reports - from its journals."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fervid.archive import ALL, CLIPS, found_folders, known_folders, whole_tables, write_archive
from fervid.errors import ConfigError, SinkError
from fervid.lock import FolderLock
from fervid.outputs import JOURNAL, REPORT, SUMMARY, write_summary
from fervid.replay import replayed_summary
from fervid.report import report_of
from fervid.results import refuse_no_folder
from fervid.sinks.jsonl import ends_cut_off, may_be_journal, read_headers

# A journal that has changed since is still being written. Every frame adds a line.
QUIET_S = 10.0


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done about one file.

    Attributes:
        path: the file that was looked at or written.
        done: in words.
        written: whether it was written.
        left: whether it still has to be completed, which this time it could not be.
    """

    path: Path
    done: str
    written: bool
    left: bool = False


def recover(folder: Path, now: Callable[[], float] = time.time) -> list[Recovered]:
    """Complete every run below a folder that has a journal and no complete table.

    Files that are complete, and files that are not fervid's, stay as they are.

    Args:
        folder: as given to `-o`.
        now: seconds since 1970, to leave alone what is still being written.

    Returns:
        What was done, file by file; nothing for what was complete.

    Raises:
        ConfigError: there is no such folder, or no journal in it.
    """
    refuse_no_folder(folder)
    journals = sorted(folder.rglob("*.jsonl"))
    if not journals:
        raise ConfigError(
            f"There is no journal (faces.jsonl) below {folder}; give the folder that -o named.",
            "recover",
        )
    done = [step for journal in journals for step in _recover_one(journal, now)]
    try:
        done += _renew_archive(folder, renew=any(step.written for step in done))
    except SinkError as error:
        done.append(Recovered(folder / ALL, f"is left as it is: {error}", False, left=True))
    return done


def _recover_one(journal: Path, now: Callable[[], float]) -> Iterator[Recovered]:
    """Complete the table and the summary of one journal, if it needs that."""
    table, summary = journal.with_suffix(".parquet"), journal.with_name(SUMMARY)
    if table.name == ALL:
        if not table.exists():
            done = f"would become {ALL}, the table of all clips: rename it"
            yield Recovered(journal, done, False, left=True)
        return
    if journal.name != JOURNAL and not may_be_journal(journal):
        yield Recovered(journal, "is no journal, as of --events, and stays as it is", False)
        return
    missing_table = _needs_table(table)
    missing_summary = journal.name == JOURNAL and not summary.exists()
    if table.exists() and missing_table is None:
        yield Recovered(table, "is no table of fervid's and stays as it is", False)
        return
    if not missing_table and not missing_summary:
        return
    if journal.stat().st_size == 0:
        yield Recovered(journal, "is empty: the run ended before it began", False)
        return
    if now() - journal.stat().st_mtime < QUIET_S:
        done = f"is still being written; try again in {QUIET_S:.0f} s"
        yield Recovered(journal, done, False, left=True)
        return
    yield from _rebuild_alone(journal, table if missing_table else None, missing_summary)


def _rebuild_alone(journal: Path, table: Path | None, with_summary: bool) -> Iterator[Recovered]:
    """Complete what is not complete, unless the journal's run goes on, and say what went wrong."""
    with FolderLock(journal.parent) as lock:
        try:
            lock.take()
        except ConfigError:  # a run that waits for its camera adds no line
            done = "is still being written; try again when its run has ended"
            yield Recovered(journal, done, False, left=True)
            return
        try:
            yield from _rebuild(journal, table, with_summary)
        except SinkError as error:
            yield Recovered(journal, f"is left as it is: {error}", False, left=True)
        except (KeyError, TypeError, ValueError):  # JSON, but not with the fields of a journal
            done = "is left as it is: it is no journal of this version"
            yield Recovered(journal, done, False, left=True)


def _needs_table(table: Path) -> bool | None:
    """Whether a table has to be made; None where something else has its name."""
    from fervid.sinks.tables import is_unfinished, table_header

    if not table.exists() or is_unfinished(table):
        return True
    return None if table_header(table) is None else False


def _rebuild(journal: Path, table: Path | None, with_summary: bool) -> Iterator[Recovered]:
    from fervid.sinks.parquet import parquet_from_journal

    cut = ", its last line was cut off" if ends_cut_off(journal) else ""
    headers = read_headers(journal)
    if table is not None:
        part = table.with_name(table.name + ".part")
        try:
            rows = parquet_from_journal(journal, part)
            part.replace(table)
        except OSError as error:
            raise SinkError(f"{table} cannot be written ({error.strerror}).", str(table)) from error
        finally:
            part.unlink(missing_ok=True)
        several = f" of {len(headers)} sources" if len(headers) > 1 else ""
        yield Recovered(table, f"{rows} rows{several} from {journal.name}{cut}", True)
    if with_summary and len(headers) == 1:
        figures: dict[str, Any] = replayed_summary(journal)
        path = journal.with_name(SUMMARY)
        write_summary(path, figures)
        yield Recovered(path, f"figures of {figures['frames']} frames", True)
        report_of(journal, journal.with_name(REPORT), figures)
        yield Recovered(journal.with_name(REPORT), "without pictures of faces", True)


def _renew_archive(folder: Path, *, renew: bool) -> Iterator[Recovered]:
    """Make all.parquet and clips.csv again, if there are several clips and something changed."""
    from fervid.sinks.tables import is_unfinished, table_header

    everything, folders = folder / ALL, found_folders(folder)
    about = table_header(everything) if everything.exists() else None
    if about is None and everything.exists() and not is_unfinished(everything):
        yield Recovered(everything, "is no table of fervid's and stays as it is", False)
        return
    complete = about is not None and set(about.get("folders", ())) == set(whole_tables(folder))
    if (complete and not renew) or (about is None and len(folders) < 2):
        return
    rows = write_archive(folder, [*known_folders(folder), *folders], {})
    yield Recovered(everything, f"{rows} rows of {len(whole_tables(folder))} clips", True)
    yield Recovered(folder / CLIPS, f"the figures of {len(folders)} clips", True)
