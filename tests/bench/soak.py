"""Play a live stream to fervid for hours, break it at random moments, and watch the process.

    python -m tests.bench.soak [--hours 2] [--fps 15] [--seed 0] [--clip VIDEO] [--out FOLDER]
    python -m tests.bench.soak --report FOLDER

writes docs/results/soak.json and .md and docs/soak.png (under `--docs`). fervid is a process of its
own, with all that `-o` writes; the server is GStreamer's (tests/rtsp_server.py), and is killed and
started again, stalled (SIGSTOP), or its picture frozen. FOLDER gets soak.jsonl, a line every ten
seconds, written at once: `--report` makes the results of what a run has left that was broken off.
What the latency is of, soak_journal.py explains. MB are 10^6 bytes.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import psutil

import fervid
from tests import clips
from tests.bench import soak_faults, soak_report
from tests.bench.broken_server import Server, encode_loop
from tests.bench.soak_journal import Tail
from tests.bench.soak_record import MB, Record, measured, written
from tests.places import ROOT, SAMPLE

SIZE = (640, 360)
SAMPLE_S, LOOK_S = 10.0, 0.01
# Memory is a mean of so many seconds' readings: fervid gives back what is free every ten seconds,
# and one reading in ten would show for minutes on end what is before that, and then what is after.
READ_S = 1.0
START_S, END_S = 300.0, 60.0  # that fervid may take to write its first row, and to end
CLIP = clips.REAL / "emotion_change_occlusion.mp4"


class Soak:
    """One run: its record, its server, fervid, and what fervid writes."""

    def __init__(self, record, server, child, tail):
        self._record, self._server, self._child, self._tail = record, server, child, tail
        self._process, self._own = psutil.Process(child.pid), psutil.Process()
        self._before = (0, 0)
        self._rss_mb, self._read_at_s = [], 0.0

    def run(self, seconds, faults):
        """Sample, and inject each fault when its time has come, until the time is over."""
        waiting, now, sample_at_s = list(faults), None, SAMPLE_S
        while self._child.poll() is None:
            passed_s = time.monotonic() - self._record.began_s
            self._tail.look()
            if now is None and waiting and passed_s >= waiting[0].at_s:
                fault = waiting.pop(0)
                self._record.add("fault", how=fault.how, planned_s=fault.at_s)
                now = soak_faults.inject(self._server, self._tail, fault)
            if now is not None:
                try:
                    next(now)
                except StopIteration as done:
                    self._record.add("recovery", **done.value)
                    now = None
            if passed_s >= self._read_at_s:
                self._read_at_s = passed_s + READ_S
                self._read_memory()
            if passed_s >= sample_at_s:
                sample_at_s += SAMPLE_S * (1 + (passed_s - sample_at_s) // SAMPLE_S)
                self._sample(now is not None)
            if passed_s >= seconds and now is None:
                return
            time.sleep(LOOK_S)
        self._sample_rows(True)

    def wait_for_frames(self):
        """Wait for the first row."""
        end_s = time.monotonic() + START_S
        while self._tail.frames == 0:
            if time.monotonic() > end_s or self._child.poll() is not None:
                raise RuntimeError(
                    "fervid wrote no row; child.log in the record's folder says why."
                )
            self._tail.look()
            time.sleep(LOOK_S)
        self._record.began_s = time.monotonic()
        self._tail.taken()
        self._before = self._tail.frames, self._tail.dropped

    def end(self):
        """End fervid as Ctrl-C does; returns what became of it."""
        early = self._child.poll() is not None
        began = time.monotonic()
        if not early:
            self._child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(END_S)
        took_s = round(time.monotonic() - began, 2)
        self._tail.look()
        fields = {"ended_early": early, "exit_code": self._child.poll(), "took_s": took_s}
        self._record.add("end", **fields, rows=self._tail.frames, **written(self._tail.folder))

    def _read_memory(self):
        with suppress(psutil.NoSuchProcess):
            self._rss_mb.append(self._process.memory_info().rss / MB)

    def _sample(self, disturbed):
        """Record the state of fervid, of this process, and of the machine."""
        readings, self._rss_mb = self._rss_mb, []
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            state = {**measured(self._process), "load": os.getloadavg()[0]}
            state["rss_mb"] = round(fmean(readings or [state["rss_mb"]]), 3)
            own = measured(self._own)
            state["harness"] = {k: own[k] for k in ("rss_mb", "threads", "descriptors")}
            self._sample_rows(disturbed, **state)

    def _sample_rows(self, disturbed, **state):
        latency_ms, events = self._tail.taken()
        frames, dropped = self._tail.frames, self._tail.dropped
        new = {"frames": frames - self._before[0], "dropped": dropped - self._before[1]}
        self._before = frames, dropped
        kept = [
            {k: e[k] for k in ("event", "utc", "attempts", "offline_s", "missing_ms")}
            for e in events
        ]
        self._record.add(
            "sample", disturbed=disturbed, **new, **state, latency_ms=latency_ms, events=kept
        )


def start_child(url, out, stack):
    """Start fervid on a stream as somebody who records all night does."""
    log = stack.enter_context((out / "child.log").open("wb"))
    command = [sys.executable, "-m", "fervid", url, "-o", str(out / "results")]
    command += ["--no-window", "--no-config", "--reconnect", "forever"]
    child = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )
    stack.callback(child.wait)
    stack.callback(child.kill)
    return child


def soak(given, out):
    """A whole run; returns its record's file."""
    seconds, path = given.hours * 3600, out / "soak.jsonl"
    with ExitStack() as stack:
        record = Record(path)
        stack.callback(record.close)
        pictures = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        n = encode_loop(given.clip, pictures, fps=given.fps, size=SIZE)
        server = Server(pictures, given.fps)
        stack.callback(server.close)
        child = start_child(server.url, out, stack)
        tail = Tail(out / "results")
        stack.callback(tail.close)
        faults = soak_faults.plan(seconds, given.seed)
        record.add(
            "start",
            date=datetime.now(UTC).isoformat(timespec="minutes"),
            fervid=fervid.__version__,
            machine=f"{platform.machine()}, {os.cpu_count()} cores, Python "
            f"{platform.python_version()}",
            hours=given.hours,
            fps=given.fps,
            seed=given.seed,
            size=SIZE,
            clip=given.clip.name,
            pictures=n,
            faults=len(faults),
            pid=child.pid,
        )
        run = Soak(record, server, child, tail)
        run.wait_for_frames()
        run.run(seconds, faults)
        run.end()
    return path


def normal_priority():
    """Run at normal priority, and fervid too, where that is allowed."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def main():
    """Measure, or read what was measured, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clip", type=Path, default=CLIP if CLIP.exists() else SAMPLE)
    parser.add_argument("--out", type=Path, help="folder of the record; by default a new one")
    parser.add_argument("--report", type=Path, help="folder of a record to write the results of")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the results")
    given = parser.parse_args()
    if given.report:
        path = given.report / "soak.jsonl"
    else:
        normal_priority()
        # Shells start jobs in the background with Ctrl-C ignored, which fervid would inherit.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        out = given.out or Path(tempfile.mkdtemp(prefix="fervid-soak-"))
        out.mkdir(parents=True, exist_ok=True)
        sys.stdout.write(f"The record is {out / 'soak.jsonl'}\n")
        sys.stdout.flush()
        path = soak(given, out)
    sys.stdout.write(soak_report.write(path, given.docs))


if __name__ == "__main__":
    main()
