"""Lane: one source on its way from reader to outputs, a frame at a time."""

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from threading import Condition
from types import TracebackType
from typing import Self

from fervid.clips import INTERRUPTED
from fervid.errors import FervidError, SinkError
from fervid.interrupt import held_interrupt
from fervid.link import link_of
from fervid.opening import header_of, pipeline_of, source_of, viewer_of
from fervid.outputs import Target, summary_record
from fervid.painter import Painter
from fervid.passage import Passage, Seeker
from fervid.prefetch import Prefetch
from fervid.records import Frame, FrameResult
from fervid.session import Session
from fervid.snapshots import annotated
from fervid.stats import RunStats
from fervid.status import Snapshot
from fervid.writer import Work, Writer

MB = 1_000_000


class Lane:
    """Analyses one source; a context manager that closes its parts and writes its summary.

    Several lanes may be taken in turns by one thread: `begin` never waits. Reading and writing have
    a thread of their own each. `begin` lets a frame enter the `way`: whoever has the lanes prepares
    it there once its faces are found, asks the network, and lets the lane `conclude`.

    Args:
        session: what it shares with the others.
        target: the source and its outputs.
        seeker: seeks the faces.
        ahead: frames of a recording that may be on the way at once; of a live source, or with a
            window, it is one.
        news: notified when a frame is ready or written, the source has ended, or a key was pressed.

    Raises:
        SourceOpenError: the source cannot be opened.
        DisplayError: a window was asked for and none can be opened.
        SinkError: an output cannot be opened.
    """

    def __init__(
        self, session: Session, target: Target, seeker: Seeker, news: Condition, ahead: int = 1
    ) -> None:
        self._session, self._target = session, target
        self._painter = Painter(session.config)
        self._stats = RunStats(session.clock)
        self._over = self._closed = self._failed = False
        self._failure: FervidError | None = None
        with ExitStack() as parts:
            self._source = parts.enter_context(source_of(session, target))
            self._link = link_of(self._source)
            self._header = header_of(session, target, self._source.info)
            self.info = self._header.source
            self._viewer = parts.enter_context(
                viewer_of(session, target, self._header, self._painter, news)
            )
            damaged = partial(getattr, self._source, "damaged")
            own = parts.enter_context(session.sinks_of(target, self._header, damaged))
            self._drawn = any(sink.wants_pixels for sink in (*own, *session.sinks))
            shown = (self._drawn and session.config.explain.heatmap) or self._viewer.wants_pixels
            before = getattr(self._source, "before", 0)
            self._pipeline = parts.enter_context(
                pipeline_of(session, own, shown=shown, before=before)
            )
            self.way = Passage(self._pipeline, seeker.begin)
            self._frames = parts.enter_context(
                Prefetch(self._source, news=news, seen=self._header.calendar.see)
            )
            write = partial(session.deliver, target, own)
            limit = session.config.output.queue_mb * MB
            tell = partial(session.announce, target, own)
            self._writer = parts.enter_context(
                Writer(write, news, limit, live=self.info.live, tell=tell)
            )
            parts.callback(self._note_events)  # what came last, before the outputs end
            self._parts = parts.pop_all()
        self._ahead = 1 if self.info.live or self._viewer.wants_pixels else ahead
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
        self._closed, self._failed = True, error is not None
        if isinstance(error, KeyboardInterrupt):
            self._session.outputs.hurry()
        try:
            trace = error.__traceback__ if error else None
            self._parts.__exit__(type(error) if error else None, error, trace)
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
        """Whether `begin` has something to do: a frame, the source's end, a key, or an error."""
        if self._writer.failed or self._reacts or self._news_waits:
            return True
        if self._viewer.paused:
            return False
        return self._writer.idle and not self.way if self._over else self.runs_ahead

    @property
    def _reacts(self) -> bool:
        """Whether the viewer has something to do: with the frame it shows, so none is on the way.

        When one is shown, the keys since the last one are followed too.
        """
        return self._viewer.pending and not self.way

    @property
    def _news_waits(self) -> bool:
        """Whether something about the source can be told: what came before it is handed over.

        A frame that is ready came before it and waits itself: for room, or for the end of a pause.
        """
        told = self._link is not None and self._link.pending
        return told and not (self._frames.ready or self.way)

    @property
    def runs_ahead(self) -> bool:
        """Whether a frame, or the end, can be taken at once, and the outputs have room for it."""
        n = len(self.way)
        if self._over or n >= self._ahead:
            return False
        return self._frames.ready and self._writer.room(n + 1)

    def begin(self) -> bool:
        """Let the next frame enter the way, and follow the keys at the window.

        Returns:
            False once all of the source is written or the viewer has ended the run.

        Raises:
            SourceReadError: the source cannot be read on.
            SinkError: an output cannot be written.
        """
        self._observe()
        self._writer.check()
        if self._reacts:
            self._viewer.react(self._pipeline.again)
        if self.quit:
            return False
        if self._news_waits:
            self._note_events()
        if self._viewer.paused or not (self._over or self.runs_ahead):
            return True
        try:
            if self._failure is not None:
                raise self._failure
            frame, dropped = self._next_frame()
        except StopIteration:
            self._over = True  # the outputs are closed when nothing waits, as others go on
            return bool(self.way) or not self._writer.idle
        except FervidError as error:
            if not self.way:
                raise
            self._over, self._failure = True, error  # first what came before it is written
            return True
        wait_s = time.perf_counter() - self._idle_since
        self.way.enter(frame, dropped, self._viewer.view, wait_s)
        self._idle_since = time.perf_counter()
        return True

    def _next_frame(self) -> tuple[Frame, int]:
        """The next frame, after the events before it, or the end, after all of them."""
        try:
            frame, dropped = next(self._frames)
        except BaseException:
            self._note_events()
            raise
        self._note_events(frame.time_s)
        return frame, dropped

    def _note_events(self, until_s: float = math.inf) -> None:
        """Hand the events of the source up to a time to the outputs."""
        if self._link is None:
            return
        for event in self._link.take(until_s):
            self._stats.note(event)
            self._writer.note(event)
            outage = self._link.outage  # none if it is back already
            since = (outage.since if outage else event.at).astimezone()
            self._viewer.note(f"offline since {since:%H:%M:%S}" if event.kind == "offline" else "")

    def conclude(self) -> None:
        """Wait for the network's output for the oldest frame, show it and hand it to the writer.

        Raises:
            FervidError: the network failed.
        """
        self._hand_over(*self.way.conclude())
        self._idle_since = time.perf_counter()

    def snapshot(self) -> Snapshot:
        """The state of this source's analysis; faces of a source that is offline are old."""
        snapshot = replace(
            self._stats.snapshot(self.info),
            state="failed" if self._failed else "ended" if self._closed else "running",
            window=self._viewer.wants_pixels,
            damaged=self._source.damaged,
        )
        outage = self._link.outage if self._link and not self._closed else None
        return replace(snapshot, offline=outage, faces=()) if outage else snapshot

    def _observe(self) -> None:
        """Count what has been written."""
        for result, took_s in self._writer.finished():
            self._stats.observe(result, {name: s * 1000 for name, s in took_s.items()})

    def _hand_over(self, frame: Frame, result: FrameResult, wait_s: float) -> None:
        """Show a frame, and let the writer draw and write it."""
        began = time.perf_counter()
        shown, heatmap = self._viewer.wants_pixels, self._viewer.heatmap
        drawn = paint = None
        if self._drawn:
            paint = self._painter.plan(frame, result, heatmap)
            if shown and not self._painter.hides:  # one picture for the window and the outputs
                drawn, paint = paint(), None
        else:
            self._painter.notice(frame, result)
        took_s = {"wait": wait_s, "draw": time.perf_counter() - began}
        if shown:
            picture = annotated(frame, result, heatmap) if drawn is None else drawn
            self._viewer.show(frame, result, picture)  # a window hides nothing
            took_s["show"] = time.perf_counter() - began - took_s["draw"]
        self._writer.put(Work(frame, result, took_s, paint, drawn))

    def _conclude(self, error: BaseException | None) -> None:
        """Hand the figures to the run's outputs, with the reason if the end was early."""
        self._observe()
        left = error is None and not self._over and not self.info.live  # in the window
        interrupted = left or isinstance(error, KeyboardInterrupt)
        why = INTERRUPTED if interrupted else error and str(error)
        figures = {**self._stats.summary(), "damaged": self._source.damaged, "error": why}
        summary = summary_record(self._header, figures)
        self._session.summaries.append(summary)
        with held_interrupt(), suppress(*([SinkError] if error else [])):
            self._session.outputs.add(self._target, summary)


def snapshots(lanes: Sequence[Lane]) -> tuple[Snapshot, ...]:
    """The states of several lanes, for one display."""
    return tuple(lane.snapshot() for lane in lanes)
