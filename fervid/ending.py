"""The table at the end of a run: a row a source, totals, and where the results are."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from fervid.clips import INTERRUPTED, LABEL, Row
from fervid.console import printable

MOST_ROWS = 20  # of more sources those with something wrong, then the least certain ones
WRAPPED = ("label", "late + offline")
COLUMNS = ("frames", "faces", "label", "unsure", "fps", "drops")


def ending(rows: Sequence[Row], places: Sequence[str]) -> Table:
    """The table at the end of a run; it fits 80 columns.

    Args:
        rows: of the sources, in their order, as clips.csv has them.
        places: where the results are.
    """
    shown = list(rows)
    if len(rows) > MOST_ROWS:
        shown = sorted(rows, key=lambda row: (not _state(row), -_number(row, "uncertain")))
        shown = shown[:MOST_ROWS]
    states = Counter(filter(None, map(_state, rows)))
    count = f"{len(rows)} source{'' if len(rows) == 1 else 's'}"
    title = ", ".join([count, *(f"{n} {state}" for state, n in states.items())])
    table = Table(title=title, title_justify="left", caption_justify="left", box=SIMPLE_HEAD)
    table.collapse_padding = True
    table.title_style = table.caption_style = ""
    table.add_column("source", overflow="fold", min_width=12)
    outages = any(_number(row, "drops_offline") for row in rows)
    for name in (*COLUMNS[:-1], "late + offline" if outages else COLUMNS[-1]):
        side: JustifyMethod = "left" if name == "label" else "right"
        # Words may stand below each other where there is no room: a number that is cut is another.
        table.add_column(name, justify=side, no_wrap=name not in WRAPPED)
    for row in shown:
        table.add_row(*map(Text, _cells(row)))
    if len(rows) > 1:
        table.add_section()
        more = f" ({len(rows) - len(shown)} not shown)" if len(rows) > len(shown) else ""
        table.add_row(*map(Text, [f"all{more}", *_totals(rows)]))
    if places:
        table.caption = Text(f"results: {', '.join(map(printable, places))}")
    return table


def _cells(row: Row) -> list[str]:
    """A row as text; why a source failed was said when it did."""
    name, state = printable(row["folder"] or row["source"] or ""), _state(row)
    if row["frames"] is None:
        return [name, "", "", state, "", "", ""]
    return [
        name,
        f"{row['frames']:,}",
        f"{row['faces']:,}",
        " ".join(filter(None, (_largest(_labels(row)), state))),
        f"{row['uncertain']:.0%}" if row["faces"] else "",
        f"{row['fps']:.1f}",
        _drops(_number(row, "dropped"), _number(row, "drops_offline")),
    ]


def _totals(rows: Sequence[Row]) -> list[str]:
    """Sums, and shares of all faces; rates of different sources have no sum."""
    frames, faces, dropped, missed = (
        int(sum(_number(row, name) for row in rows))
        for name in ("frames", "faces", "dropped", "drops_offline")
    )
    labels: Counter[str] = Counter()
    unsure = 0.0
    for row in rows:
        weight = _number(row, "faces") / max(faces, 1)
        unsure += _number(row, "uncertain") * weight
        for name, share in _labels(row).items():
            labels[name] += share * weight  # type: ignore[assignment]  # a share of one
    doubt = f"{unsure:.0%}" if faces else ""
    return [f"{frames:,}", f"{faces:,}", _largest(labels), doubt, "", _drops(dropped, missed)]


def _drops(late: float, offline: float) -> str:
    """Lost frames: those that came too late, and those of outages where there were any."""
    return f"{late:,.0f} + {offline:,.0f}" if offline else f"{late:,.0f}"


def _labels(row: Row) -> dict[str, float]:
    """The share of each label."""
    return {k.removeprefix(LABEL): v for k, v in row.items() if k.startswith(LABEL)}


def _number(row: Row, name: str) -> float:
    return float(row.get(name) or 0)


def _state(row: Row) -> str:
    """What went wrong with a source, in a word; empty for one that is complete."""
    if not row["error"]:
        return ""
    return INTERRUPTED if row["error"] == INTERRUPTED else "failed"


def _largest(shares: Mapping[str, float]) -> str:
    """The largest share, as `happy 61%`."""
    name, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
    return f"{name} {share:.0%}" if share else ""
