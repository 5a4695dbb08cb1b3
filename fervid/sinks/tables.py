"""Tables that were written before: whether they are complete, several as one, all in memory.

Arrow gets open files, as it takes no name that is no text.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fervid.sinks.jsonl import read_frames, read_headers
from fervid.sinks.parquet import METADATA_KEY, as_arrow, merged_header, row_schema
from fervid.sinks.rows import flatten
from fervid.sinks.text import read_error, sink_error

MAGIC = b"PAR1"


def table_header(path: Path) -> dict[str, Any] | None:
    """What a table says of its origin; None if it is not complete or not fervid's."""
    try:
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:
            about = (file.metadata.metadata or {}).get(METADATA_KEY.encode())
            return None if about is None else dict(json.loads(about))
    except (OSError, pa.ArrowException, ValueError):
        return None


def is_unfinished(path: Path) -> bool:
    """Whether a file is a table that a run began and did not complete, and nothing else."""
    if table_header(path) is not None:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
            file.seek(max(0, path.stat().st_size - len(MAGIC)))
            return head == MAGIC[: len(head)] and (len(head) < 4 or file.read() != MAGIC)
    except OSError:
        return False


def table_sources(header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The headers of a table's sources."""
    return list(header["sources"]) if "sources" in header else [dict(header)]


def merge_tables(tables: Sequence[Path], merged: Path, folders: Sequence[str]) -> int:
    """Write the rows of several tables into one, group by group; returns how many there are.

    Classes that a table does not have are empty there. The file is complete or not there at all.

    Args:
        tables: complete ones.
        merged: the file.
        folders: kept in its metadata as the list "folders".

    Raises:
        SinkError: it cannot be written.
    """
    headers = [h for path in tables for h in table_sources(table_header(path) or {"sources": []})]
    schema = row_schema(list(dict.fromkeys(name for h in headers for name in h["classes"])))
    part = merged.with_name(merged.name + ".part")
    rows = 0
    try:
        with (
            part.open("wb") as target,
            pq.ParquetWriter(target, schema, compression="zstd", store_schema=False) as writer,
        ):
            for path in tables:
                with path.open("rb") as stream, pq.ParquetFile(stream) as file:
                    for batch in file.iter_batches():
                        writer.write_table(_fitted(pa.Table.from_batches([batch]), schema))
                        rows += batch.num_rows
            about = {**merged_header(headers), "folders": list(folders)}
            writer.add_key_value_metadata({METADATA_KEY: json.dumps(about)})
        part.replace(merged)
    except (OSError, pa.ArrowException) as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise sink_error(merged, error) from error
    return rows


def read_tables(paths: Iterable[Path]) -> tuple[Any, tuple[str, ...]]:
    """All rows of tables and journals as one Arrow table, and the names of the classes.

    Raises:
        SinkError: one cannot be read.
    """
    found, classes = [], dict[str, None]()
    for path in paths:
        if path.suffix == ".jsonl":
            table, headers = _journal_table(path), read_headers(path)
        else:
            headers = table_sources(table_header(path) or {"sources": []})
            try:
                with path.open("rb") as stream:
                    table = pq.read_table(stream)
            except (OSError, pa.ArrowException) as error:
                raise read_error(path, error) from error
        found.append(table.replace_schema_metadata(None))
        classes.update(dict.fromkeys(name for h in headers for name in h["classes"]))
    schema = row_schema(list(classes))
    return pa.concat_tables([_fitted(table, schema) for table in found]), tuple(classes)


def _journal_table(path: Path) -> Any:
    headers = read_headers(path)
    classes = list(dict.fromkeys(name for header in headers for name in header["classes"]))
    rows = [row for header, line in read_frames(path) for row in flatten(header, line)]
    return as_arrow(rows, row_schema(classes))


def _fitted(table: Any, schema: Any) -> Any:
    """A table with exactly these columns; those that it lacks are empty."""
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
