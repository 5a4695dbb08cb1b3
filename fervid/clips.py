"""One row a clip: clips.csv, and the table that a person sees at the end of a run."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from fervid.console import printable
from fervid.records import NOISE_KINDS
from fervid.sinks.text import write_whole

Row = dict[str, Any]

FIRST = (
    *("folder", "source", "frames", "dropped", "duration_s", "faces", "frames_with_faces"),
    *("tracks", "uncertain"),
)
LAST = (*(f"noise_{kind}" for kind in NOISE_KINDS), "filter", "fps", "damaged", "error")
LABEL = "label_"
INTERRUPTED = "interrupted"  # what stands for the error of a clip that Ctrl-C has ended
MOST_ROWS = 40  # of the table for people


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
    """The rows of a clips.csv, all values as text; none if there is no such file of fervid's."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            own = set(FIRST) <= set(reader.fieldnames or ())
            return [dict(row) for row in reader] if own else []
    except (OSError, UnicodeError, csv.Error):
        return []


def is_foreign(path: Path) -> bool:
    """Whether a file has the name of clips.csv and is something else."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return not file.readline().startswith(",".join(FIRST))
    except OSError:
        return False


def render(rows: Sequence[Row]) -> Table:
    """The table for a person: the clips in their order, as many as can be looked at.

    Of more than that, those with something wrong come first.
    """
    rows = sorted(rows, key=lambda row: not _state(row)) if len(rows) > MOST_ROWS else rows
    states = Counter(filter(None, map(_state, rows)))
    title = ", ".join([f"{len(rows)} clips", *(f"{n} {state}" for state, n in states.items())])
    table = Table(title=title, title_justify="left", caption_justify="left", box=SIMPLE_HEAD)
    table.add_column("clip", overflow="fold", min_width=16)
    for name in ("seconds", "faces", "tracks"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("label", no_wrap=True)
    table.add_column("unsure", justify="right", no_wrap=True)
    table.add_column("noise", no_wrap=True)
    for row in rows[:MOST_ROWS]:
        table.add_row(*map(Text, _cells(row)))
    if len(rows) > MOST_ROWS:
        table.caption = f"and {len(rows) - MOST_ROWS} more"
    return table


def _cells(row: Row) -> list[str]:
    """A row as text; why a clip failed was said when it did."""
    name = printable(row["folder"] or row["source"] or "")
    state = _state(row)
    if row["frames"] is None:
        return [name, "", "", "", state, "", ""]
    labels = {k.removeprefix(LABEL): v for k, v in row.items() if k.startswith(LABEL)}
    return [
        name,
        f"{row['duration_s']:.1f}",
        str(row["faces"]),
        str(row["tracks"]),
        " ".join(filter(None, (_largest(labels), state))),
        f"{row['uncertain']:.0%}" if row["faces"] else "",
        max(NOISE_KINDS, key=lambda kind: row[f"noise_{kind}"] or 0.0).replace("_", " "),
    ]


def _state(row: Row) -> str:
    """What went wrong with a clip, in a word; empty for one that is complete."""
    if not row["error"]:
        return ""
    return INTERRUPTED if row["error"] == INTERRUPTED else "failed"


def _largest(shares: Mapping[str, float]) -> str:
    """The largest share, as `happy 61%`."""
    name, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
    return f"{name} {share:.0%}" if share else ""
