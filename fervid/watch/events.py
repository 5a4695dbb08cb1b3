"""Events: state changes alone, a line of JSON each, of all sources in one file.

What became of a live source's connection is written as the journal has it (`rows.event_record`).
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fervid.link import LinkEvent
from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.rows import event_record, header_record, start_of_run, utc_text
from fervid.sinks.text import TextOutput
from fervid.watch.alarms import Alert
from fervid.watch.changes import Change, FaceChanges

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def line(fields: Mapping[str, Any]) -> str:
    """An event as it is written."""
    return json.dumps(fields, separators=(",", ":")) + "\n"


class Moments:
    """Says when something of a source was, by the calendar, and what the source is called.

    Of a live source that is when its picture was taken, as in the journal; of a recording it is
    the moment at which fervid saw it.

    Args:
        header: of the run over the source.
        now: the present moment.
    """

    def __init__(self, header: RunHeader, now: Now = utc_now) -> None:
        self.source = str(header_record(header)["source"]["uri"])
        self.last_s = header.source.start_s
        self._header, self._now = header, now
        self._start: datetime | None = None

    def take(self, result: FrameResult) -> None:
        """Note a frame's time."""
        self._start = start_of_run(self._header, result)
        self.last_s = max(self.last_s, result.time_s)

    def fields(self, event: str, time_s: float) -> dict[str, Any]:
        """What every event begins with.

        Args:
            event: its kind.
            time_s: in the source's seconds.
        """
        start = self._start
        moment = self._now() if start is None else start + timedelta(seconds=time_s)
        return {
            "source": self.source,
            "event": event,
            "time_s": round(time_s, 6),
            "utc": utc_text(moment),
        }


class EventsSink:
    """Writes what changes, and flushes each line.

    Args:
        path: the file; None writes to `stream`.
        header: of the run.
        stream: standard output.
        shared: an output that other sources write to as well, instead of `path` and `stream`; it
            stays open.
        now: the present moment.
    """

    wants_pixels = False

    def __init__(
        self,
        path: Path | None,
        header: RunHeader,
        *,
        stream: TextIO | None = None,
        shared: TextOutput | None = None,
        now: Now = utc_now,
    ) -> None:
        self.path = path
        self._shared = shared is not None
        self._output = shared or TextOutput(path, stream)
        self._moments, self._changes = Moments(header, now), FaceChanges()
        self._closed = False
        about = {"label": header_record(header)["source"]["label"], "live": header.source.live}
        began = self._moments.fields("began", self._moments.last_s)
        self._output.write(line(began | about))

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Write what a frame changes.

        Raises:
            SinkError: it could not be written.
        """
        self._moments.take(result)
        self._tell(self._changes.update(result))

    def note(self, event: LinkEvent) -> None:
        """Write what became of the source's connection; who was there is seen no more.

        Raises:
            SinkError: it could not be written.
        """
        if event.kind == "offline":
            self._tell(self._changes.lost(event.time_s, "offline"))
        self._output.write(line(event_record(self._moments.source, event)))

    def close(self) -> None:
        """Take leave of who is there; closing twice is harmless.

        Raises:
            SinkError: it could not be written.
        """
        if self._closed:
            return
        self._closed = True
        self._tell(self._changes.lost(self._moments.last_s, "ended"))
        if not self._shared:
            self._output.close()

    def ended(self, frames: int, error: str | None) -> dict[str, Any]:
        """The event that the source has ended.

        Args:
            frames: that were analysed.
            error: why that was not the whole source.
        """
        fields = self._moments.fields("ended", self._moments.last_s)
        return fields | {"frames": frames, "error": error}

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            fields = self._moments.fields(change.event, change.time_s)
            self._output.write(line(fields | {"track": change.track, **change.more}))


def never_began(source: str, error: str, now: Now = utc_now) -> dict[str, Any]:
    """The event of a source that could not even be opened.

    Args:
        source: without credentials.
        error: why.
        now: the present moment.
    """
    moment = utc_text(now())
    fields = {"source": source, "event": "ended", "time_s": None, "utc": moment}
    return fields | {"frames": 0, "error": error}


def alert_record(moments: Moments, alert: Alert) -> dict[str, Any]:
    """An alert as an event, JSON types."""
    value = round(alert.value, 4) if np.isfinite(alert.value) else None
    fields = moments.fields("alert", alert.time_s) | {
        "state": alert.state,
        "rule": alert.rule.text,
        "track": alert.track,
        "value": value,
        "since_s": round(alert.since_s, 3),
    }
    if alert.state == "end":
        fields |= {"until_s": round(alert.until_s, 3), "why": alert.why}
    return fields
