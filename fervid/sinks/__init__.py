"""Sinks write results; one protocol, one table.

`run.py` opens the sinks it needs, gives every result to each of them, and closes them in the
end, also after an error: what was written so far stays readable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fervid.link import LinkEvent
from fervid.records import Frame, FrameResult, SourceInfo


class Calendar:
    """When 0 s of a live source was, by the calendar; one for all outputs of a run.

    It is fixed by the first frame that is read, or by the first result where nobody saw that:
    opening the outputs, the detector and the camera takes a time that nobody knows before.

    Args:
        now: the present moment.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._start: datetime | None = None

    def see(self, time_s: float) -> None:
        """Take note of a frame that has just been read, of which only the first counts."""
        if self._start is None:
            self._start = self._now() - timedelta(seconds=time_s)

    def start(self, result: FrameResult) -> datetime:
        """Return when 0 s was; the first call, with the result just made, fixes it."""
        if self._start is None:
            past = timedelta(seconds=result.time_s, milliseconds=result.timings.total_ms)
            self._start = self._now() - past
        return self._start


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What every output says about its origin: source, model, effective configuration, versions.

    `device` is where the network runs, "" if its backend does not say. `calendar` is shared by the
    run's sinks and not written.
    """

    source: SourceInfo
    model: str
    model_sha256: str
    classes: tuple[str, ...]
    config: Mapping[str, object]
    version: str
    device: str = ""
    calendar: Calendar = field(default_factory=Calendar, repr=False, compare=False)


class Sink(Protocol):
    """An output of one run over one source.

    A sink opens its file in its constructor (raising SinkError before any work is done).
    `wants_pixels` says whether `write` needs the drawn picture. A sink of your own that does not
    look at heatmaps may say so by an attribute `wants_maps` that is false.
    """

    wants_pixels: bool

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Take one frame's result; `drawn` is the annotated BGR picture if pixels are wanted.

        Raises:
            SinkError: it could not be written.
        """

    def close(self) -> None:
        """Finish the file; closing twice is harmless."""


@runtime_checkable
class EventSink(Protocol):
    """A sink that wants to know when a live source goes and comes back, too."""

    def note(self, event: LinkEvent) -> None:
        """Take an event, after the frames before it and before those after it.

        Raises:
            SinkError: it could not be written.
        """


SINKS: dict[str, str] = {
    "video": "fervid.sinks.video:VideoSink",
    "jsonl": "fervid.sinks.jsonl:JsonlSink",
    "csv": "fervid.sinks.rows:CsvSink",
    "parquet": "fervid.sinks.parquet:ParquetSink",
    "srt": "fervid.sinks.srt:SrtSink",
    "events": "fervid.watch.events:EventsSink",
    "crops": "fervid.sinks.crops:CropsSink",
    "stills": "fervid.sinks.stills:StillsSink",
}
