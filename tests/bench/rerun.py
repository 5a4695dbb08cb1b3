"""What a Rerun recording costs, beside the rows and the video that fervid writes.

    pip install 'fervid[rerun]'
    python -m tests.bench.rerun [--seconds 10] [--rounds 3] [--wheel WHEEL]

writes docs/results/rerun.json and .md. The first seconds of samples/noisy_portrait.mp4 are analysed
once; then each writer gets the same results, in turn, several times over. Times are of the
processor, with the threads of the writer's own; what opens sockets is counted by strace in a
process of its own.
"""

import argparse
import contextlib
import dataclasses
import json
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import cv2

import fervid
from fervid.draw import draw
from fervid.records import Frame
from fervid.sinks.jsonl import JsonlSink
from fervid.sinks.parquet import ParquetSink
from fervid.sinks.rerun import QUALITY, RerunSink
from fervid.sinks.video import VideoSink
from tests.places import ROOT, SAMPLE
from tests.reports import drawn_results
from tests.results import header

RESULTS = ROOT / "docs" / "results"
PACKAGE = "rerun-sdk"
CALLS = re.compile(r"\b(socket|connect|bind|listen)\(")


class Pictures:
    """Encodes each picture as JPEG alone: the part of a recording that is not Rerun's."""

    def __init__(self, path: Path):
        self._file = path.open("wb")

    def write(self, frame, result, drawn):
        """Write one frame."""
        jpeg = cv2.imencode(".jpg", frame.bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        self._file.write(jpeg.tobytes())

    def close(self):
        """Finish the file."""
        self._file.close()


def analysed(seconds):
    """Frames, results and annotated pictures; the source; ms of the processor for each frame."""
    found, took = [], []
    with fervid.Pipeline() as pipeline, fervid.open_source(str(SAMPLE)) as source:
        for frame in source:
            if frame.time_s >= seconds:
                break
            kept = Frame(frame.index, frame.time_s, frame.bgr.copy())
            began = time.process_time()
            result = pipeline.process(frame)
            took.append((time.process_time() - began) * 1000)
            found.append((kept, result, draw(frame.bgr, result)))
        return found, source.info, statistics.median(took)


def writers(folder, head):
    """Name, file and maker of each writer."""
    files = {
        "rows (faces.jsonl)": ("a.jsonl", lambda path: JsonlSink(path, head)),
        "table (faces.parquet)": ("a.parquet", lambda path: ParquetSink(path, head)),
        "video (annotated.mp4)": ("a.mp4", lambda path: VideoSink(path, head)),
        "JPEG pictures alone": ("a.mjpeg", Pictures),
        "Rerun (--rerun)": ("a.rrd", lambda path: RerunSink(path, head)),
    }
    return {name: (folder / file, make) for name, (file, make) in files.items()}


def written(path, make, found):
    """Ms of the processor a frame, and bytes of the file."""
    began = time.process_time()
    with contextlib.closing(make(path)) as writer:
        for frame, result, drawn in found:
            writer.write(frame, result, drawn)
    spent = (time.process_time() - began) * 1000 / len(found)
    return spent, path.stat().st_size


def measured(found, head, rounds):
    """Each writer's median over some rounds."""
    rows = {}
    for _ in range(rounds + 1):  # the first one imports, and is not counted
        with tempfile.TemporaryDirectory() as folder:
            for name, (path, make) in writers(Path(folder), head).items():
                rows.setdefault(name, []).append(written(path, make, found))
    return [
        {
            "writer": name,
            "ms": round(statistics.median(ms for ms, _ in seen[1:]), 2),
            "bytes": seen[-1][1],
        }
        for name, seen in rows.items()
    ]


def installation(wheel):
    """What the package brings."""
    package = metadata.distribution(PACKAGE)
    sizes = [file.locate().stat().st_size for file in package.files if file.locate().is_file()]
    needs = [need for need in package.requires or () if "extra ==" not in need]
    code = "import time, sys; a = time.perf_counter(); import rerun; print(time.perf_counter() - a)"
    took = [
        float(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(3)
    ]
    return {
        "version": package.version,
        "wheel_bytes": wheel.stat().st_size if wheel else None,
        "installed_bytes": sum(sizes),
        "needs": needs,
        "import_s": round(statistics.median(took), 2),
    }


def sockets():
    """How many calls that open sockets a process makes that writes a recording; None: no strace."""
    if shutil.which("strace") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        log, out = Path(folder, "log"), Path(folder, "a.rrd")
        trace = ["strace", "-f", "-e", "trace=socket,connect,bind,listen", "-o", str(log)]
        command = [sys.executable, "-m", "tests.bench.rerun", "--trace", str(out)]
        subprocess.run([*trace, *command], check=True, cwd=ROOT)
        assert out.stat().st_size > 1000
        return len(CALLS.findall(log.read_text(encoding="utf-8", errors="replace")))


def report(record):
    """The record for a person."""
    about, frame_ms = record["package"], record["frame_ms"]
    wheel = f"{about['wheel_bytes'] / 1e6:.0f} MB to download, " if about["wheel_bytes"] else ""
    rows = [
        f"| {w['writer']} | {w['ms']:.2f} | {w['ms'] / frame_ms:.0%} | {w['bytes'] / 1000:,.0f} |"
        for w in record["writers"]
    ]
    calls = "not counted (no strace)" if record["sockets"] is None else record["sockets"]
    return "\n".join(
        [
            "# What a Rerun recording costs",
            "",
            f"`python -m tests.bench.rerun --seconds {record['seconds']:g} --rounds "
            f"{record['rounds']}`, {record['date']}, {record['machine']}, rerun-sdk "
            f"{about['version']}; other programs were at work beside it.",
            "",
            f"{record['frames']} frames of {record['size']}, one face in each; to analyse one "
            f"takes {frame_ms:.1f} ms of the processor (median; decoding and drawing left aside).",
            "",
            "| writer | ms of the processor a frame | of a frame's analysis | kB |",
            "|---|---|---|---|",
            *rows,
            "",
            f"rerun-sdk: {wheel}{about['installed_bytes'] / 1e6:.0f} MB on disk; it needs "
            f"{', '.join(about['needs'])}. Importing it takes {about['import_s']} s. Calls of "
            f"socket, connect, bind and listen while it writes a recording: {calls}.",
            "",
            "What was decided: [decisions](../decisions.md#rerun).",
            "",
        ]
    )


def traced(path):
    """Write a recording of two seconds, for strace."""
    drawn = list(drawn_results(2, people=2))
    with contextlib.closing(RerunSink(path, header(classes=drawn[0][1].classes))) as recording:
        for frame, result in drawn:
            recording.write(frame, result, None)


def main():
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wheel", type=Path, help="its file as downloaded, for its size")
    parser.add_argument("--trace", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.trace:
        traced(given.trace)
        return
    found, info, frame_ms = analysed(given.seconds)
    head = dataclasses.replace(header(classes=found[0][1].classes), source=info)
    record = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seconds": given.seconds,
        "rounds": given.rounds,
        "frames": len(found),
        "size": f"{info.width}x{info.height}",
        "frame_ms": round(frame_ms, 2),
        "writers": measured(found, head, given.rounds),
        "package": installation(given.wheel),
        "sockets": sockets(),
    }
    (RESULTS / "rerun.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "rerun.md").write_text(report(record), encoding="utf-8")


if __name__ == "__main__":
    main()
