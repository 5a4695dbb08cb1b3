"""Lane: one source on its way from reader to outputs, a frame at a time."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Condition
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console

from fervid import __version__
from fervid.backends import Backend
from fervid.capture import open_source
from fervid.clips import INTERRUPTED
from fervid.config import ReadConfig, RunConfig
from fervid.console import say
from fervid.controls import Controls
from fervid.errors import FervidError, SinkError
from fervid.interrupt import held_interrupt
from fervid.logins import Logins, read_logins
from fervid.outputs import Target, summary_record
from fervid.painter import Painter
from fervid.pipeline import Pipeline
from fervid.prefetch import Prefetch
from fervid.records import Frame, FrameResult, Snapshot
from fervid.sinks import RunHeader, Sink
from fervid.snapshots import annotated
from fervid.stats import RunStats
from fervid.viewer import Viewer, snapshots_for, window_for
from fervid.writing import RunOutputs


@dataclass(frozen=True, slots=True)
class Session:
    """What all sources of a run share.

    `digest` is the hash of the model's file, `sinks` are outputs that get the results of every
    source, and `summaries` collects what is known of those that have ended.
    """

    config: RunConfig
    backend: Backend
    digest: str
    stderr: Console
    stdout: TextIO
    clock: Callable[[], float]
    outputs: RunOutputs
    logins: Logins
    sinks: Sequence[Sink] = ()
    summaries: list[dict[str, Any]] = field(default_factory=list)

    def logins_for(self, read: ReadConfig) -> Logins:
        """Users and passwords for a source, which may have a file of its own.

        Raises:
            ConfigError: that file cannot be used.
        """
        if read.credentials == self.config.read.credentials:
            return self.logins
        return read_logins(read.credentials, os.environ)


class Lane:
    """Analyses one source; a context manager that closes its parts and writes its summary.

    Several lanes may be taken in turns by one thread: `step` never waits.

    Args:
        session: what it shares with the others.
        target: the source and its outputs.
        news: notified when a frame is ready, the source has ended, or a key was pressed.

    Raises:
        SourceOpenError: the source cannot be opened.
        DisplayError: a window was asked for and none can be opened.
        SinkError: an output cannot be opened.
    """

    def __init__(self, session: Session, target: Target, news: Condition) -> None:
        self._session, self._target = session, target
        self._painter = Painter(session.config)
        self._stats = RunStats(session.clock)
        self._closed = False
        with ExitStack() as parts:
            read = session.config.read_for(target.source)
            self._source = parts.enter_context(
                open_source(target.source, read, logins=session.logins_for(read))
            )
            label = session.config.settings_for(target.source).label
            self.info = replace(self._source.info, label=label or self._source.info.label)
            self._header = self._describe(session)
            self._viewer = parts.enter_context(self._open_viewer(news))
            own = parts.enter_context(session.outputs.sinks(target, self._header))
            self._sinks = [*own, *session.sinks]
            self._pipeline = parts.enter_context(Pipeline(session.config, session.backend))
            self._frames = parts.enter_context(Prefetch(self._source, news=news))
            self._parts = parts.pop_all()
        self._drawn = any(sink.wants_pixels for sink in self._sinks)
        self._idle_since = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(error)

    def close(self, error: BaseException | None = None) -> None:
        """Finish the outputs, then the summary; closing twice is harmless.

        Args:
            error: why the source is left early; it outweighs what closing itself may raise.

        Raises:
            SinkError: an output could not be finished.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._parts.__exit__(type(error) if error else None, error, None)
        except BaseException as second:
            self._conclude(error or second)
            raise
        self._conclude(error)

    def fail(self, error: FervidError) -> None:
        """Note in the run's outputs why this source failed."""
        self._session.outputs.fail(self._target, error)

    @property
    def quit(self) -> bool:
        """Whether the viewer has ended the run."""
        return self._viewer.quit

    @property
    def ready(self) -> bool:
        """Whether `step` has something to do: a frame, the source's end, or a key to follow."""
        return self._viewer.pending or (self._frames.ready and not self._viewer.paused)

    def step(self) -> bool:
        """Analyse and write the next frame, and follow the keys at the window.

        Returns:
            False once the source has ended or the viewer has ended the run.

        Raises:
            SourceReadError: the source cannot be read on.
            SinkError: an output cannot be written.
        """
        if self._viewer.pending:
            self._viewer.react(self._pipeline.again)
        if self.quit:
            return False
        if self._viewer.paused or not self._frames.ready:
            return True
        try:
            frame, dropped = next(self._frames)
        except StopIteration:
            return False
        began = time.perf_counter()
        result = self._pipeline.process(frame, dropped, self._viewer.view)
        more_s = {"wait": began - self._idle_since} | self._write(frame, result)
        self._stats.observe(result, {name: s * 1000 for name, s in more_s.items()})
        self._idle_since = time.perf_counter()
        return True

    def snapshot(self) -> Snapshot:
        """The state of this source's analysis."""
        return self._stats.snapshot(self.info)

    def _write(self, frame: Frame, result: FrameResult) -> dict[str, float]:
        """Draw, write and show; returns the seconds that each took."""
        began = time.perf_counter()
        drawn = None
        if self._drawn:
            drawn = self._painter.paint(frame, result, self._viewer.heatmap)
        else:
            self._painter.notice(frame, result)
        painted = time.perf_counter()
        with held_interrupt():  # a frame is in all outputs or in none
            for sink in self._sinks:
                sink.write(frame, result, drawn)
        self._session.outputs.refuse_gone(self._target)
        written = time.perf_counter()
        took_s = {"draw": painted - began, "write": written - painted}
        if not self._viewer.wants_pixels:
            return took_s
        if drawn is None or self._painter.hides:  # a window hides nothing
            drawn = annotated(frame, result, self._viewer.heatmap)
        self._viewer.show(frame, result, drawn)
        return took_s | {"show": time.perf_counter() - written}

    def _open_viewer(self, news: Condition) -> Viewer:
        """The viewer of this source, with a window if it gets one."""
        config, target = self._session.config, self._target
        place = snapshots_for(config, self.info, target.folder)
        return Viewer(
            window_for(config, self.info, news),
            Controls.of(config),
            # No method of the lane: a cycle would keep its pictures until the collector comes by.
            replace(place, paint=self._painter.repaint),
            partial(say, self._session.stderr),
            quiet=config.quiet,
            clock=self._session.clock,
        )

    def _describe(self, session: Session) -> RunHeader:
        card = session.backend.card
        return RunHeader(
            self.info,
            card.name,
            session.digest,
            card.classes,
            session.config.as_dict(),
            __version__,
            getattr(session.backend, "device", ""),
        )

    def _conclude(self, error: BaseException | None) -> None:
        """Hand the figures to the run's outputs, with the reason if the end was early."""
        why = INTERRUPTED if isinstance(error, KeyboardInterrupt) else error and str(error)
        figures = {**self._stats.summary(), "damaged": self._source.damaged, "error": why}
        summary = summary_record(self._header, figures)
        self._session.summaries.append(summary)
        with held_interrupt(), suppress(*([SinkError] if error else [])):
            self._session.outputs.add(self._target, summary)


def snapshots(lanes: Sequence[Lane]) -> tuple[Snapshot, ...]:
    """The states of several lanes, for one display."""
    return tuple(lane.snapshot() for lane in lanes)
