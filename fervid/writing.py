"""RunOutputs: all that a run writes, over all its sources."""

import logging
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console

from fervid import probe
from fervid.archive import ALL, CLIPS, known_folders, refuse_foreign, write_archive
from fervid.clips import Row, clip_row, failed_row, render
from fervid.config import RunConfig
from fervid.errors import ReaderGone, SinkError
from fervid.interrupt import held_interrupt
from fervid.outputs import Output, Target, write_summary
from fervid.report import Observer, write_report
from fervid.sinks import SINKS, RunHeader, Sink
from fervid.sinks.text import TextOutput, sink_error

# Of all.parquet after Ctrl-C or SIGTERM, which have 2 s; a million take about 2 s by themselves.
HASTE_ROWS = 100_000

_log = logging.getLogger(__name__)


class RunOutputs:
    """The outputs of a run; a context manager, which completes what the sources share.

    Several sources may be written at once, each by a thread of its own.

    Args:
        config: of the run.
        targets: of all its sources, as `plan` makes them.
        stderr: for the table at the end of a run over several sources.
        stdout: for data that were asked for with `-`.

    Raises:
        ConfigError: a file that is not fervid's lies where the archive's tables go.
    """

    def __init__(
        self, config: RunConfig, targets: Sequence[Target], stderr: Console, stdout: TextIO
    ) -> None:
        self._config, self._stderr, self._stdout = config, stderr, stdout
        self._targets, self._several = targets, len(targets) > 1
        self._out = config.output.out
        if self._out is not None and not self._several and not probe.exists(self._out / CLIPS):
            self._out = None  # one clip by itself needs no table of clips
        if self._out is not None:
            refuse_foreign(self._out)
        self._more = {"video": {"threads": config.cores.encode_threads}}
        self._rows: dict[str, Row] = {}
        self._shared: dict[Output, Any] = {}
        self._observers: dict[str, Observer] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    @contextmanager
    def sinks(self, target: Target, header: RunHeader) -> Iterator[list[Sink]]:
        """Open the sinks of a source and close them all, also after an error.

        Raises:
            SinkError: a folder or file cannot be made, or has gone at the end; what was opened is
                closed.
        """
        opened: list[Sink] = []
        try:
            # One after the other into the list: those before one that fails have to be closed.
            for kind, path in target.sinks:
                opened.append(_open(kind, path, header, **self._more.get(kind, {})))
            for output in target.shared:
                opened.append(self._join(output, header))  # noqa: PERF401
            if target.report is not None:
                opened.append(self._observe(target, target.report, header))
            yield opened
            self.refuse_gone(target)
        except BaseException:
            with held_interrupt():
                _close(opened, quiet=True)
            raise
        with held_interrupt():
            _close(opened, quiet=False)

    def refuse_gone(self, target: Target) -> None:
        """Stop where a file that is being written was deleted or moved: what follows would be lost.

        Raises:
            SinkError: so it is.
        """
        for kind, path in (*target.sinks, *target.shared):
            if path is not None and kind != "crops" and not probe.exists(path):
                raise SinkError(
                    f"{path} was deleted or moved while it was written; leave the results alone "
                    "until the end, and start again.",
                    str(path),
                )

    def add(self, target: Target, summary: Mapping[str, Any]) -> None:
        """Take the figures of a source that has ended, well or not; write its summary and report.

        Args:
            target: of the source.
            summary: as `outputs.summary_record` makes it.

        Raises:
            SinkError: one cannot be written.
        """
        self._put(target, clip_row(self.name(target), summary))
        # Without its folder no output could be opened, and that is the error to tell.
        if target.summary is not None and probe.is_folder(target.summary.parent):
            write_summary(target.summary, summary)
            observer = self._observers.pop(target.source, None)
            if target.report is not None and observer is not None:
                write_report(target.report, observer, summary)

    def fail(self, target: Target, error: object) -> None:
        """Take the error of a source that failed; figures that it had are kept."""
        with self._lock:
            row = self._rows.get(target.source)
            if row is None:
                row = failed_row(self.name(target), target.label, error)
            self._put(target, row | {"error": str(error)})

    def take(self, target: Target, row: Row) -> None:
        """Take the row of a source that another process, or an earlier run, has analysed."""
        self._put(target, row)

    def row(self, target: Target) -> Row:
        """The row of a source; of one that has none yet, without figures."""
        with self._lock:
            row = self._rows.get(target.source)
        return row or failed_row(self.name(target), target.label, "")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with held_interrupt():
            try:
                in_haste = isinstance(error, KeyboardInterrupt)
                self.finish(show=not isinstance(error, ReaderGone), in_haste=in_haste)
            except SinkError as second:
                if error is None:
                    raise
                _log.warning("%s", second)  # the first error is the one to tell

    def finish(self, *, show: bool = True, in_haste: bool = False) -> None:
        """Complete the shared files and the archive's tables.

        Args:
            show: show the table of clips, if there are several.
            in_haste: leave what takes long to `--resume` and `fervid recover`.

        Raises:
            SinkError: one could not be completed; the others are.
        """
        with ExitStack() as closing:  # closes all, and raises the last error
            if show:
                closing.callback(self._show)
            if self._out is not None and probe.is_folder(self._out):
                closing.callback(self._write_archive, self._out, in_haste=in_haste)
            for output in self._shared.values():
                closing.callback(output.close)

    def _observe(self, target: Target, report: Path, header: RunHeader) -> Observer:
        """What collects for the report of a source; one of an earlier run makes room.

        Raises:
            SinkError: the earlier one cannot be removed.
        """
        try:
            report.unlink(missing_ok=True)
        except OSError as error:
            raise sink_error(report, error) from error
        output = self._config.output
        pictures = output.images and output.anonymize == "none"
        observer = Observer.of_run(header, pictures=pictures)
        self._observers[target.source] = observer
        return observer

    def _join(self, output: Output, header: RunHeader) -> Sink:
        """A sink of this source that writes to an output of all."""
        kind, path = output
        with self._lock:
            if output not in self._shared:
                self._shared[output] = self._begin(kind, path, header)
            return _make(kind, path, header, shared=self._shared[output])

    def _begin(self, kind: str, path: Path | None, header: RunHeader) -> Any:
        if path is None:
            return TextOutput(None, self._stdout)
        _make_folder(path)
        if kind != "parquet":
            return TextOutput(path)
        from fervid.sinks.parquet import ParquetTable

        return ParquetTable(path, header.classes)

    def name(self, target: Target) -> str:
        """The folder of a source below the results' folder; nothing without one."""
        out = self._config.output.out
        if target.folder is None or out is None:
            return ""
        return target.folder.relative_to(out).as_posix()

    def _put(self, target: Target, row: Row) -> None:
        with self._lock:
            self._rows[target.source] = row

    def _write_archive(self, out: Path, *, in_haste: bool) -> None:
        """Clips of other runs first, then this run's in the order in which they were named."""
        fresh = {row["folder"]: row for row in self._rows.values()}
        mine, known = [self.name(target) for target in self._targets], known_folders(out)
        there = {*known, *fresh}
        others = [name for name in known if name not in set(mine)]
        names = [*others, *filter(there.__contains__, mine)]
        if write_archive(out, names, fresh, HASTE_ROWS if in_haste else math.inf) is None:
            _log.warning(
                "%s is not made anew at an early end, as so many rows take long; --resume makes "
                "it, or `fervid recover %s`.",
                *(out / ALL, out),
            )

    def _show(self) -> None:
        if self._several and self._rows and not self._config.quiet:
            rows = [self._rows[t.source] for t in self._targets if t.source in self._rows]
            self._stderr.print(render(rows))


def _make(kind: str, path: Path | None, header: RunHeader, **more: Any) -> Sink:
    module, _, name = SINKS[kind].partition(":")
    make: Any = getattr(import_module(module), name)
    sink: Sink = make(path, header, **more)
    return sink


def _open(kind: str, path: Path | None, header: RunHeader, **more: Any) -> Sink:
    if path is not None:
        _make_folder(path)
    return _make(kind, path, header, **more)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"The folder {path.parent} cannot be made ({error.strerror}); choose another.",
            str(path),
        ) from error


def _close(sinks: Sequence[Sink], *, quiet: bool) -> None:
    """Close every sink; the first error is raised unless another one is under way."""
    errors: list[SinkError] = []
    for sink in sinks:
        try:
            sink.close()
        except SinkError as error:
            errors.append(error)
    if errors and not quiet:
        raise errors[0]
