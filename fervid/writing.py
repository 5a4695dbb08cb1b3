"""RunOutputs: all that a run writes, over all its sources."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console

from fervid import probe
from fervid.clips import Row, clip_row
from fervid.config import STDOUT, RunConfig
from fervid.console import say
from fervid.errors import ReaderGone, SinkError
from fervid.interrupt import held_interrupt
from fervid.ledger import Ledger
from fervid.lock import HeldFolders
from fervid.opened import (
    close_sinks,
    make_folder,
    make_sink,
    open_sink,
    refuse_gone,
    remove_earlier,
)
from fervid.outputs import EVENTS, Output, Target, write_summary
from fervid.report import Observer, write_report
from fervid.retention import Retention
from fervid.segments import Segments
from fervid.sinks import RunHeader, Sink
from fervid.sinks.text import TextOutput
from fervid.watch.hub import Watch

_log = logging.getLogger(__name__)


class RunOutputs:
    """The outputs of a run; a context manager, which completes what the sources share.

    Several sources may be written at once, each by a thread of its own.

    Args:
        config: of the run.
        targets: of all its sources, as `plan` makes them.
        stderr: for the table at the end of a run.
        stdout: for data that were asked for with `-`.

    Raises:
        ConfigError: a file that is not fervid's lies where the archive's tables go.
    """

    def __init__(
        self, config: RunConfig, targets: Sequence[Target], stderr: Console, stdout: TextIO
    ) -> None:
        self._config, self._stderr, self._stdout = config, stderr, stdout
        self._targets, self._ledger = targets, Ledger(config, targets)
        self._more = {"video": {"threads": config.cores.encode_threads}}
        self._shared: dict[Output, Any] = {}
        self._observers: dict[str, Observer] = {}
        self._watch: Watch | None = None
        self._segments: dict[str, Segments] = {}
        places = [t.folder for t in targets if t.segmented and t.folder is not None]
        self._retention = Retention(places, config.segments)
        self._held = HeldFolders()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def watch(self, classes: Sequence[str], environment: Mapping[str, str]) -> None:
        """Begin to tell others what happens, as far as that was asked for.

        Args:
            classes: of the model.
            environment: of a command that alerts start.

        Raises:
            FervidError: as `Watch` does; nobody is told anything then.
        """
        config = self._config.watch
        if config.asked is None:
            return
        speak = (lambda _: None) if self._config.quiet else partial(say, self._stderr)
        output = None if config.events is None else partial(self._begin_events, config.events)
        self._watch = Watch(config, classes, environment, speak, output)
        for target in self._targets:
            if target in self._ledger:  # it could not be opened
                row = self._ledger.row(target)
                self._watch.end(target.source, target.label, 0, row["error"])

    def _begin_events(self, path: Path) -> TextOutput:
        """The output of events, which is there from the start."""
        place = None if path == STDOUT else path
        output: TextOutput = self._begin(EVENTS, place, None)
        self._shared[EVENTS, place] = output
        return output

    @contextmanager
    def sinks(
        self, target: Target, header: RunHeader, damaged: Callable[[], int] = int
    ) -> Iterator[list[Sink]]:
        """Open the sinks of a source and close them all, also after an error.

        Args:
            target: of the source.
            header: of the run over it.
            damaged: how many of its frames could not be decoded so far.

        Raises:
            ConfigError: another run writes to the source's folder.
            SinkError: a folder or file cannot be made, or has gone at the end; what was opened is
                closed.
        """
        if target.own_folder is not None:
            make_folder(target.own_folder)
            self._held.take(target.own_folder)
        opened: list[Sink] = []
        try:
            # One after the other into the list: those before one that fails have to be closed.
            for kind, path in target.sinks:
                opened.append(open_sink(kind, path, header, **self._more.get(kind, {})))
            for output in target.shared:
                if output[0] != EVENTS:
                    opened.append(self._join(output, header))  # noqa: PERF401
            if target.report is not None:
                remove_earlier((target.summary, target.report))
                opened.append(self._observe(target, header))
            if target.segmented and target.folder is not None:
                opened.append(self._cut(target, target.folder, header))
            if self._watch is not None:  # last: what it tells is in all others by then
                opened += self._watch.sinks(target.source, header, damaged)
            yield opened
            self.refuse_gone(target)
        except BaseException:
            with held_interrupt():
                close_sinks(opened, quiet=True)
            raise
        with held_interrupt():
            close_sinks(opened, quiet=False)

    def tidy(self) -> None:
        """Remove segments that have become too old while nothing is written."""
        self._retention.look_in_silence()

    def hurry(self) -> None:
        """The run was interrupted: who takes nothing of what is shared is waited for no more."""
        for output in list(self._shared.values()):
            if isinstance(output, TextOutput):
                output.hurry()

    def refuse_gone(self, target: Target) -> None:
        """Stop where a file that is being written was deleted or moved: what follows would be lost.

        Raises:
            SinkError: so it is.
        """
        refuse_gone((*target.sinks, *target.shared))

    def add(self, target: Target, summary: Mapping[str, Any]) -> None:
        """Take the figures of a source that has ended, well or not; write its summary and report.

        Args:
            target: of the source.
            summary: as `outputs.summary_record` makes it.

        Raises:
            SinkError: one cannot be written.
        """
        try:
            self._conclude(target, summary)
        finally:
            self._held.leave(target.own_folder)

    def _conclude(self, target: Target, summary: Mapping[str, Any]) -> None:
        self.take(target, clip_row(self.name(target), summary))
        if segments := self._segments.pop(target.source, None):
            segments.conclude(summary["error"])
        # Without its folder no output could be opened, and that is the error to tell.
        if target.summary is not None and probe.is_folder(target.summary.parent):
            write_summary(target.summary, summary)
            observer = self._observers.pop(target.source, None)
            if target.report is not None and observer is not None:
                write_report(target.report, observer, summary)
        if self._watch is not None:
            frames, error = summary["frames"], summary["error"]
            self._watch.end(target.source, target.label, frames, error)

    def fail(self, target: Target, error: object) -> None:
        """Take the error of a source that failed; figures that it had are kept."""
        self._held.leave(target.own_folder)
        row = self._ledger.fail(target, error)
        if self._watch is not None:
            with suppress(SinkError):  # this error is the one to tell
                self._watch.end(target.source, target.label, row["frames"] or 0, str(error))

    def take(self, target: Target, row: Row) -> None:
        """Take the row of a source that another process, or an earlier run, has analysed."""
        self._ledger.enter(target, row)

    def row(self, target: Target) -> Row:
        """The row of a source; of one that has none yet, without figures."""
        return self._ledger.row(target)

    def name(self, target: Target) -> str:
        """The folder of a source below the results' folder; nothing without one."""
        return self._ledger.name(target)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._watch is not None and not isinstance(error, KeyboardInterrupt):
                self._watch.drain()
        finally:
            with held_interrupt():
                self._held.close()
                self._finish_after(error)

    def _finish_after(self, error: BaseException | None) -> None:
        """Complete what is shared after a run, well or not.

        Raises:
            SinkError: that could not be, and the run itself had no error.
        """
        in_haste = isinstance(error, KeyboardInterrupt)
        try:
            self.finish(show=not isinstance(error, ReaderGone), in_haste=in_haste)
        except SinkError as second:
            if error is None:
                raise
            _log.warning("%s", second)  # the first error is the one to tell

    def finish(self, *, show: bool = True, in_haste: bool = False) -> None:
        """Complete the shared files and the archive's tables.

        Args:
            show: show the table of sources.
            in_haste: leave what takes long to `--resume` and `fervid recover`.

        Raises:
            SinkError: one could not be completed; the others are.
        """
        with ExitStack() as closing:  # closes all, and raises the last error
            if show and not self._config.quiet:
                closing.callback(self._show)
            closing.callback(self._ledger.write, in_haste=in_haste)
            for output in self._shared.values():
                closing.callback(output.close)
            if self._watch is not None:
                closing.callback(self._watch.close)

    def _observe(self, target: Target, header: RunHeader) -> Observer:
        """What collects for the report of a source."""
        output = self._config.output
        pictures = output.images and output.anonymize == "none"
        observer = Observer.of_run(header, pictures=pictures)
        self._observers[target.source] = observer
        return observer

    def _cut(self, target: Target, folder: Path, header: RunHeader) -> Segments:
        """What cuts the outputs of a source into segments."""
        made = Segments(folder, header, self._config, self._retention, self._more)
        self._segments[target.source] = made
        return made

    def _join(self, output: Output, header: RunHeader) -> Sink:
        """A sink of this source that writes to an output of all."""
        kind, path = output
        with self._lock:
            if output not in self._shared:
                self._shared[output] = self._begin(kind, path, header)
            return make_sink(kind, path, header, shared=self._shared[output])

    def _begin(self, kind: str, path: Path | None, header: RunHeader | None) -> Any:
        if path is None:
            return TextOutput(None, self._stdout)
        make_folder(path.parent)
        if header is None or kind != "parquet":
            return TextOutput(path)
        from fervid.sinks.parquet import ParquetTable

        return ParquetTable(path, header.classes)

    def _show(self) -> None:
        table = self._ledger.ending()
        if table is not None:
            self._stderr.print(table)
