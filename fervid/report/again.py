"""Reports for results that have none, from their journals."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fervid.errors import ConfigError, SinkError
from fervid.outputs import JOURNAL, REPORT, SUMMARY
from fervid.replay import replayed_summary
from fervid.report import report_of
from fervid.results import refuse_no_folder
from fervid.sinks.jsonl import read_headers
from fervid.sinks.text import read_error


def write_reports(folder: Path, *, overwrite: bool = False) -> Iterator[tuple[Path, str]]:
    """Write a report beside each journal in and below a folder.

    Args:
        folder: as given to `-o`.
        overwrite: replace reports that exist.

    Yields:
        Each report's path, and in words what was done about it.

    Raises:
        ConfigError: there is no such folder, or no journal in it.
        SinkError: a journal cannot be read, or a report not be written.
    """
    refuse_no_folder(folder)
    journals = sorted(folder.rglob(JOURNAL))
    if not journals:
        raise ConfigError(
            f"There is no journal ({JOURNAL}) below {folder}; give the folder that -o named.",
            "report",
        )
    return (_write(journal, overwrite=overwrite) for journal in journals)


def _write(journal: Path, *, overwrite: bool) -> tuple[Path, str]:
    report = journal.with_name(REPORT)
    if report.exists() and not overwrite:
        return report, "is there already; --overwrite makes it again, without pictures of faces"
    if journal.stat().st_size == 0:
        return journal, "is empty: the run ended before it began"
    if len(read_headers(journal)) > 1:
        return journal, "holds several sources, and a report shows one"
    try:
        report_of(journal, report, _summary(journal))
    except (KeyError, TypeError, ValueError) as error:  # JSON, but not with a journal's fields
        raise SinkError(
            f"{journal} is no journal of this version; analyse the clip again.", str(journal)
        ) from error
    return report, "written, without pictures of faces"


def _summary(journal: Path) -> Mapping[str, Any]:
    """The summary beside a journal; from the journal alone where there is none.

    Raises:
        SinkError: it cannot be read.
    """
    path = journal.with_name(SUMMARY)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return replayed_summary(journal)
    except (OSError, ValueError) as error:
        raise read_error(path, error) from error
    return content if isinstance(content, dict) else replayed_summary(journal)
