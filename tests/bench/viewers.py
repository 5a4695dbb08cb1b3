"""What viewers of the live page cost the analysis: none, ten, and ten with one that reads nothing.

    python -m tests.bench.viewers [CLIP] [--seconds 8] [--rounds 3] [--viewers 10]

writes docs/results/viewers.json and .md. One run of fervid analyses the clip, repeated to a long
one, as fast as it can; the states take turns within it, so that whatever else the machine does
meets all of them. Viewers are another process, which asks for pictures as a page does.
"""

import argparse
import asyncio
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import av
import psutil

import fervid
from tests.live import running
from tests.places import ROOT, SAMPLE

RESULTS = ROOT / "docs" / "results"
STATES = ("none", "viewers", "stalled")
LEAST = 0.9  # of the rate without viewers
LONGEST_S = 900.0  # of the repeated clip: more than any machine analyses meanwhile
SETTLE_S = 1.5  # after a change, which count for neither state


async def watch(url, counted):
    """One viewer: asks for each picture of whatever source is shown, for ever."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as viewer:
        async for message in viewer:
            if message.type is aiohttp.WSMsgType.BINARY:
                counted.append(len(message.data))
                source = int.from_bytes(message.data[:4], "little")
                await viewer.send_str(json.dumps({"next": source}))
            elif message.type is aiohttp.WSMsgType.TEXT:
                told = json.loads(message.data)
                if told["type"] == "figures":
                    for source in told["sources"]:
                        if source["state"] not in ("ended", "gave up"):
                            await viewer.send_str(json.dumps({"next": source["id"]}))


async def crowd(url, n):
    """So many viewers; says on standard output every second how many pictures all have had."""
    counted = []
    tasks = [asyncio.ensure_future(watch(url, counted)) for _ in range(n)]
    while len(counted) < 2 * n:
        await asyncio.sleep(0.1)
    while not any(task.done() for task in tasks):
        sys.stdout.write(f"{len(counted)} {sum(counted)}\n")
        sys.stdout.flush()
        await asyncio.sleep(1)


def stall(url):
    """A viewer that asks for pictures and reads nothing."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = f"GET /live HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
    head += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    connection.sendall(head.encode())
    return connection


