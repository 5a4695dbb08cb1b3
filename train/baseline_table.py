"""The shipped model beside the clean-trained network it grew from, and the peer: every setting."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from train.fault_report import PEER, by_name
from train.metrics import mcnemar, unpack
from train.tables import Table, figure, percent

Rows = Sequence[Mapping[str, Any]]
PAIRS: Sequence[tuple[str, str]] = (("evaluate", "baseline"), ("faults", "baseline-faults"))


def baseline_table(results: Mapping[str, Any]) -> Table:
    """Accuracy of both on the same pictures, with McNemar's test.

    Args:
        results: by the measurement's name; "evaluate", "faults" and their baselines are looked for.
    """
    return Table(
        "PrivateTest: beside the clean-trained network it began with",
        ("48 px", "shipped %", "clean-trained %", "points", "McNemar p", "fer %"),
        tuple(_rows(results)),
        "Both with filters, through int8. Paper: the paper's noises; trained: faults that the "
        "shipped model was trained on; held out: nothing was trained, tuned or chosen on them.",
    )


def _rows(results: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for names in PAIRS:
        if not all(name in results for name in names):
            continue
        ours, base = (_settings(results[name]["splits"]["private"]) for name in names)
        known, n = by_name(base), results[names[0]]["splits"]["private"]["images"]
        for row in ours:
            other = known.get(row["name"])
            if other is None or (row["name"] == "clean" and names[0] == "faults"):
                continue
            p = mcnemar(unpack(row["right"], n), unpack(other["right"], n))
            yield (
                f"{row['name']} ({row.get('group', 'paper')})",
                percent(row["accuracy"]),
                percent(other["accuracy"]),
                f"{100 * (row['accuracy'] - other['accuracy']):+.1f}",
                "< 0.001" if p < 0.001 else figure(p),
                percent(PEER.get(row["name"])),
            )


def _settings(split: Mapping[str, Any]) -> Rows:
    """Of `evaluate` or of `evaluate --faults`."""
    rows: Rows = split.get("estimated", split)["settings"]
    return rows
