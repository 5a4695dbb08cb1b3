"""The benchmark's results for a person."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from fervid.bench.figures import SHARE

# Column -> figure, factor, digits.
RATES = {
    "fps": ("fps", 1, 1),
    "of limit": (SHARE, 1, 2),
    "CPU ms/frame": ("cpu_s_per_frame", 1000, 1),
    "faces": ("faces", 1, 1),
}
OTHERS = {
    "latency_p50_ms": "latency p50, ms",
    "latency_p95_ms": "latency p95, ms",
    "latency_p99_ms": "latency p99, ms",
    "dropped_share": "frames dropped, share",
    "fps_slowest_source": "fps of the slowest source",
    "first_result_s": "start to first row, s",
    "memory_peak_mb": "resident memory, peak, MB",
    "memory_growth_mb": "resident memory, growth, MB",
}
STAGES_OF = ("analysis", "video", "12x720p")


def show(console: Console, results: Mapping[str, Any]) -> None:
    """Print everything."""
    console.print(Group(*_parts(results)))


def _parts(results: Mapping[str, Any]) -> Iterable[RenderableType]:
    machine, cases = results["machine"], results["cases"]
    flags = machine["flags"]
    known = "instructions not known" if flags is None else " ".join(flags) or "no wide instructions"
    threads = "".join(f", {name}={value}" for name, value in machine["threads"].items())
    yield Text(
        f"{machine['cpu']}, {machine['cores']} cores ({known}), {machine['system']}, Python "
        f"{machine['python']}{threads}; load before: {machine['load']}"
    )
    yield Text(
        f"{results['clip']['label']}, {results['clip']['width']}x{results['clip']['height']}; "
        f"medians of {results['rounds']} rounds"
    )
    yield _rates(cases)
    yield _others(cases)
    for name in STAGES_OF:
        if name in cases:
            yield _stages(name, cases[name]["stages_ms"])


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _rates(cases: Mapping[str, Any]) -> Table:
    table = _table("\nRates", "case", *RATES)
    table.add_column("")
    for name, case in cases.items():
        if "fps" in case:
            cells = [
                f"{case[figure] * factor:.{digits}f}" if figure in case else ""
                for figure, factor, digits in RATES.values()
            ]
            table.add_row(name, *cells, Text(case["what"], "dim"))
    return table


def _others(cases: Mapping[str, Any]) -> Table:
    table = _table("\nLatency, start, memory", "case", "")
    table.add_column("")
    for name, case in cases.items():
        for figure, words in OTHERS.items():
            if figure in case:
                table.add_row(name, f"{case[figure]:.2f}", words)
    return table


def _stages(name: str, stages: Mapping[str, Mapping[str, float]]) -> Table:
    table = _table(f"\nStages of {name}, ms", "stage", "p50", "p95", "p99")
    for stage, row in stages.items():
        table.add_row(stage, *(f"{row[key]:.2f}" for key in ("p50", "p95", "p99")))
    return table
