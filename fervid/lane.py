"""Lane: one source on its way from reader to outputs, a frame at a time."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from threading import Condition
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console

from fervid import __version__
from fervid.backends import Backend
from fervid.capture import open_source
from fervid.config import RunConfig
from fervid.draw import draw
from fervid.errors import SinkError
from fervid.interrupt import held_interrupt
from fervid.outputs import Target, open_sinks, write_summary
from fervid.pipeline import Pipeline
from fervid.prefetch import Prefetch
from fervid.records import Frame, FrameResult, Snapshot
from fervid.sinks import RunHeader
from fervid.stats import RunStats


@dataclass(frozen=True, slots=True)
class Session:
    """What all sources of a run share; `digest` is the hash of the model's file."""

    config: RunConfig
    backend: Backend
    digest: str
    stderr: Console
    stdout: TextIO
    clock: Callable[[], float]


class Lane:
    """Analyses one source; a context manager that closes its parts and writes its summary.

    Several lanes may be taken in turns by one thread: `step` never waits.

    Args:
        session: what it shares with the others.
        target: the source and its outputs.
        news: notified when a frame is ready or the source has ended.

    Raises:
        SourceOpenError: the source cannot be opened.
        SinkError: an output cannot be opened.
    """

    def __init__(self, session: Session, target: Target, news: Condition) -> None:
        self._target, self._heatmap = target, session.config.explain.heatmap
        self._stats = RunStats(session.clock)
        self._closed = False
        with ExitStack() as parts:
            self._source = parts.enter_context(open_source(target.source, session.config.read))
            self.info = self._source.info
            self._header = self._describe(session)
            self._sinks = parts.enter_context(open_sinks(target, self._header, session.stdout))
            self._pipeline = parts.enter_context(Pipeline(session.config, session.backend))
            self._frames = parts.enter_context(Prefetch(self._source, news=news))
            self._parts = parts.pop_all()
        self._pixels = any(sink.wants_pixels for sink in self._sinks)
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
        finally:  # the summary is written also after a failure
            self._summarise(quiet=sys.exc_info()[0] is not None or error is not None)

    @property
    def ready(self) -> bool:
        """Whether `step` has something to do: a frame, or the source's end."""
        return self._frames.ready

    def step(self) -> bool:
        """Analyse and write the next frame; returns False once the source has ended.

        Raises:
            SourceReadError: the source cannot be read on.
            SinkError: an output cannot be written.
        """
        try:
            frame, dropped = next(self._frames)
        except StopIteration:
            return False
        began = time.perf_counter()
        result = self._pipeline.process(frame, dropped)
        more_s = {"wait": began - self._idle_since} | self._write(frame, result)
        self._stats.observe(result, {name: s * 1000 for name, s in more_s.items()})
        self._idle_since = time.perf_counter()
        return True

    def snapshot(self) -> Snapshot:
        """The state of this source's analysis."""
        return self._stats.snapshot(self.info)

    def _write(self, frame: Frame, result: FrameResult) -> dict[str, float]:
        """Draw if a sink wants pixels, and write; returns the seconds that both took."""
        began = time.perf_counter()
        drawn = draw(frame.bgr, result, heatmap=self._heatmap) if self._pixels else None
        painted = time.perf_counter()
        with held_interrupt():  # a frame is in all outputs or in none
            for sink in self._sinks:
                sink.write(frame, result, drawn)
        return {"draw": painted - began, "write": time.perf_counter() - painted}

    def _describe(self, session: Session) -> RunHeader:
        card = session.backend.card
        return RunHeader(
            self.info,
            card.name,
            session.digest,
            card.classes,
            session.config.as_dict(),
            __version__,
        )

    def _summarise(self, *, quiet: bool) -> None:
        """Write the summary, if one is wanted; `quiet` after an error, which is the one to tell."""
        path = self._target.summary
        if path is not None and path.parent.is_dir():
            figures = {**self._stats.summary(), "damaged": self._source.damaged}
            with held_interrupt(), suppress(*([SinkError] if quiet else [])):
                write_summary(path, self._header, figures)


def snapshots(lanes: Sequence[Lane]) -> tuple[Snapshot, ...]:
    """The states of several lanes, for one display."""
    return tuple(lane.snapshot() for lane in lanes)
