"""The journal: a line of JSON for each source, then one a frame; no crash takes it away.

Between the frames of a live source lie its events: when it went offline, came back, was given up.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fervid.errors import SinkError
from fervid.link import LinkEvent
from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.rows import SCHEMA, event_record, header_record, record, start_of_run
from fervid.sinks.text import TextOutput, read_error


class JsonlSink:
    """Writes the journal and flushes each line.

    Args:
        path: the file; None writes to `stream`.
        header: of the run, the first line.
        stream: standard output.
        shared: a journal that other sources write to as well, instead of `path` and `stream`; it
            stays open.
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
        self._header = header
        self._shared = shared is not None
        self._output = shared or TextOutput(path, stream)
        about = header_record(header)
        self._source = about["source"]["uri"]
        self._write(about)

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Append a frame.

        Raises:
            SinkError: it could not be written.
        """
        self._write(record(self._source, result, start_of_run(self._header, result)))

    def note(self, event: LinkEvent) -> None:
        """Append an event of the source.

        Raises:
            SinkError: it could not be written.
        """
        self._write(event_record(self._source, event))

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        if not self._shared:
            self._output.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._output.write(json.dumps(line, separators=(",", ":")) + "\n")


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the header of a journal, then its frames and events (`is_event` tells).

    A journal of several sources has a header for each (`is_header` tells), before its first frame;
    the frames of sources that were read at once alternate. A last line that a crash cut off is
    left out.

    Raises:
        SinkError: the file cannot be read, is no journal, or is damaged before its last line.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = iter(file)
            header = _parse(next(lines, ""))
            if header is None or not is_header(header):
                raise _damaged(path, f"its first line is no header of schema {SCHEMA}")
            yield header
            for number, line in enumerate(lines, start=2):
                content = _parse(line)
                if content is not None and _is_known(content):
                    yield content
                elif next(lines, None) is not None:
                    raise _damaged(path, f"line {number} cannot be read")
    except OSError as error:
        raise read_error(path, error) from error


def is_header(line: dict[str, Any]) -> bool:
    """Whether a line of a journal begins a source rather than describing one of its frames."""
    return line.get("schema") == SCHEMA and isinstance(line.get("source"), dict)


def is_event(line: dict[str, Any]) -> bool:
    """Whether a line of a journal says what became of a source's connection."""
    return isinstance(line.get("event"), str)


def _is_known(line: dict[str, Any]) -> bool:
    return "faces" in line or is_event(line) or is_header(line)


def read_frames(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield every frame of a journal with the header of its source.

    Raises:
        SinkError: as `read_journal`.
    """
    headers: dict[str, dict[str, Any]] = {}
    header: dict[str, Any] = {}
    for line in read_journal(path):
        if is_header(line):
            header = headers[line["source"]["uri"]] = line
        elif not is_event(line):
            yield headers.get(line.get("source", ""), header), line


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a journal's live sources, as `rows.event_record` makes them.

    Raises:
        SinkError: as `read_journal`.
    """
    return [line for line in read_journal(path) if is_event(line)]


def read_headers(path: Path) -> list[dict[str, Any]]:
    """The headers of a journal, one a source.

    Raises:
        SinkError: as `read_journal`.
    """
    return [line for line in read_journal(path) if is_header(line)]


def may_be_journal(path: Path) -> bool:
    """Whether a file may be a journal: its first line is a header, or it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return is_header(_parse(file.readline()) or {})
    except OSError:
        return True


def ends_cut_off(path: Path) -> bool:
    """Whether the last line of a journal has no end, as after a crash.

    Raises:
        SinkError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 1))
            return size > 0 and file.read() != b"\n"
    except OSError as error:
        raise read_error(path, error) from error


def _parse(line: str) -> dict[str, Any] | None:
    """A line's object, None if it is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _damaged(path: Path, what: str) -> SinkError:
    return SinkError(
        f"{path} is no complete journal: {what}; give a faces.jsonl that fervid wrote.", str(path)
    )
