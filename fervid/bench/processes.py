"""The measurements that need a fresh process: the real command, started as a user starts it."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]

from fervid.bench.figures import Figures
from fervid.errors import FervidError

FERVID = (sys.executable, "-m", "fervid")
SAMPLE_S = 0.1
# Shares of a run over whose samples memory is compared: after it has warmed up, and at its end.
EARLY, LATE = (0.25, 0.5), (0.75, 1.0)


def start_up(clip: Path, command: Sequence[str] = FERVID) -> Figures:
    """Seconds from the start of the command until the first row comes out of it.

    Raises:
        FervidError: it ended without one.
    """
    asked = [*command, str(clip), "--jsonl", "-", "--quiet", "--no-config"]
    began = time.perf_counter()
    with subprocess.Popen(
        asked, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        if process.stdout is None or process.stderr is None:  # for the type checker: both are pipes
            raise RuntimeError("no pipes")
        process.stdout.readline()  # the header
        row = process.stdout.readline()
        took = time.perf_counter() - began
        process.kill()
        said = process.stderr.read().decode(errors="replace")
    if not row:
        raise FervidError(f"The command gave no row: {said.strip()[-300:]}")
    return Figures({"first_result_s": took})


def memory(clip: Path, out: Path, command: Sequence[str] = FERVID) -> Figures:
    """Resident memory of the command while it writes everything.

    Returns:
        The peak, and by how much the median of the last quarter exceeds that of the second, in
        MB (10^6 bytes).

    Raises:
        FervidError: it failed.
    """
    asked = [*command, str(clip), "-o", str(out), "--quiet", "--no-config"]
    with subprocess.Popen(
        asked, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        samples = sampled(process.poll, psutil.Process(process.pid))
        said = b"" if process.stderr is None else process.stderr.read()
    if process.returncode or not samples:
        raise FervidError(f"The command failed: {said.decode(errors='replace').strip()[-300:]}")
    return Figures(
        {"memory_peak_mb": max(samples), "memory_growth_mb": growth(samples)},
    )


def sampled(
    ended: Callable[[], int | None],
    process: psutil.Process,
    sleep: Callable[[float], None] = time.sleep,
) -> list[float]:
    """Resident memory in MB every SAMPLE_S until `ended` gives an exit code."""
    samples: list[float] = []
    while ended() is None:
        try:
            samples.append(process.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            break
        sleep(SAMPLE_S)
    return [value for value in samples if value > 0]  # 0: it has ended and was not waited for yet


def growth(samples: Sequence[float]) -> float:
    """How much the median over LATE exceeds that over EARLY, in the unit of the samples."""
    early, late = (
        np.median(samples[int(low * len(samples)) : max(int(high * len(samples)), 1)] or samples)
        for low, high in (EARLY, LATE)
    )
    return float(late - early)
