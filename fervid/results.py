"""read_results: all rows of a results folder as one data frame."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from fervid import probe
from fervid.archive import ALL
from fervid.errors import ConfigError, LibraryMissing
from fervid.nearest import or_else
from fervid.outputs import JOURNAL, TABLE

Engine = Literal["pandas", "polars"]


def read_results(folder: str | Path, engine: Engine = "pandas") -> Any:
    """Read every row that fervid wrote into a folder.

    One row is one face in one frame. `source` tells the clips apart; `track` counts faces within
    its source. Clips whose run did not end are read from their journals.

    Args:
        folder: as given to `-o`; or one .parquet or .jsonl file that fervid wrote.
        engine: "pandas" or "polars".

    Returns:
        A pandas or polars DataFrame: `label` is categorical (polars: Enum) with the model's
        classes, `utc` has the time zone UTC (empty for recordings), probabilities are float32.

    Raises:
        ConfigError: nothing is there, or the engine is unknown.
        LibraryMissing: pandas or polars is not installed.
        SinkError: a file cannot be read.
    """
    if engine not in get_args(Engine):
        known = " or ".join(get_args(Engine))
        raise ConfigError(f"The engine of read_results is {known}, not {engine!r}.", "engine")
    convert = _to_pandas if engine == "pandas" else _to_polars
    _require(engine)
    _refuse_csv(Path(folder), engine)
    files = _files(Path(folder))
    from fervid.sinks.tables import read_tables

    table, classes = read_tables(files)
    return convert(table, classes)


def refuse_no_folder(folder: Path) -> None:
    """Stop where a results' folder is none, or may not be read.

    Raises:
        ConfigError: so it is.
    """
    if probe.is_file(folder):
        raise ConfigError(f"{folder} is a file; give the folder that -o named.", "folder")
    if not probe.exists(folder):
        way = or_else(folder, "give the one that -o named")
        raise ConfigError(f"There is no folder {folder}; {way}", "folder")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigError(f"The folder {folder} may not be read; check its permissions.", "folder")


def _refuse_csv(path: Path, engine: Engine) -> None:
    """Stop at the one kind of fervid's tables that is not read here.

    Raises:
        ConfigError: so it is.
    """
    if path.suffix.lower() == ".csv" and probe.is_file(path):
        raise ConfigError(
            f"{path} is no .parquet or .jsonl file, which read_results reads; read it by "
            f"{engine}.read_csv, or name the folder that -o named.",
            "folder",
        )


def _files(folder: Path) -> list[Path]:
    """The files that hold each clip's rows once: all.parquet if it has them all and no others."""
    from fervid.sinks.tables import table_header

    if probe.is_file(folder):
        return [folder]
    refuse_no_folder(folder)
    places = {p.parent for name in (TABLE, JOURNAL) for p in folder.rglob(name)}
    clips = [_clip(place) for place in sorted(places)]
    files = [file for file in clips if file is not None]
    merged = folder / ALL
    about = table_header(merged) if merged.is_file() else None
    if about is not None:
        covered = {folder / name for name in about.get("folders", ())}
        changed_s = merged.stat().st_mtime
        same = covered == {f.parent for f in files}  # a clip that was deleted is not wanted
        if not files or (same and all(f.stat().st_mtime <= changed_s for f in files)):
            return [merged]
    if not files:
        raise ConfigError(
            f"There are no results below {folder}; give the folder that -o named.", "folder"
        )
    return files


def _clip(place: Path) -> Path | None:
    """The table of a clip; its journal if the table is not complete; None if that is empty."""
    from fervid.sinks.tables import table_header

    table, journal = place / TABLE, place / JOURNAL
    if table_header(table) is not None:
        return table
    return journal if journal.is_file() and journal.stat().st_size else None


def _require(engine: str) -> None:
    """Stop if a library is missing, before anything is read.

    Raises:
        LibraryMissing: so it is.
    """
    from importlib.util import find_spec

    if find_spec(engine) is None:
        raise LibraryMissing(
            f"read_results needs {engine}: pip install 'fervid[{engine}]', or name another engine.",
            engine,
        )


def _to_pandas(table: Any, classes: Sequence[str]) -> Any:
    import pandas as pd

    frame = table.to_pandas()
    return frame.assign(label=pd.Categorical(frame["label"], categories=list(classes)))


def _to_polars(table: Any, classes: Sequence[str]) -> Any:
    import polars as pl

    frame: Any = pl.from_arrow(table)
    return frame.with_columns(pl.col("label").cast(pl.Enum(list(classes))))
