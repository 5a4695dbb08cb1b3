"""The row schema, version 1, and the CSV file that is written from it.

`record` is a frame with its faces nested (a line of the journal), `flatten` makes rows of it, one
a face; every table is made by these two, so that a table rebuilt from the journal is the same.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fervid.link import LinkEvent
from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.text import TextOutput

SCHEMA = 1
_LEVELS = ("noise_sigma", "noise_impulse", "noise_speckle")
_QUALITY = ("blocking", "blur", "darkness")
FRAME_COLUMNS = (
    *("schema", "source", "frame", "time_s", "utc", "dropped", "noise_kind"),
    *(*_LEVELS, "severity", *_QUALITY, "filter"),
)
FACE_COLUMNS = (
    *("track", "x0", "y0", "x1", "y1", "score", "face_px", "eta"),
    *("label", "confidence", "uncertain", "reasons"),
)


def columns(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of all columns, in order."""
    shares = (f"{kind}_{name}" for kind in "ps" for name in classes)
    return (*FRAME_COLUMNS, *FACE_COLUMNS, *shares)


def header_record(header: RunHeader) -> dict[str, Any]:
    """Return the header as JSON types: the journal's first line and the tables' metadata."""
    source = asdict(header.source)
    del source["place"]
    source["rate"] = None if header.source.rate is None else str(header.source.rate)
    for name in ("uri", "label"):  # a file's name need not be text
        source[name] = source[name].encode("utf-8", "backslashreplace").decode()
    return {
        "schema": SCHEMA,
        "fervid": header.version,
        "source": source,
        "model": header.model,
        "model_sha256": header.model_sha256,
        "device": header.device,
        "classes": list(header.classes),
        "config": dict(header.config),
    }


def record(source: str, result: FrameResult, started: datetime | None = None) -> dict[str, Any]:
    """Return one frame with its faces, as JSON types.

    Args:
        source: its source's URI as in the header's record, which tells frames of several apart.
        result: the frame.
        started: when 0 s was, by the calendar; None for recordings.
    """
    noise = result.noise
    fields: dict[str, Any] = {
        "source": source,
        "frame": result.index,
        "time_s": round(result.time_s, 6),
    }
    if started is not None:
        fields["utc"] = utc_text(started + timedelta(seconds=result.time_s))
    fields |= {"dropped": result.dropped, "noise_kind": noise.kind}
    fields |= zip(_LEVELS, map(_share, noise.levels), strict=True)
    fields["severity"] = _share(noise.severity)
    fields |= zip(_QUALITY, map(_share, noise.quality), strict=True)
    fields["filter"] = result.filter_name
    fields["faces"] = [_face(result, n) for n in range(len(result.faces))]
    return fields


def event_record(source: str, event: LinkEvent) -> dict[str, Any]:
    """Return what became of a live source's connection, as JSON types.

    Args:
        source: its URI as in the header's record.
        event: of it.
    """
    return {
        "source": source,
        "event": event.kind,
        "time_s": round(event.time_s, 6),
        "utc": utc_text(event.at),
        "cause": event.cause,
        "attempts": event.attempts,
        "offline_s": round(event.offline_s, 3),
        "missed": event.missed,
    }


def recorded_event(fields: Mapping[str, Any]) -> LinkEvent:
    """Return the event that a record was made from.

    Raises:
        KeyError: a field is missing.
        ValueError: the time is none.
    """
    return LinkEvent(
        kind=fields["event"],
        at=datetime.fromisoformat(fields["utc"]),
        **{k: fields[k] for k in ("time_s", "cause", "attempts", "offline_s", "missed")},
    )


def utc_text(moment: datetime) -> str:
    """A moment as rows have it: 2026-01-31T23:59:59.999Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def flatten(header: Mapping[str, Any], fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of one frame, one a face; none for a frame without faces.

    Args:
        header: as `header_record` makes it.
        fields: as `record` makes it.
    """
    # A journal of before several sources could share one has the source in its header alone.
    source = fields.get("source", header["source"]["uri"])
    common = {"schema": header["schema"], "source": source}
    common |= {name: fields.get(name) for name in FRAME_COLUMNS if name not in common}
    rows = []
    for face in fields["faces"]:
        row = common | {name: face[name] for name in FACE_COLUMNS}
        row["reasons"] = "+".join(face["reasons"])
        row |= {f"{kind}_{name}": face[kind][name] for kind in "ps" for name in header["classes"]}
        rows.append(row)
    return rows


def rows(
    header: RunHeader, result: FrameResult, started: datetime | None = None
) -> list[dict[str, Any]]:
    """Return the rows of one frame: exactly `columns(header.classes)`, one a face."""
    head = header_record(header)
    return flatten(head, record(head["source"]["uri"], result, started))


def start_of_run(header: RunHeader, result: FrameResult) -> datetime | None:
    """Return when 0 s of a live source was, for the frame being written; None for recordings."""
    return header.calendar.start(result) if header.source.live else None


class CsvSink:
    """A table of comma-separated values, one row a face, written as frames come.

    Args:
        path: the file; None writes to `stream`.
        header: of the run.
        stream: standard output.
        shared: an output that other sources write to as well, instead of `path` and `stream`; it
            stays open, and gets one heading.
    """

    wants_pixels = False

    def __init__(
        self,
        path: Path | None,
        header: RunHeader,
        *,
        stream: TextIO | None = None,
        shared: TextOutput | None = None,
    ) -> None:
        self.path = path
        self._run = header
        self._header = header_record(header)
        self._names = columns(header.classes)
        self._shared = shared is not None
        self._output = shared or TextOutput(path, stream)
        self._output.begin(_csv([self._names]))

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Append the rows of a frame.

        Raises:
            SinkError: it could not be written.
        """
        source = self._header["source"]["uri"]
        table = flatten(self._header, record(source, result, start_of_run(self._run, result)))
        if table:
            self._output.write(_csv([[_cell(row[name]) for name in self._names] for row in table]))

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        if not self._shared:
            self._output.close()


def _csv(table: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()


def _face(result: FrameResult, n: int) -> dict[str, Any]:
    faces = result.faces
    x0, y0, x1, y1 = (round(float(v), 2) for v in faces.boxes[n])
    label, smoothed = result.labels[n], result.smoothed[n]
    return {
        "track": int(faces.track_ids[n]),
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "score": _share(faces.scores[n]),
        "face_px": round(x1 - x0, 2),
        "eta": _share(result.eta[n]),
        "label": label,
        "confidence": _share(smoothed[result.classes.index(label)]),
        "uncertain": bool(result.uncertain[n]),
        "reasons": list(result.reasons[n]),
        "p": dict(zip(result.classes, map(_share, result.probabilities[n]), strict=True)),
        "s": dict(zip(result.classes, map(_share, smoothed), strict=True)),
    }


def _share(value: Any) -> float | None:
    """A number of about 0-1 to six places, which is all that float32 holds; None if undefined."""
    number = round(float(value), 6)
    return number if math.isfinite(number) else None


def _cell(value: Any) -> Any:
    """A value as CSV: pandas, R and DuckDB read these truth values."""
    return str(value).lower() if isinstance(value, bool) else value
