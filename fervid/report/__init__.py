"""A report of one run over one source: report.html, a file that a browser opens without a network.

`Observer` collects while the run goes on, `write_report` writes the file when its summary is known;
`report_of` makes one from a journal, without pictures and maps, which no journal holds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fervid.replay import replay
from fervid.report.data import report_data
from fervid.report.observer import Observer
from fervid.report.page import page
from fervid.sinks.jsonl import read_headers
from fervid.sinks.text import write_whole

__all__ = ["Observer", "report_of", "write_report"]


def write_report(path: Path, observer: Observer, summary: Mapping[str, Any]) -> None:
    """Write a report, complete or not at all.

    Args:
        path: the file.
        observer: that has seen every frame.
        summary: as summary.json has it.

    Raises:
        SinkError: it cannot be written.
    """
    write_whole(path, page(report_data(observer, summary)))


def report_of(journal: Path, path: Path, summary: Mapping[str, Any]) -> None:
    """Write the report of a run that is over, from its journal of one source.

    Raises:
        SinkError: the journal cannot be read or the report not be written.
    """
    observer = Observer(read_headers(journal)[0], pictures=False)
    for result in replay(journal):
        observer.observe(result)
    write_report(path, observer, summary)
