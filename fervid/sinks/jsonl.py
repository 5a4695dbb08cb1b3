"""The journal: one line of JSON for the run, then one a frame; what a crash cannot take away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fervid.errors import SinkError
from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.rows import SCHEMA, TextOutput, header_record, record, sink_error, start_of_run


class JsonlSink:
    """Writes the journal and flushes each line.

    Args:
        path: the file; None writes to `stream`.
        header: of the run, the first line.
        stream: standard output.
    """

    wants_pixels = False

    def __init__(
        self, path: Path | None, header: RunHeader, *, stream: TextIO | None = None
    ) -> None:
        self.path = path
        self._header = header
        self._output = TextOutput(path, stream)
        self._write(header_record(header))

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Append a frame.

        Raises:
            SinkError: it could not be written.
        """
        self._write(record(result, start_of_run(self._header, result)))

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._output.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._output.write(json.dumps(line, separators=(",", ":")) + "\n")


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the header of a journal, then its frames.

    A last line that a crash cut off is left out.

    Raises:
        SinkError: the file cannot be read, is no journal, or is damaged before its last line.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = iter(file)
            header = _parse(next(lines, ""))
            if header is None or header.get("schema") != SCHEMA or "source" not in header:
                raise _damaged(path, f"its first line is no header of schema {SCHEMA}")
            yield header
            for number, line in enumerate(lines, start=2):
                frame = _parse(line)
                if frame is not None and "faces" in frame:
                    yield frame
                elif next(lines, None) is not None:
                    raise _damaged(path, f"line {number} cannot be read")
    except OSError as error:
        raise sink_error(path, error) from error


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
