"""Segments: the outputs of a source in pieces, each a results folder by itself (`--segment`).

    frames -> [cut] -> sinks of the present segment;  at a cut: summary, report, end -> Retention

The times of a live source are cut at whole multiples of the length since 1970 in UTC (10m: at each
full ten minutes), those of a recording at multiples from its start.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.config import RunConfig
from fervid.link import LinkEvent
from fervid.lock import FolderLock
from fervid.opened import close_sinks, open_sink, refuse_gone
from fervid.outputs import REPORT, SUMMARY, Output, in_folder, summary_record, write_summary
from fervid.records import Frame, FrameResult
from fervid.report import Observer, write_report
from fervid.retention import Retention
from fervid.segment_folder import Segment, make_segment, write_manifest
from fervid.sinks import Calendar, EventSink, RunHeader, Sink
from fervid.stats import RunStats

# A boundary that is nearer than this share of a length is left out: two clocks never agree on the
# millisecond, and nobody wants a segment of one picture.
LEAST = 0.1
ALMOST_S = 1e-6  # times of a recording are fractions turned into floats


@dataclass(slots=True)
class _Part:
    """The segment that is being written."""

    segment: Segment
    header: RunHeader
    until: float  # seconds since 1970 of a live source, of the video of a recording
    lock: FolderLock
    observer: Observer
    stats: RunStats = field(default_factory=lambda: RunStats(time.monotonic))
    outputs: list[Output] = field(default_factory=list)
    sinks: list[Sink] = field(default_factory=list)


class Segments:
    """The sink of a source whose outputs are cut into segments.

    Args:
        place: the folder of the source, which segments of earlier runs may be in.
        header: of the run; each segment's says where it begins, and reads the calendar anew, so
            that a clock that was set right holds from the next segment on.
        config: of the run.
        retention: of all sources of the run.
        more: arguments of sinks by their names.
        now: the present moment.
    """

    wants_maps = True

    def __init__(
        self,
        place: Path,
        header: RunHeader,
        config: RunConfig,
        retention: Retention,
        more: Mapping[str, Mapping[str, Any]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._place, self._header, self._config = place, header, config
        self._retention, self._more, self._now = retention, more, now
        self.wants_pixels = config.output.images
        self._length_s = config.segments.segment_s
        self._part: _Part | None = None
        self._early: list[LinkEvent] = []  # events before the first frame
        retention.enforce()

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Take a frame, in a new segment if it is time.

        Raises:
            SinkError: it could not be written, or a file has gone.
        """
        part = self._part
        if part is not None and self._position(part.header, result) >= part.until - ALMOST_S:
            self._end(part)
            part = None
        part = part or self._begin(result)
        for sink in part.sinks:
            sink.write(frame, result, drawn)
        part.stats.observe(result)
        refuse_gone(part.outputs)
        self._retention.look()

    def note(self, event: LinkEvent) -> None:
        """Take an event of a live source.

        Raises:
            SinkError: it could not be written.
        """
        if self._part is None:
            self._early.append(event)
            return
        self._part.stats.note(event)
        for sink in self._part.sinks:
            if isinstance(sink, EventSink):
                sink.note(event)

    def close(self) -> None:
        """Close the files of the last segment; closing twice is harmless.

        Raises:
            SinkError: one could not be finished.
        """
        if self._part is not None:
            sinks, self._part.sinks = self._part.sinks, []
            close_sinks(sinks, quiet=False)

    def conclude(self, error: str | None) -> None:
        """Complete the last segment once it is known how the run ended.

        Args:
            error: why it ended early; None if it did not.

        Raises:
            SinkError: its summary or report cannot be written.
        """
        part, self._part = self._part, None
        if part is not None:
            self._complete(part, error)

    def _position(self, header: RunHeader, result: FrameResult) -> float:
        """Where a frame is on the scale by which is cut, in seconds."""
        if not header.source.live:
            return result.time_s
        return (header.calendar.start(result) + timedelta(seconds=result.time_s)).timestamp()

    def _begin(self, result: FrameResult) -> _Part:
        """Open a segment whose first frame this is.

        Raises:
            SinkError: it cannot be opened; what was opened is closed with the sink.
        """
        source = replace(self._header.source, start_s=result.time_s)
        header = replace(self._header, source=source, calendar=Calendar(self._now))
        at, video_s = self._position(header, result), result.time_s
        if source.live:
            segment = make_segment(self._place, datetime.fromtimestamp(at, UTC))
            until = next_boundary(at, self._length_s, LEAST * self._length_s)
        else:
            segment = make_segment(self._place, self._now(), video_s)
            zero_s = self._header.source.start_s
            until = zero_s + next_boundary(at - zero_s, self._length_s, ALMOST_S)
        output = self._config.output
        pictures = output.images and output.anonymize == "none"
        observer = Observer.of_run(header, pictures=pictures)
        part = self._part = _Part(segment, header, until, FolderLock(segment.folder), observer)
        part.lock.take()
        for kind, path in in_folder(output, segment.folder):
            part.sinks.append(open_sink(kind, path, header, **self._more.get(kind, {})))
            part.outputs.append((kind, path))
        part.sinks.append(observer)
        early, self._early = self._early, []
        for event in early:
            self.note(event)
        return part

    def _end(self, part: _Part) -> None:
        """Complete a segment at a cut.

        Raises:
            SinkError: it cannot be completed.
        """
        self.close()
        self._part = None
        self._complete(part, None)

    def _complete(self, part: _Part, error: str | None) -> None:
        """Write the summary and the report of a segment, and that it has ended; old ones go."""
        figures = {**part.stats.summary(), "damaged": None, "error": error}
        summary = summary_record(part.header, figures)
        folder = part.segment.folder
        try:
            write_summary(folder / SUMMARY, summary)
            write_report(folder / REPORT, part.observer, summary)
            write_manifest(replace(part.segment, ended=self._now()))
            self._retention.enforce()  # before its lock goes: the newest one stays
        finally:
            part.lock.close()


def next_boundary(at: float, length: float, least: float) -> float:
    """The first whole multiple of a length that lies at least so far ahead."""
    return (math.floor((at + least) / length) + 1) * length
