"""What lies beside the clips' folders: all.parquet, all rows in one table, and clips.csv.

Both are made from the folders alone, so that they can be made again: of a run by the clips it has
and those that clips.csv knows from runs before, of `recover` by all there are.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from fervid import probe
from fervid.clips import Row, clip_row, is_foreign, read_clips, write_clips
from fervid.errors import ConfigError
from fervid.folders import RESERVED
from fervid.outputs import SEGMENT, SUMMARY, TABLE

ALL, CLIPS, MANIFEST = RESERVED


def refuse_foreign(out: Path) -> None:
    """Stop before any work if a file that is not fervid's lies where an archive's table goes.

    Raises:
        ConfigError: so it is.
    """
    from fervid.sinks.tables import is_unfinished, table_header

    table, clips = out / ALL, out / CLIPS
    foreign = [clips] if probe.exists(clips) and is_foreign(clips) else []
    if probe.exists(table) and table_header(table) is None and not is_unfinished(table):
        foreign.append(table)
    for path in foreign:
        raise ConfigError(
            f"{path} is not of fervid and would be replaced; move it or choose another folder.",
            "out",
        )


def known_folders(out: Path) -> list[str]:
    """The clips' folders that clips.csv names, below `out`."""
    return [row["folder"] for row in read_clips(out / CLIPS)]


def found_folders(out: Path) -> list[str]:
    """The clips' folders below `out`: those with a table or a summary; segments are no clips."""
    found = {p.parent for name in (TABLE, SUMMARY) for p in out.rglob(name)}
    found = {folder for folder in found if not probe.exists(folder / SEGMENT)}
    return sorted(folder.relative_to(out).as_posix() for folder in found)


def whole_tables(out: Path) -> list[str]:
    """The clips' folders below `out` that have a complete table."""
    from fervid.sinks.tables import table_header

    return [name for name in found_folders(out) if table_header(out / name / TABLE) is not None]


def write_archive(
    out: Path, folders: Iterable[str], fresh: Mapping[str, Row], most_rows: float = math.inf
) -> int | None:
    """Write all.parquet and clips.csv; returns the rows of the former, None if it was left.

    A clip without a complete table is left out of all.parquet, and one without a summary out of
    clips.csv, unless its row is known.

    Args:
        out: the results' folder.
        folders: of the clips, below `out`; those that are gone are left out.
        fresh: rows of clips.csv that are known, by folder, such as those of clips that failed.
        most_rows: with more than that all.parquet stays as it is, or away.

    Raises:
        SinkError: one cannot be written.
    """
    from fervid.sinks.tables import merge_tables, table_header

    names = list(dict.fromkeys([*folders, *fresh]))
    before = {row["folder"]: row for row in read_clips(out / CLIPS)}
    rows: list[Row] = []
    for name in names:
        if name in fresh:
            rows.append(fresh[name])
        elif (summary := _summary(out / name / SUMMARY)) is not None:
            rows.append(clip_row(name, summary))
        elif before.get(name, {}).get("error"):
            rows.append(before[name])
    write_clips(out / CLIPS, rows)
    if sum(int(row.get("faces") or 0) for row in rows) > most_rows:
        return None
    whole = [name for name in names if table_header(out / name / TABLE) is not None]
    return merge_tables([out / name / TABLE for name in whole], out / ALL, whole)


def _summary(path: Path) -> dict[str, object] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
