"""What the dashboard costs: milliseconds to draw it, and its share of a run.

    python -m tests.bench.dashboard [--rounds 200]

writes docs/results/dashboard.json and .md. A drawing is all that `Dashboard.update` does when it is
time: the state of the run is gathered (from RunStats with full histories), laid out, turned into
control characters and written to a terminal that takes them at once; its time is that of the
processor, which other programs do not change. The share is of the wall-clock time of a run over
samples/noisy_portrait.mp4, the whole analysis, nothing written, on the same terminal.
"""

import argparse
import io
import json
import platform
import statistics
import time
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
from rich.console import Console

import fervid
from fervid.config import WindowConfig
from fervid.dashboard import REFRESH_S, Dashboard
from fervid.records import SourceInfo
from fervid.run import run
from fervid.stats import RunStats
from tests.places import ROOT, SAMPLE
from tests.results import face, result

SIZES = ((60, 20), (80, 24), (100, 30), (120, 40), (132, 50), (200, 60))
LOADS = ((1, 1), (1, 12), (4, 2))  # sources, faces in each
FRAMES = 300
LIMIT_MS, LIMIT_SHARE = 5.0, 0.02
RESULTS = ROOT / "docs" / "results"
STAGES = ("decode", "wait", "noise", "faces", "crops", "network", "explain", "draw", "write")


class Terminal(io.StringIO):
    """Takes what is written, and counts it."""

    def __init__(self):
        super().__init__()
        self.written = 0

    def write(self, text):
        """Count, and forget."""
        self.written += len(text.encode())
        return len(text)


def terminal(width, height):
    """A console on it."""
    return Console(
        file=Terminal(), force_terminal=True, color_system="truecolor", width=width, height=height
    )


def observed(n_faces):
    """The figures of a run whose histories are full."""
    stats = RunStats(time.perf_counter)
    rng = np.random.default_rng(0)
    faces = [face("happy", k, unsure=k % 3 == 0) for k in range(n_faces)]
    for index in range(FRAMES):
        one = result(index, *faces)
        stats.observe(one, {name: float(rng.gamma(2, 3)) for name in STAGES})
    return stats


def drawing(size, sources, faces, rounds):
    """Median and 95th percentile of one drawing, in ms, and bytes written."""
    runs = [observed(faces) for _ in range(sources)]
    infos = [
        SourceInfo(f"camera {n}", f"camera {n}", 1280, 720, True, Fraction(30))
        for n in range(sources)
    ]
    console = terminal(*size)
    took = []
    with Dashboard(console, lambda: float(len(took))) as dashboard:  # it is always time to draw
        for _ in range(rounds + 5):
            began = time.thread_time()
            dashboard.update(
                lambda: tuple(stats.snapshot(info) for stats, info in zip(runs, infos, strict=True))
            )
            took.append((time.thread_time() - began) * 1000)
    ordered = sorted(took[5:])
    return {
        "size": f"{size[0]}x{size[1]}",
        "sources": sources,
        "faces": faces,
        "median_ms": round(statistics.median(ordered), 2),
        "p95_ms": round(ordered[int(0.95 * len(ordered))], 2),
        "bytes": console.file.written // (rounds + 5),
    }


def share_of_a_run(size):
    """Seconds in `Dashboard.update` and in the whole run over the sample clip."""
    spent, draws = [], []
    update, draw = Dashboard.update, Dashboard._draw

    def timed(self, make):
        began = time.perf_counter()
        update(self, make)
        spent.append(time.perf_counter() - began)

    def counted(self, make):
        draws.append(1)
        draw(self, make)

    Dashboard.update, Dashboard._draw = timed, counted
    try:
        began = time.perf_counter()
        config = fervid.RunConfig((str(SAMPLE),), window=WindowConfig(window=False))
        run(config, stderr=terminal(*size), stdout=io.StringIO())
        whole = time.perf_counter() - began
    finally:
        Dashboard.update, Dashboard._draw = update, draw
    return {
        "size": f"{size[0]}x{size[1]}",
        "run_s": round(whole, 2),
        "dashboard_s": round(sum(spent), 3),
        "drawings": len(draws),
        "share": round(sum(spent) / whole, 4),
    }


def measure(rounds):
    """All figures."""
    drawings = [drawing(size, sources, faces, rounds) for size in SIZES for sources, faces in LOADS]
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "fervid": fervid.__version__,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "rounds": rounds,
        "drawings": drawings,
        "runs": [share_of_a_run(size) for size in ((80, 24), (200, 60))],
    }


def report(record):
    """The record for a person."""
    rows = [
        f"| {d['size']} | {d['sources']} | {d['faces']} | {d['median_ms']} | {d['p95_ms']} | "
        f"{d['bytes'] / 1000:.1f} |"
        for d in record["drawings"]
    ]
    runs = [
        f"| {r['size']} | {r['run_s']} | {r['drawings']} | {r['dashboard_s']} | {r['share']:.1%} |"
        for r in record["runs"]
    ]
    worst = max(d["median_ms"] for d in record["drawings"])
    most = max(r["share"] for r in record["runs"])
    return "\n".join(
        [
            "# What the dashboard costs",
            "",
            f"`python -m tests.bench.dashboard --rounds {record['rounds']}`, {record['date']}, "
            f"{record['machine']}.",
            "",
            f"The slowest drawing takes {worst} ms of the processor (median; the limit is "
            f"{LIMIT_MS:g} ms; other programs were at work beside it), and the "
            f"dashboard {most:.1%} of a run (the limit is {LIMIT_SHARE:.0%}). It is drawn every "
            f"{REFRESH_S * 1000:g} ms at most, and more seldom where that would take more than "
            f"{LIMIT_SHARE:.0%} of the time.",
            "",
            "| terminal | sources | faces in each | median ms | p95 ms | kB written |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "| terminal | s of a run over the sample | drawings | s of the dashboard | share |",
            "|---|---|---|---|---|",
            *runs,
            "",
        ]
    )


def main():
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    record = measure(parser.parse_args().rounds)
    (RESULTS / "dashboard.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "dashboard.md").write_text(report(record), encoding="utf-8")


if __name__ == "__main__":
    main()
