"""What `kill -9` leaves of a run: `python -m tests.bench.kill`; `--kills 50 --seed 0`.

Every other run reads a long recording as fast as it can, the others a camera (MJPEG over HTTP on
loopback) at 15 pictures a second. Each is killed at a random moment, a second or more after its
first line. Then the journal, the video and `fervid recover` are looked at. Writes kill.json and
kill.md.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import pyarrow.parquet as pq

from fervid.recover import recover
from tests import servers
from tests.places import ROOT, SAMPLE
from train.options import RESULTS
from train.results import write_results
from train.tables import Table, figure

REPEATS = 40  # of a clip, which is seconds long
CAMERA_RATE = 15.0
START_S, RUN_S, LEAST_S = 600.0, 5.0, 1.0
MOST_LOST_S = 1.0
HEAD = (
    "# Killed\n\nMade by `python -m tests.bench.kill --kills {kills} --seed {seed}`: `fervid "
    "SOURCE -o DIR`, killed by SIGKILL at a random moment 1 to {last:.0f} s after its first line. "
    "{good} of {kills} kept all that is promised."
)
NOTE = (
    "silent: seconds between the journal's last line and the kill. lacking: seconds that the video "
    "ends before the last line. broken: journals with a line that is no JSON, but for a last one "
    "without its end, which are counted as cut. recovered: table and summary hold what the journal "
    "does."
)


@dataclass(frozen=True)
class Killed:
    """What one killed run left; times in seconds."""

    source: str
    after_s: float
    lines: int
    broken: int
    cut: bool
    silent_s: float
    pictures: int
    lacking_s: float
    recovered: bool

    @property
    def good(self) -> bool:
        """Whether it kept all that is promised."""
        lost_s = max(self.silent_s, self.lacking_s)
        kept = self.recovered and not self.broken and lost_s <= MOST_LOST_S
        return kept and self.pictures > 0


def long_clip(path: Path, clip: Path = SAMPLE) -> Path:
    """A clip again and again, its packets copied."""
    with av.open(str(clip)) as sample, av.open(str(path), "w") as file:
        video = sample.streams.video[0]
        stream = file.add_stream_from_template(video)
        length = video.duration
        for n in range(REPEATS):
            sample.seek(0)
            for packet in sample.demux(video):
                if packet.dts is not None:
                    packet.pts += n * length
                    packet.dts += n * length
                    packet.stream = stream
                    file.mux(packet)
    return path


def kill_one(source: str, kind: str, out: Path, after_s: float) -> Killed:
    """Start a run, kill it and look at what is left."""
    command = [sys.executable, "-m", "fervid", source, "-o", str(out), "--quiet"]
    with subprocess.Popen(command, cwd=ROOT) as process:
        journal = _wait_for_journal(process, out)
        time.sleep(after_s)
        if process.poll() is not None:
            raise RuntimeError(f"The run over {source} ended by itself, code {process.returncode}.")
        process.send_signal(signal.SIGKILL)
        killed_s = time.time()
    return look(kind, after_s, journal, killed_s)


def _wait_for_journal(process: subprocess.Popen[bytes], out: Path) -> Path:
    """The journal, once it has its first frame."""
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s and process.poll() is None:
        for journal in out.rglob("faces.jsonl"):
            if journal.read_bytes().count(b"\n") > 1:
                return journal
        time.sleep(0.02)
    process.kill()
    raise RuntimeError("The run has written no frame.")


def look(kind: str, after_s: float, journal: Path, killed_s: float) -> Killed:
    """What a kill left beside and in a journal."""
    whole, _, rest = journal.read_bytes().rpartition(b"\n")
    lines = whole.split(b"\n")
    content, broken = [], 0
    for line in lines[1:]:
        try:
            content.append(json.loads(line))
        except ValueError:
            broken += 1
    frames = [line for line in content if "faces" in line]  # the others are a camera's events
    silent_s = killed_s - journal.stat().st_mtime
    pictures, end_s = _end_of_video(journal.with_name("annotated.mp4"))
    last_s = frames[-1]["time_s"] - frames[0]["time_s"]
    recover(journal.parent, now=lambda: time.time() + 60)
    summary = json.loads(journal.with_name("summary.json").read_text())
    rows = pq.read_metadata(journal.with_name("faces.parquet")).num_rows
    same = summary["frames"] == len(frames) and rows == sum(len(f["faces"]) for f in frames)
    return Killed(
        *(kind, after_s, len(lines), broken, bool(rest), max(silent_s, 0.0)),
        *(pictures, last_s - end_s, same),
    )


def _end_of_video(path: Path) -> tuple[int, float]:
    """How many pictures can be played, and the time of the last one after the first."""
    times = []
    with contextlib.suppress(av.FFmpegError), av.open(str(path)) as file:
        times.extend(picture.time for picture in file.decode(video=0))
    return len(times), times[-1] - times[0] if times else 0.0


@contextlib.contextmanager
def sources(folder: Path) -> Iterator[list[tuple[str, str]]]:
    """A recording and a camera that never end, each with what it is called."""
    recording = long_clip(folder / "long.mp4")
    with servers.http_server(servers.mjpeg(10**6, rate=CAMERA_RATE)) as host:
        yield [(str(recording), "recording"), (f"http://{host}/", "camera")]


def measure(kills: int, seed: int) -> list[Killed]:
    """Kill so many runs."""
    chance, found = random.Random(seed), []
    with tempfile.TemporaryDirectory() as name, sources(Path(name)) as choice:
        for n in range(kills):
            source, kind = choice[n % len(choice)]
            after_s = chance.uniform(LEAST_S, LEAST_S + RUN_S)
            found.append(kill_one(source, kind, Path(name) / str(n), after_s))
            print(n, found[-1], flush=True)  # noqa: T201  it takes minutes
    return found


def table(found: Sequence[Killed]) -> Table:
    """A row for each kind of source."""
    head = ("source", "killed", "lines", "cut", "broken", "played", "silent", "lacking", "recover")
    rows = []
    for kind in dict.fromkeys(item.source for item in found):
        some = [item for item in found if item.source == kind]
        rows.append(
            (
                *(kind, str(len(some)), str(sum(item.lines for item in some))),
                *(str(sum(item.cut for item in some)), str(sum(item.broken for item in some))),
                str(sum(item.pictures > 0 for item in some)),
                f"{figure(max(item.silent_s for item in some), 2)} s",
                f"{figure(max(item.lacking_s for item in some), 2)} s",
                str(sum(item.recovered for item in some)),
            )
        )
    return Table("The worst of all runs", head, tuple(rows), NOTE)


def main() -> int:
    """Kill, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    found = measure(args.kills, args.seed)
    good = sum(item.good for item in found)
    about = {"kills": args.kills, "seed": args.seed, "good": good, "last": LEAST_S + RUN_S}
    print(table(found).markdown())  # noqa: T201  its output
    write_results(
        args.out,
        "kill",
        about | {"cores": os.cpu_count(), "runs": [asdict(item) for item in found]},
        HEAD.format(**about),
        [table(found)],
    )
    return 0 if good == args.kills else 1


if __name__ == "__main__":
    sys.exit(main())
