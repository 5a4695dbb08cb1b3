"""Seconds from SIGTERM or Ctrl-C to the end: `python -m tests.bench.stop`; `--runs 24 --seed 0`.

Recordings of 720p and 1080p that are read as fast as they can be, cameras of the same sizes (MJPEG
over HTTP on loopback) at 15 pictures a second, a pipe that has stalled, and a folder of recordings
with `--jobs 2`. All write everything that `-o` does. Each gets SIGTERM or SIGINT at a random
moment, a second or more after its first line. Writes stop.json and stop.md.
"""

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import psutil
import pyarrow.parquet as pq

from tests.bench.kill import LEAST_S, RUN_S
from tests.bench.stop_cases import Case, cases
from tests.places import ROOT
from train.options import RESULTS
from train.results import write_results
from train.tables import Table, figure

LIMIT_S = 2.0
PATIENCE_S = 600.0
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
HEAD = (
    "# Stopped\n\nMade by `python -m tests.bench.stop --runs {runs} --seed {seed}`: `fervid SOURCE "
    "-o DIR`, stopped by SIGTERM or SIGINT at a random moment 1 to {last:.0f} s after its first "
    "line, on {cores} cores beside other work (load average {load:.1f}). {good} of {runs} ended "
    "within {limit:.0f} s, with the right code and every file complete."
)
NOTE = (
    "to end: seconds from the signal to the end of the process; work: CPU seconds of it and its "
    "processes in that time. complete: the exit code is 143 "
    "(SIGTERM) or 130 (SIGINT), video, journal and table hold the same frames, and the summary "
    'says "interrupted".'
)


@dataclass(frozen=True)
class Stopped:
    """How one run ended; times in seconds."""

    source: str
    signal: str
    after_s: float
    took_s: float
    work_s: float
    code: int
    lines: int
    pictures: int
    complete: bool
    load: float

    @property
    def good(self) -> bool:
        """Whether it kept all that is promised."""
        return self.complete and self.took_s < LIMIT_S


def stop_one(case: Case, number: signal.Signals, out: Path, after_s: float) -> Stopped:
    """Start a run, stop it and look at what it left."""
    command = [sys.executable, "-m", "fervid", *case.words, "-o", str(out), "--quiet"]
    with case.stdin() as pipe, subprocess.Popen(command, cwd=ROOT, stdin=pipe) as process:
        _wait_for_journals(process, out, case.journals)
        time.sleep(after_s)
        if process.poll() is not None:
            raise RuntimeError(f"{case.name} ended by itself, code {process.returncode}.")
        load, spent_s, began = os.getloadavg()[0], _cpu_s(process.pid), time.monotonic()
        before = _children_s()
        process.send_signal(number)
        code = process.wait(PATIENCE_S)
        took_s = time.monotonic() - began
        work_s = max(0.0, _children_s() - before - spent_s)
    found = [look(journal) for journal in sorted(out.rglob("faces.jsonl"))]
    complete = code == CODES[number] and all(whole for _, _, whole in found)
    lines, pictures = (sum(item[n] for item in found) for n in (0, 1))
    return Stopped(
        *(case.name, number.name, after_s, took_s, work_s, code, lines, pictures, complete, load)
    )


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process that runs, and of its own processes."""
    main = psutil.Process(pid)
    times = [process.cpu_times() for process in (main, *main.children(recursive=True))]
    return sum(item.user + item.system for item in times)


def _children_s() -> float:
    """CPU seconds of this program's processes that have ended, with theirs."""
    times = os.times()
    return times.children_user + times.children_system


def _wait_for_journals(process: subprocess.Popen[bytes], out: Path, least: int) -> None:
    """Wait until so many journals have their first frame."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s and process.poll() is None:
        begun = [path for path in out.rglob("faces.jsonl") if path.read_bytes().count(b"\n") > 1]
        if len(begun) >= least:
            return
        time.sleep(0.02)
    process.kill()
    raise RuntimeError("The run has written no frame.")


def look(journal: Path) -> tuple[int, int, bool]:
    """Frames of a journal, pictures of its video, and whether all of its files agree."""
    lines = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    frames = [line for line in lines if "faces" in line]
    with av.open(str(journal.with_name("annotated.mp4"))) as file:
        pictures = sum(1 for _ in file.decode(video=0))
    rows = pq.read_metadata(journal.with_name("faces.parquet")).num_rows
    summary = json.loads(journal.with_name("summary.json").read_text())
    report = journal.with_name("report.html").exists()
    return (
        len(frames),
        pictures,
        pictures == len(frames) == summary["frames"]
        and rows == sum(len(frame["faces"]) for frame in frames)
        and summary["error"] == "interrupted"
        and report,
    )


def measure(runs: int, seed: int) -> list[Stopped]:
    """Stop so many runs: of every case with both signals, in turn."""
    chance, found = random.Random(seed), []
    with tempfile.TemporaryDirectory() as name, cases(Path(name)) as choice:
        turns = itertools.cycle(itertools.product(CODES, choice))
        for n, (number, case) in enumerate(itertools.islice(turns, runs)):
            after_s = chance.uniform(LEAST_S, LEAST_S + RUN_S)
            found.append(stop_one(case, number, Path(name) / f"out{n}", after_s))
            print(n, found[-1], flush=True)  # noqa: T201  it takes minutes
    return found


def table(found: Sequence[Stopped]) -> Table:
    """A row for each case."""
    head = ("source", "stopped", "to end, median", "to end, longest", "work, longest", "complete")
    rows = []
    for name in dict.fromkeys(item.source for item in found):
        some = [item for item in found if item.source == name]
        took = [item.took_s for item in some]
        rows.append(
            (
                *(name, str(len(some)), f"{figure(statistics.median(took), 2)} s"),
                *(f"{figure(max(took), 2)} s", f"{figure(max(i.work_s for i in some), 2)} s"),
                str(sum(item.complete for item in some)),
            )
        )
    return Table("Seconds to the end", head, tuple(rows), NOTE)


def main() -> int:
    """Stop, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    found = measure(args.runs, args.seed)
    good = sum(item.good for item in found)
    about = {"runs": args.runs, "seed": args.seed, "good": good, "limit": LIMIT_S}
    about |= {"last": LEAST_S + RUN_S, "cores": os.cpu_count()}
    load = statistics.fmean(item.load for item in found)
    print(table(found).markdown())  # noqa: T201  its output
    write_results(
        args.out,
        "stop",
        about | {"stopped": [asdict(item) for item in found]},
        HEAD.format(**about, load=load),
        [table(found)],
    )
    return 0 if good == args.runs else 1


if __name__ == "__main__":
    sys.exit(main())
