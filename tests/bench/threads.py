"""What the sharing of the cores is worth: whole runs over one clip, every setting in turn.

    python -m tests.bench.threads CLIP [REPEATS]

Each run draws, encodes and writes all that `-o` does, heatmaps included. One table, medians over
the repeats: frames a second, processor time a frame, and where a frame spends its time.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

import fervid

LIBRARIES = {"filter_threads": 0, "decode_threads": 0, "encode_threads": 0}
SETTINGS: dict[str, fervid.ThreadConfig] = {
    "default": fervid.ThreadConfig(),
    "libraries' own, spinning": fervid.ThreadConfig(spin=True, **LIBRARIES),
    "libraries' own": fervid.ThreadConfig(**LIBRARIES),
    "--spin": fervid.ThreadConfig(spin=True),
    "--threads 1": fervid.ThreadConfig(threads=1),
    "--filter-threads 0": fervid.ThreadConfig(filter_threads=0),
    "--decode-threads 0": fervid.ThreadConfig(decode_threads=0),
    "--encode-threads 0": fervid.ThreadConfig(encode_threads=0),
}


def measure(clip: Path, repeats: int) -> None:
    """Print the table; the first round warms up and does not count."""
    found: dict[str, list[tuple[float, float, dict[str, float]]]] = {name: [] for name in SETTINGS}
    networks = {
        (cores.threads, cores.spin): fervid.open_backend(threads=cores.threads, spin=cores.spin)
        for cores in SETTINGS.values()
    }
    with tempfile.TemporaryDirectory() as out:
        for number in range(repeats + 1):
            for name, cores in SETTINGS.items():
                network = networks[cores.threads, cores.spin]
                output = fervid.OutputConfig(out=Path(out), overwrite=True)
                config = fervid.RunConfig(output=output, cores=cores)
                began = time.process_time()
                (summary,) = fervid.analyse(clip, config=config, backend=network)
                cpu_ms = (time.process_time() - began) / summary["frames"] * 1000
                stages = {stage: ms["p50"] for stage, ms in summary["stages_ms"].items()}
                if number:
                    found[name].append((summary["fps"], cpu_ms, stages))
    for name, runs in found.items():
        fps, cpu_ms = (statistics.median(run[i] for run in runs) for i in (0, 1))
        shown = {s: statistics.median(run[2][s] for run in runs) for s in runs[0][2]}
        words = " ".join(f"{stage} {ms:.1f}" for stage, ms in shown.items())
        Console().print(f"{name:25} {fps:6.1f} fps {cpu_ms:6.1f} ms CPU   {words}", highlight=False)


if __name__ == "__main__":
    measure(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
