"""Children that analyse files, watched from outside: crashes, hangs and memory are seen here."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.fuzz.corpus import Case
from tests.places import ROOT

LONGEST_S, MOST_MB = 10.0, 1500.0
IDLE_S = 60.0  # without any work: something waits for ever, or nobody gives it a processor
LOOK_S = 0.05
FAILURES = ("crash", "exception", "hang", "memory", "no sentence")


@dataclass(frozen=True)
class Verdict:
    """What became of a file."""

    case: Case
    verdict: str
    said: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    frames: int = 0
    damaged: int = 0

    @property
    def failed(self) -> bool:
        """Whether fervid has failed with it."""
        return self.verdict in FAILURES


class Child:
    """One child process; a new one takes its place when it has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def look(self, case: Case, write: bool) -> Verdict:
        """Have a file analysed, within the limits."""
        process, answers = self._ready()
        spent, began = _cpu_s(process.pid), time.monotonic()
        self._worked, self._work_s = began, spent
        process.stdin.write(json.dumps({"path": str(case.path), "write": write}) + "\n")
        process.stdin.flush()
        while True:
            try:
                answer = answers.get(timeout=LOOK_S)
            except queue.Empty:
                why = self._over(process, spent, began)
                if not why:
                    continue
                self.close()
                return Verdict(case, *why, time.monotonic() - began)
            break
        if answer is None:
            return self._crashed(case, time.monotonic() - began)
        return _checked(case, answer)

    def close(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            for file in (self._process.stdin, self._process.stdout, self._errors):
                with contextlib.suppress(BrokenPipeError):  # what it was told last
                    file.close()
            self._process = None
            shutil.rmtree(self._folder, ignore_errors=True)

    def _ready(self) -> tuple[subprocess.Popen[str], "queue.Queue[Any]"]:
        if self._process is None:
            command = [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.child"]
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the child
            self._process = subprocess.Popen(
                [*command, str(self._folder)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
            )
            self._answers = queue.Queue()
            self._reader = threading.Thread(
                target=_read, args=(self._process.stdout, self._answers), daemon=True
            )
            self._reader.start()
            if self._answers.get() != {"verdict": "ready"}:
                raise RuntimeError("The child does not start.")
        return self._process, self._answers

    def _over(
        self, process: subprocess.Popen[str], spent: float, began: float
    ) -> tuple[str, str] | None:
        """Which limit is broken, if any is."""
        try:
            memory_mb = psutil.Process(process.pid).memory_info().rss / 2**20
        except psutil.Error:
            return None
        if memory_mb > MOST_MB:
            return "memory", f"{memory_mb:.0f} MB"
        now, work_s = time.monotonic(), _cpu_s(process.pid)
        if work_s > self._work_s:
            self._worked, self._work_s = now, work_s
        if work_s - spent > LONGEST_S or now - self._worked > IDLE_S:
            said = f"{work_s - spent:.1f} s of work, {now - began:.1f} s by the clock"
            return "hang", said
        return None

    def _crashed(self, case: Case, wall_s: float) -> Verdict:
        code = self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace")[-800:]
        self.close()
        name = signal.Signals(-code).name if code < 0 else f"code {code}"
        return Verdict(case, "crash", f"{name}: {last}", wall_s)


def _read(stream: Any, answers: "queue.Queue[Any]") -> None:
    for line in stream:
        answers.put(json.loads(line))
    answers.put(None)


def _cpu_s(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def _checked(case: Case, answer: dict[str, Any]) -> Verdict:
    """The child's own verdict; what it used between two looks counts too."""
    verdict = Verdict(case, **answer)
    if verdict.peak_mb > MOST_MB:
        said = f"{verdict.peak_mb:.0f} MB; {verdict.verdict} {verdict.said}"
    elif verdict.cpu_s > LONGEST_S:
        said = f"{verdict.cpu_s:.1f} s of work; {verdict.verdict} {verdict.said}"
    else:
        return verdict
    kind = "memory" if verdict.peak_mb > MOST_MB else "hang"
    return Verdict(case, kind, said, verdict.wall_s, verdict.cpu_s, verdict.peak_mb)


def look_at(cases: Iterable[Case], folder: Path, children: int, every: int) -> Iterator[Verdict]:
    """Have files analysed by several children at once, and delete them.

    Args:
        cases: are made as they are taken.
        folder: below which files may be deleted.
        children: how many.
        every: outputs are written for every so-manieth file, and for all that are not mutants.
    """
    free: queue.Queue[Child] = queue.Queue()
    for n in range(children):
        free.put(Child(folder / f"out-{n}"))

    def work(case: Case, write: bool) -> Verdict:
        child = free.get()
        try:
            return child.look(case, write)
        finally:
            free.put(child)
            if folder in case.path.parents and not case.path.is_dir():
                case.path.unlink(missing_ok=True)

    with ThreadPoolExecutor(children) as pool:
        waiting: set[Future[Verdict]] = set()
        for n, case in enumerate(cases):
            waiting.add(pool.submit(work, case, not case.seed or n % every == 0))
            if len(waiting) > 2 * children:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in waiting)
    while not free.empty():
        free.get().close()
