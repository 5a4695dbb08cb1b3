"""An archive interrupted, shared out among processes, and on a Ray cluster that loses a machine.

    python -m tests.bench.archive [--clips 200] [--broken 5] [--parts killed jobs ray]

Writes docs/results/archive.json and archive.md. The clips are pieces of the sample clip, 320x240;
the broken files are cut off or no videos at all. `killed` kills the run and all its processes three
times (SIGKILL to the process group), and compares what `--resume` makes of it with one clean run;
`jobs` measures the throughput; `ray` starts two nodes of one core each on this machine
(ray.cluster_utils.Cluster), kills one when half of the files are done, and compares too.
"""

import argparse
import json
import os
import platform
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from fervid.sharing import cores
from tests import archive_runs as runs
from tests.places import ROOT

PLACE = ROOT / "docs" / "results"
STRIKES = 3


def say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)


def timed(source: Path, out: Path, *options: str) -> tuple[float, str]:
    began = time.monotonic()
    _, said = runs.finish(source, out, "--quiet", *options)
    return time.monotonic() - began, said


def killed(source: Path, work: Path, clean: Any) -> dict[str, Any]:
    """Kill a run three times at random moments, and go on with it."""
    out, chance, found = work / "killed", random.Random(6), []
    options = [("--jobs", "2"), (), ("--jobs", "2")]
    total = len(clean["clips.csv"])
    for number in range(STRIKES):
        wanted = round(total * (number + 0.5 + chance.random() / 3) / (STRIKES + 1))
        resumed = ("--resume",) if number else ()
        process = runs.begin(source, out, "--quiet", *options[number], *resumed)
        runs.until(lambda wanted=wanted: runs.n_done(out) >= wanted, process)
        time.sleep(chance.random() / 2)
        runs.kill(process)
        found.append({"done": runs.n_done(out), "options": " ".join(options[number])})
        say(f"killed: {found[-1]}")
    done = {f for f, state in runs.states(out).items() if state == "done"}
    before = {f: (out / f / "summary.json").stat().st_mtime_ns for f in done}
    code, said = runs.finish(source, out, "--resume", "--jobs", "2")
    again = [f for f in done if (out / f / "summary.json").stat().st_mtime_ns != before[f]]
    return {
        "strikes": found,
        **compared(out, work, clean),
        "redone": len(again),
        "code": code,
        "said": said.splitlines()[-1],
    }


def compared(out: Path, work: Path, clean: Any) -> dict[str, Any]:
    """Compare what a run left with the clean run: tables exactly, pictures by their difference."""
    found = runs.results(out)
    other = [name for name in {**found, **clean} if found.get(name) != clean.get(name)]
    pictures = runs.picture_difference(out, work / "clean")
    return {"same": not other, "other": other, "picture_difference": round(float(pictures), 2)}


def jobs(source: Path, work: Path, clean: Any) -> dict[str, Any]:
    """Time one process against two, in turn, with the threads that each gets."""
    found: dict[str, Any] = {}
    for name, options in (
        ("one process", ()),
        ("--jobs 2", ("--jobs", "2")),
        ("--jobs 3", ("--jobs", "3")),
    ):
        out = work / name.replace(" ", "-")
        seconds, _ = timed(source, out, *options)
        found[name] = {"seconds": round(seconds, 1), **compared(out, work, clean)}
        say(f"{name}: {found[name]}")
    return found


def ray(source: Path, work: Path, clean: Any) -> dict[str, Any]:
    """Run on two nodes and kill one of them half-way."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_gcs_server_request_timeout_seconds", "400")
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **memory})
    try:
        nodes = [cluster.add_node(num_cpus=1, **memory) for _ in range(2)]
        cluster.wait_for_nodes()
        out, total = work / "ray", len(clean["clips.csv"])
        began = time.monotonic()
        process = runs.begin(source, out, "--quiet", "--ray", cluster.address)
        runs.until(lambda: runs.n_done(out) >= total // 2, process)
        cluster.remove_node(nodes[0], allow_graceful=False)
        done, at = runs.n_done(out), time.monotonic() - began
        say(f"ray: a node was killed after {at:.1f} s, {done} files done")
        said = process.communicate(timeout=1800)[1]
        seconds = time.monotonic() - began
        sources = [row["source"] for row in runs.results(out)["clips.csv"]]
    finally:
        cluster.shutdown()
    return {
        "seconds": round(seconds, 1),
        "done_when_killed": done,
        "killed_after_s": round(at, 1),
        **compared(out, work, clean),
        "doubled": len(sources) - len(set(sources)),
        "code": process.returncode,
        "said": said.splitlines()[-1] if said else "",
    }


KILLED = """\
**Killed {n} times and resumed.** Files done at each SIGKILL to all processes: {strikes}. Tables,
rows, summaries and pictures' times equal to those of one clean run: {same}; pictures differ by at
most {picture_difference} grey levels in the mean; finished files analysed again: {redone}; last
words: `{said}`.
"""
RAY = """\
**Ray, two nodes of one core, one killed half-way** (`ray.cluster_utils.Cluster`): killed after
{killed_after_s} s, with {done_when_killed} files done; all done after {seconds} s. Results equal
to those of one clean run: {same}; sources that are twice in the tables: {doubled}; last words:
`{said}`.
"""


def report(found: dict[str, Any]) -> str:
    """The page: what was measured, in words and a table."""
    n = found["archive"]
    parts = [
        "# Archives\n",
        "By `python -m tests.bench.archive`, whose head says what is done.",
        f"{n['clips']} clips of 320x240 with {n['frames']} frames each, and {n['broken']} broken",
        f"files; {n['machine']}, {n['cores']} cores. Where the load at the start (in archive.json)",
        "is above 1, other programs ran beside it, and times are no more than hints.\n",
    ]
    for name, form in (("killed", KILLED), ("ray", RAY)):
        if name in found:
            told = {**found[name], "same": "yes" if found[name]["same"] else "NO"}
            if name == "killed":
                strikes = [
                    f"{s['done']} ({s['options'] or 'one process'})" for s in told["strikes"]
                ]
                told |= {"n": len(strikes), "strikes": ", ".join(strikes)}
            parts.append(form.format_map(told))
    if "jobs" in found:
        table = {k: v for k, v in found["jobs"].items() if isinstance(v, dict)}
        rows = [f"| {w} | {v['seconds']} | {v['same']} |" for w, v in table.items()]
        parts += ["| | seconds | same results |\n|---|---|---|", *rows, ""]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--broken", type=int, default=5)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--parts", nargs="*", default=["killed", "ray", "jobs"])
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    PLACE.mkdir(exist_ok=True)
    runs.PATIENCE_S = 7200
    path = PLACE / "archive.json"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = runs.archive(work / "in", wanted.clips, frames=wanted.frames, broken=wanted.broken)
        load = {"load_at_start": round(os.getloadavg()[0], 1)}
        seconds, _ = timed(source, work / "clean")
        say(f"clean run: {seconds:.1f} s")
        clean = runs.results(work / "clean")
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        found["archive"] = {
            "clips": wanted.clips,
            "broken": wanted.broken,
            "frames": wanted.frames,
            "machine": platform.machine(),
            "cores": cores(),
            "clean_s": round(seconds, 1),
        }
        for part in wanted.parts:
            measured = {"killed": killed, "jobs": jobs, "ray": ray}[part](source, work, clean)
            found[part] = load | measured
            say(f"{part}: {found[part]}")
            path.write_text(json.dumps(found, indent=2) + "\n")
            path.with_suffix(".md").write_text(report(found))


if __name__ == "__main__":
    main()
