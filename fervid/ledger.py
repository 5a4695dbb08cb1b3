"""Ledger: the rows of a run's sources, of which its tables are made."""

import logging
import math
import threading
from collections.abc import Sequence

from rich.table import Table

from fervid import probe
from fervid.archive import ALL, CLIPS, known_folders, refuse_foreign, write_archive
from fervid.clips import Row, failed_row
from fervid.config import RunConfig
from fervid.ending import ending
from fervid.outputs import Target

# Of all.parquet after Ctrl-C or SIGTERM, which have 2 s; a million take about 2 s by themselves.
HASTE_ROWS = 100_000

_log = logging.getLogger(__name__)


class Ledger:
    """The rows of a run's sources, as clips.csv has them; several threads may enter some.

    Args:
        config: of the run.
        targets: of all its sources, as `plan` makes them.

    Raises:
        ConfigError: a file that is not fervid's lies where the archive's tables go.
    """

    def __init__(self, config: RunConfig, targets: Sequence[Target]) -> None:
        self._output, self._targets = config.output, targets
        self._several = len(targets) > 1
        self._out = config.output.out
        if self._out is not None and not self._several and not probe.exists(self._out / CLIPS):
            self._out = None  # one clip by itself needs no table of clips
        if config.segments.segment is not None:
            self._out = None  # what comes and goes belongs in no table
        if self._out is not None:
            refuse_foreign(self._out)
        self._rows: dict[str, Row] = {}
        self._lock = threading.Lock()

    def __contains__(self, target: Target) -> bool:
        with self._lock:
            return target.source in self._rows

    def name(self, target: Target) -> str:
        """The folder of a source below the results' folder; nothing without one."""
        out = self._output.out
        if target.folder is None or out is None:
            return ""
        return target.folder.relative_to(out).as_posix()

    def row(self, target: Target) -> Row:
        """The row of a source; of one that has none yet, without figures."""
        with self._lock:
            return self._row(target)

    def enter(self, target: Target, row: Row) -> None:
        """Enter the row of a source, in place of the one before."""
        with self._lock:
            self._rows[target.source] = row

    def fail(self, target: Target, error: object) -> Row:
        """Enter the error of a source, beside the figures that it has; returns its row."""
        with self._lock:
            row = self._row(target) | {"error": str(error)}
            self._rows[target.source] = row
        return row

    def write(self, *, in_haste: bool = False) -> None:
        """Write the archive's tables, if there are any, as far as their folder is there.

        Clips of other runs come first, then this run's in the order in which they were named.

        Args:
            in_haste: leave what takes long to `--resume` and `fervid recover`.

        Raises:
            SinkError: one cannot be written.
        """
        out = self._out
        if out is None or not probe.is_folder(out):
            return
        fresh = {row["folder"]: row for row in self._rows.values()}
        mine = dict.fromkeys(self.name(target) for target in self._targets)
        known = known_folders(out)
        there = {*known, *fresh}
        others = [name for name in known if name not in mine]
        names = [*others, *filter(there.__contains__, mine)]
        if write_archive(out, names, fresh, HASTE_ROWS if in_haste else math.inf) is None:
            _log.warning(
                "%s is not made anew at an early end, as so many rows take long; --resume makes "
                "it, or `fervid recover %s`.",
                *(out / ALL, out),
            )

    def ending(self) -> Table | None:
        """The table at the end; one source that never began has said why, and needs none."""
        rows = [self._rows[t.source] for t in self._targets if t.source in self._rows]
        begun = self._several or any(row["frames"] for row in rows)
        return ending(rows, self._places()) if rows and begun else None

    def _row(self, target: Target) -> Row:
        row = self._rows.get(target.source)
        return row or failed_row(self.name(target), target.label, "")

    def _places(self) -> list[str]:
        """Where a person finds the results."""
        folders = [t.folder for t in self._targets if t.folder]
        folder = folders[0] if len(folders) == 1 else self._output.out
        return [*([f"{folder}/"] if folder else []), *map(str, self._output.files())]
