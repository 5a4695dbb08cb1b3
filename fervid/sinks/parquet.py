"""A Parquet table, one row a face, and how it is rebuilt from the journal after a crash."""

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fervid.errors import SinkError
from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.jsonl import read_frames, read_headers
from fervid.sinks.rows import columns, flatten, header_record, record, start_of_run
from fervid.sinks.text import sink_error

# Rows kept in memory before they are written as a row group, and as dicts before they become
# columns: thousands of dicts leave memory scattered in a run of hours, and making columns of all
# of them at once would hold a live source up.
GROUP_ROWS = 4096
PART_ROWS = 256
METADATA_KEY = "fervid"
_TYPES = {
    **dict.fromkeys(("schema", "dropped"), pa.int32()),
    **dict.fromkeys(("frame", "track"), pa.int64()),
    **dict.fromkeys(("source", "noise_kind", "filter", "label", "reasons"), pa.string()),
    "time_s": pa.float64(),
    "utc": pa.timestamp("ms", tz="UTC"),
    "uncertain": pa.bool_(),
}


class ParquetSink:
    """Writes row groups as frames come, and the index that makes them readable on closing.

    Args:
        path: the file.
        header: of the run, kept in the file's metadata as JSON under "fervid".
        shared: a table that other sources write to as well, instead of `path`; it stays open.
    """

    wants_pixels = False

    def __init__(
        self, path: Path | None, header: RunHeader, *, shared: "ParquetTable | None" = None
    ) -> None:
        if path is None:
            raise ValueError("a Parquet table needs a path")
        self.path: Path | None = path
        self._run = header
        self._header = header_record(header)
        self._shared = shared is not None
        self._table = shared or ParquetTable(path, header.classes)
        self._table.begin(self._header)

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Add the rows of a frame.

        Raises:
            SinkError: they could not be written.
        """
        fields = record(self._header["source"]["uri"], result, start_of_run(self._run, result))
        self._table.add(flatten(self._header, fields))

    def close(self) -> None:
        """Complete the file; closing twice is harmless.

        Raises:
            SinkError: it could not be completed.
        """
        if not self._shared:
            self._table.close()


def parquet_from_journal(journal: Path, parquet: Path) -> int:
    """Write the table that a run would have written, from its journal; returns its row count.

    Raises:
        SinkError: the journal cannot be read or the table not be written.
    """
    headers = read_headers(journal)
    table = ParquetTable(parquet, headers[0]["classes"])
    count = 0
    try:
        for header in headers:
            table.begin(header)
        for header, line in read_frames(journal):
            rows = flatten(header, line)
            table.add(rows)
            count += len(rows)
    finally:
        table.close()
    return count


def merged_header(headers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a table says of its origin: the header of its source, or the list `sources` of many."""
    if len(headers) == 1:
        return dict(headers[0])
    return {"schema": headers[0]["schema"] if headers else None, "sources": list(headers)}


class ParquetTable:
    """Rows on their way into a file, of one source or of several at once; fails with SinkError.

    Args:
        path: the file.
        classes: names that make the columns of probabilities.

    Raises:
        SinkError: the file cannot be made.
    """

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._parts: list[Any] = []
        self._headers: list[Mapping[str, Any]] = []
        self._lock = threading.RLock()
        self._failure: str | None = None
        self._schema = row_schema(classes)
        self._file: Any = None
        try:
            self._file = path.open("wb")
            # With Arrow's own copy of the schema, metadata that are added on closing would not be
            # seen by `pyarrow.parquet.read_table`.
            self._writer: Any = pq.ParquetWriter(
                self._file, self._schema, compression="zstd", store_schema=False
            )
            # Arrow looks for pandas when it first meets a list, which takes a second: now, and not
            # when the first rows are written, where a live source would lose its pictures.
            as_arrow([], self._schema)
        except (OSError, pa.ArrowException) as error:
            self._release()
            raise sink_error(path, error) from error

    def begin(self, header: Mapping[str, Any]) -> None:
        """Keep the header of one more source for the file's metadata."""
        with self._lock:
            self._headers.append(header)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Take rows; a full group is written.

        Raises:
            SinkError: they could not be written, now or before.
        """
        with self._lock:
            if self._failure is not None:
                raise SinkError(self._failure, str(self._path))
            self._rows += rows
            if len(self._rows) < PART_ROWS:
                return
            try:
                self._pack()
                if sum(part.num_rows for part in self._parts) >= GROUP_ROWS:
                    self._flush()
            except (OSError, pa.ArrowException) as error:
                failure = sink_error(self._path, error)
                self._failure = str(failure)
                raise failure from error

    def close(self) -> None:
        """Complete the file; closing twice is harmless.

        Raises:
            SinkError: it could not be completed.
        """
        with self._lock:
            if self._file is None:
                return
            try:
                self._pack()
                self._flush()
                about = json.dumps(merged_header(self._headers))
                self._writer.add_key_value_metadata({METADATA_KEY: about})
                self._writer.close()
                self._file.close()
            except (OSError, pa.ArrowException) as error:
                raise sink_error(self._path, error) from error
            finally:
                self._release()

    def _pack(self) -> None:
        """Make columns of the rows that have come."""
        rows, self._rows = self._rows, []
        if rows:
            self._parts.append(as_arrow(rows, self._schema))

    def _flush(self) -> None:
        """Write a row group of all columns so far."""
        parts, self._parts = self._parts, []
        if parts:
            self._writer.write_table(pa.concat_tables(parts).combine_chunks())
            del parts
            pa.default_memory_pool().release_unused()

    def _release(self) -> None:
        """Let go of the file, whatever state it is in."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                file.raw.close()


def row_schema(classes: Sequence[str]) -> Any:
    """The Arrow schema of the rows."""
    return pa.schema([(name, _TYPES.get(name, pa.float32())) for name in columns(tuple(classes))])


def as_arrow(rows: list[dict[str, Any]], schema: Any) -> Any:
    """Rows as an Arrow table; moments become timestamps."""
    for row in rows:
        row["utc"] = datetime.fromisoformat(row["utc"]) if row["utc"] else None
    return pa.Table.from_pylist(rows, schema=schema)
