"""Archives of short clips, whole runs of the program over them, and what they leave."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import pyarrow.parquet as pq

from tests.clips import clip, cut
from tests.places import ROOT, SAMPLE

TIMES = ("fps", "elapsed_s", "stages_ms", "config")  # what differs between two runs
PATIENCE_S = 600


def archive(folder, n_clips=4, frames=10, broken=1, again=1):
    """Make clips of 320x240 with a face, in two folders, and broken files between them.

    Each clip shows its pictures `again` times over.
    """
    with av.open(str(SAMPLE)) as file:
        found = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)]
    for place in ("a", "b"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for n in range(n_clips):
        first = (n * 17) % (len(found) - frames)
        pictures = [cv2.resize(p, (320, 240)) for p in found[first : first + frames]]
        clip(folder / "ab"[n % 2] / f"clip{n}.mp4", pictures=pictures * again, size=(320, 240))
    for n in range(broken):
        path = clip(folder / "ab"[n % 2] / f"broken{n}.mp4", frames=6)
        cut(path, 0.3) if n % 2 else path.write_bytes(b"nothing of a video" * 20)
    return folder


def command(source, out, *options, program=("-m", "fervid")):
    return [sys.executable, *program, str(source), "-o", str(out), *options]


def begin(source, out, *options, **more):
    """Start the program in a process group of its own."""
    return subprocess.Popen(
        command(source, out, *options, **more),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(source, out, *options):
    """Run the program to its end; returns its exit code and what it said."""
    done = subprocess.run(
        command(source, out, *options),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stderr


def kill(process):
    """Kill a program and all its processes, as a power cut would."""
    with contextlib.suppress(ProcessLookupError):  # it may just have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)


def until(condition, process=None):
    """Wait until something holds; returns whether the program was still there."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if process is not None and process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "it never came to it"
        time.sleep(0.02)
    return True


def states(out):
    """How far each file of a manifest is, by its folder."""
    path = out / "manifest.json"
    files = json.loads(path.read_text())["files"] if path.exists() else {}
    return {entry["folder"]: entry["state"] for entry in files.values()}


def n_done(out):
    return list(states(out).values()).count("done")


def frames_written(out):
    return sum(len(path.read_bytes().splitlines()) - 1 for path in out.rglob("faces.jsonl"))


def pictures(video):
    """The pictures of a video, by their times."""
    with av.open(str(video)) as file:
        return {f.pts: f.to_ndarray(format="bgr24").astype(int) for f in file.decode(video=0)}


def picture_difference(out, other):
    """The largest mean difference between two videos of the same name, in grey levels.

    A last bit of a heatmap may differ between two runs of the same command, and the encoder makes
    more of it in the macroblocks that follow.
    """
    videos = [path.relative_to(out) for path in out.rglob("annotated.mp4")]
    pairs = ((pictures(out / name), pictures(other / name)) for name in videos)
    return max(abs(a[t] - b[t]).mean() for a, b in pairs for t in a)


def results(out: Path):
    """All that a run has written, without its times and settings; of videos when pictures come."""
    with (out / "clips.csv").open(newline="", encoding="utf-8") as file:
        clips = [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]
    found = {"clips.csv": clips, "all.parquet": pq.read_table(out / "all.parquet").to_pylist()}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.name == "summary.json":
            kept = json.loads(path.read_text()).items()
            found[name] = {k: v for k, v in kept if k not in TIMES}
        elif path.name == "faces.jsonl":
            found[name] = path.read_text().splitlines()[1:]
        elif path.name == "faces.parquet":
            found[name] = pq.read_table(path).to_pylist()
        elif path.name == "annotated.mp4":
            found[name] = list(pictures(path))
        elif path.is_file() and path.parent != out:
            found[name] = path.name
    return found