@contextmanager
def viewers(url, n, *, stalled):
    """Viewers in a process of their own; yields what they have said so far."""
    said, connection = [], stall(url) if stalled else None
    command = [sys.executable, "-m", "tests.bench.viewers", "--crowd", f"{url}live", str(n)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        process.stdout.readline()  # all of them look
        yield said
    finally:
        process.kill()
        lines = process.stdout.read().splitlines()
        said += [tuple(map(int, line.split())) for line in lines if len(line.split()) == 2]
        process.stdout.close()
        process.wait()
        if connection:
            connection.close()


def repeat(clip, path, seconds):
    """Write the pictures of a clip one time after the other, without encoding them anew."""
    with av.open(str(clip)) as file, av.open(str(path), "w") as out:
        video = file.streams.video[0]
        stream = out.add_stream_from_template(video)
        packets = [packet for packet in file.demux(video) if packet.dts is not None]
        length = packets[-1].dts - packets[0].dts + packets[-1].duration
        content = [(bytes(p), p.pts, p.dts, p.duration, p.is_keyframe) for p in packets]
        for turn in range(max(1, round(seconds / float(length * video.time_base)))):
            for data, pts, dts, duration, key in content:
                packet = av.Packet(data)
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                packet.duration, packet.time_base = duration, video.time_base
                packet.is_keyframe, packet.stream = key, stream
                out.mux(packet)


class Counter:
    """Counts what is analysed: lines of the journal, which is written frame by frame; CPU time."""

    def __init__(self, journal, pid):
        self._process = psutil.Process(pid)
        self._journal, self._read, self._lines = journal, 0, 0

    def frames(self):
        """Lines until now."""
        with self._journal.open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        self._read += len(fresh)
        self._lines += fresh.count(b"\n")
        return self._lines

    def cpu_s(self):
        """Seconds that the processor has worked for fervid."""
        times = self._process.cpu_times()
        return times.user + times.system


def rate(counter, seconds):
    """Frames a second over a while, once things have settled, and CPU ms a frame."""
    time.sleep(SETTLE_S)
    frames, began, cpu_s = counter.frames(), time.perf_counter(), counter.cpu_s()
    time.sleep(seconds)
    frames, spent_s = counter.frames() - frames, time.perf_counter() - began
    return frames / spent_s, 1000 * (counter.cpu_s() - cpu_s) / max(frames, 1)


def measure(clip, seconds, rounds, n):
    """Run all states in turn; returns the record."""
    rates, shown = {state: [] for state in STATES}, []
    with tempfile.TemporaryDirectory() as made:
        source, journal = Path(made) / "long.mp4", Path(made) / "rows.jsonl"
        repeat(clip, source, LONGEST_S)
        with running(str(source), "--serve", "0", "--jsonl", str(journal)) as run:
            while not journal.exists() or not journal.stat().st_size:
                time.sleep(0.1)
            counter = Counter(journal, run.process.pid)
            rate(counter, seconds)  # warm
            for _ in range(rounds):
                rates["none"].append(rate(counter, seconds))
                for state in STATES[1:]:
                    with viewers(run.url, n, stalled=state == "stalled") as said:
                        rates[state].append(rate(counter, seconds))
                    if len(said) > 2:
                        shown.append((said[-1][0] - said[1][0]) / (len(said) - 2) / n)
    return record(clip, seconds, rounds, n, rates, shown)


def record(clip, seconds, rounds, n, rates, shown):
    """The figures as JSON types."""
    middle = {state: statistics.median(r for r, _ in found) for state, found in rates.items()}
    cpu = {state: statistics.median(ms for _, ms in found) for state, found in rates.items()}
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "fervid": fervid.__version__,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "clip": clip.name,
        "seconds": seconds,
        "rounds": rounds,
        "viewers": n,
        "frames_per_s": {state: [round(r, 2) for r, _ in found] for state, found in rates.items()},
        "cpu_ms_a_frame": {state: round(ms, 2) for state, ms in cpu.items()},
        "median": {state: round(r, 2) for state, r in middle.items()},
        "ratio": {state: round(middle[state] / middle["none"], 3) for state in STATES[1:]},
        "pictures_per_s_and_viewer": round(statistics.median(shown), 1) if shown else None,
    }


def report(found):
    """The record for a person."""
    names = {
        "none": "nobody looks",
        "viewers": f"{found['viewers']} viewers",
        "stalled": f"{found['viewers']} viewers, and one that reads nothing",
    }
    rows = [
        f"| {names[state]} | {found['median'][state]} | "
        f"{', '.join(map(str, found['frames_per_s'][state]))} | {found['ratio'].get(state, 1)} | "
        f"{found['cpu_ms_a_frame'][state]} |"
        for state in STATES
    ]
    held = all(ratio >= LEAST for ratio in found["ratio"].values())
    return "\n".join(
        [
            "# What viewers of the live page cost",
            "",
            f"`python -m tests.bench.viewers {found['clip']} --seconds {found['seconds']:g} "
            f"--rounds {found['rounds']} --viewers {found['viewers']}`, {found['date']}, "
            f"{found['machine']}.",
            "",
            "Frames a second that one run analyses as fast as it can; the states take turns within",
            "it. Viewers are another process of the same machine, so what they cost themselves is",
            "in these rates; CPU time is fervid's alone. Nothing else wants heatmaps here, so that",
            "those for the page are in it.",
            "",
            "| | frames/s, median | each | of the rate without | CPU ms a frame |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"Each viewer got {found['pictures_per_s_and_viewer']} pictures a second. The bar, "
            f"at least {LEAST:.0%} of the rate, is {'held' if held else 'missed'}.",
            "",
        ]
    )


def main():
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path, nargs="?", default=SAMPLE)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--crowd", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.crowd:
        asyncio.run(crowd(given.crowd[0], int(given.crowd[1])))
        return
    found = measure(given.clip, given.seconds, given.rounds, given.viewers)
    (given.out / "viewers.json").write_text(json.dumps(found, indent=1) + "\n")
    (given.out / "viewers.md").write_text(report(found))
    sys.stdout.write(report(found))


if __name__ == "__main__":
    main()
