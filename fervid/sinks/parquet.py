"""A Parquet table, one row a face, and how it is rebuilt from the journal after a crash."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.jsonl import read_journal
from fervid.sinks.rows import (
    columns,
    flatten,
    header_record,
    record,
    sink_error,
    start_of_run,
)

# Rows kept in memory before they are written as a row group.
GROUP_ROWS = 4096
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
    """

    wants_pixels = False

    def __init__(self, path: Path | None, header: RunHeader) -> None:
        if path is None:
            raise ValueError("a Parquet table needs a path")
        self.path: Path | None = path
        self._run = header
        self._header = header_record(header)
        self._table = _Table(path, self._header)

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Add the rows of a frame.

        Raises:
            SinkError: they could not be written.
        """
        self._table.add(flatten(self._header, record(result, start_of_run(self._run, result))))

    def close(self) -> None:
        """Complete the file; closing twice is harmless.

        Raises:
            SinkError: it could not be completed.
        """
        self._table.close()


def parquet_from_journal(journal: Path, parquet: Path) -> int:
    """Write the table that a run would have written, from its journal; returns its row count.

    Raises:
        SinkError: the journal cannot be read or the table not be written.
    """
    lines = read_journal(journal)
    header = next(lines)
    table = _Table(parquet, header)
    count = 0
    try:
        for line in lines:
            rows = flatten(header, line)
            table.add(rows)
            count += len(rows)
    finally:
        table.close()
    return count


class _Table:
    """Rows on their way into a file; fails with SinkError only."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._schema = pa.schema(
            [(name, _TYPES.get(name, pa.float32())) for name in columns(tuple(header["classes"]))],
            metadata={METADATA_KEY: json.dumps(header)},
        )
        self._file: Any = None
        try:
            self._file = path.open("wb")
            self._writer: Any = pq.ParquetWriter(self._file, self._schema, compression="zstd")
        except (OSError, pa.ArrowException) as error:
            self._release()
            raise sink_error(path, error) from error

    def add(self, rows: list[dict[str, Any]]) -> None:
        self._rows += rows
        if len(self._rows) >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        if self._file is None:
            return
        try:
            if self._rows:
                self._flush()
            self._writer.close()
            self._file.close()
        except (OSError, pa.ArrowException) as error:
            raise sink_error(self._path, error) from error
        finally:
            self._release()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        for row in rows:
            row["utc"] = datetime.fromisoformat(row["utc"]) if row["utc"] else None
        try:
            self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema))
        except (OSError, pa.ArrowException) as error:
            raise sink_error(self._path, error) from error

    def _release(self) -> None:
        """Let go of the file, whatever state it is in."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                file.raw.close()
