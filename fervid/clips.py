"""One row a clip: clips.csv."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fervid.records import NOISE_KINDS
from fervid.sinks.text import write_whole

Row = dict[str, Any]

FIRST = (
    *("folder", "source", "frames", "dropped", "duration_s", "faces", "frames_with_faces"),
    *("tracks", "uncertain"),
)
DROPS = ("late", "offline")  # causes, as summary.json tells them; `dropped` is the late ones
LAST = (
    *(f"noise_{kind}" for kind in NOISE_KINDS),
    *("filter", "fps", *(f"drops_{cause}" for cause in DROPS), "damaged", "error"),
)
LABEL = "label_"
_NO_TEXT = re.compile(r"\\u(dc[89a-f][0-9a-f])")
INTERRUPTED = "interrupted"  # what stands for the error of a clip that Ctrl-C has ended


def clip_row(folder: str, summary: Mapping[str, Any]) -> Row:
    """The row of a clip; shares are 0-1, of faces for labels and doubt, of frames for noise.

    Args:
        folder: of the clip, below the results' folder.
        summary: as summary.json has it.
    """
    row = {name: summary.get(name) for name in (*FIRST, *LAST)} | {"folder": folder}
    row["uncertain"] = summary.get("uncertain", {}).get("share")
    row["filter"] = next(iter(summary.get("filters", {})), None)  # the most frequent one
    known = "noise" in summary
    row |= {f"noise_{k}": summary["noise"].get(k, 0.0) if known else None for k in NOISE_KINDS}
    row |= {f"drops_{cause}": summary.get("drops", {}).get(cause) for cause in DROPS}
    labels = summary.get("labels", {})
    return row | {LABEL + name: labels.get(name, 0.0) for name in summary.get("classes", labels)}


def failed_row(folder: str, source: str, error: object) -> Row:
    """The row of a clip that could not be read at all."""
    return clip_row(folder, {"source": source, "error": str(error)})


def write_clips(path: Path, rows: Iterable[Row]) -> None:
    """Write clips.csv, complete or not at all.

    Raises:
        SinkError: it cannot be written.
    """
    rows = list(rows)
    labels = dict.fromkeys(name for row in rows for name in row if name.startswith(LABEL))
    text = io.StringIO()
    writer = csv.DictWriter(text, (*FIRST, *labels, *LAST), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())


def read_clips(path: Path) -> list[Row]:
    """The rows of a clips.csv, all values as text; none if there is no such file of fervid's.

    Columns that somebody has added are left out. Folders are named as they are on the disk.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not set(FIRST) <= set(reader.fieldnames or ()):
                return []
            rows = [{k: v for k, v in row.items() if _is_column(k)} for row in reader]
            return [row | {"folder": _on_disk(row["folder"])} for row in rows]
    except (OSError, UnicodeError, csv.Error):
        return []


def _on_disk(folder: str) -> str:
    """The name of a folder as it was before `write_whole` wrote bytes that are no text."""
    return _NO_TEXT.sub(lambda found: chr(int(found[1], 16)), folder)


def _is_column(name: str | None) -> bool:
    return name is not None and (name in (*FIRST, *LAST) or name.startswith(LABEL))


def is_foreign(path: Path) -> bool:
    """Whether a file has the name of clips.csv and is something else."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return not file.readline().startswith(",".join(FIRST))
    except OSError:
        return False
