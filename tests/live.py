"""A source at its own pace, and fervid with a live page over it: for tests, benches, pictures."""

import contextlib
import dataclasses
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from fervid.config import RunConfig, ServeConfig
from fervid.live import LivePage
from fervid.live.feed import Feed
from fervid.records import Frame, FrameResult, Noise, SourceInfo
from fervid.status import Snapshot
from tests import results, servers
from tests.places import ROOT

URL = re.compile(r"live page: (http://\S+)")


def jpegs(path: Path, width: int | None = None) -> list[bytes]:
    """The pictures of a clip as JPEG files."""
    with av.open(str(path)) as file:
        pictures = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    if width is not None:
        height = round(pictures[0].shape[0] * width / pictures[0].shape[1])
        pictures = [cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA) for p in pictures]
    return [cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for p in pictures]


def camera(pictures: list[bytes], rate: float, unplugged: threading.Event | None = None):
    """Answer as a network camera that shows pictures over and over, until it is unplugged."""
    unplugged = unplugged or threading.Event()

    def answer(handler):
        if unplugged.is_set():
            return servers.status(503)(handler)
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        began, n = time.monotonic(), 0
        while not unplugged.is_set():
            picture = pictures[n % len(pictures)]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            handler.wfile.write(head.encode() + picture + b"\r\n")
            n += 1
            time.sleep(max(0.0, began + n / rate - time.monotonic()))
        return None

    return answer


class Run:
    """fervid in a process of its own, with a page.

    Attributes:
        url: of the page.
        said: what it prints to standard error.
        process: itself.
    """

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "fervid", *arguments]
        self.said: list[str] = []
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        self._known = threading.Event()
        self.url = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        if not self._known.wait(60) or not self.url:
            self.end()
            raise RuntimeError("".join(self.said))

    def end(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)  # does nothing to one that has ended
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        self.process.stderr.close()
        return self.process.returncode

    def _read(self) -> None:
        for line in self.process.stderr:
            self.said.append(line)
            if found := URL.search(line):
                self.url = found[1]
                self._known.set()
        self._known.set()


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Run]:
    """A run that is ended with the block."""
    run = Run(*arguments)
    try:
        yield run
    finally:
        run.end()


CLASSES = ("angry", "happy", "neutral")


def scene(n: int, *faces, size: tuple[int, int] = (320, 240)) -> tuple[Frame, FrameResult]:
    """Frame n of a made-up camera of 25 a second; its picture and its level change with n."""
    made = results.result(n, *faces, level=0.5 + n % 40 / 100)
    noise = Noise(
        "gaussian", np.float32([n % 30 / 100, 0, 0]), n % 30 / 100, np.zeros(3, np.float32)
    )
    frame = Frame(n, n / 25, np.full((size[1], size[0], 3), 5 * (n % 50), np.uint8))
    return frame, dataclasses.replace(
        made, noise=noise, filter_name="gaussian", filter_reason="noise", cam="adaptive"
    )


class Player:
    """Writes made-up frames to a feed at a pace of its own, in a thread, until it is stopped.

    Attributes:
        longest_s: that writing one frame has taken.
        written: frames.
        offline: the outage, while there is one.
        target: the class that is chosen for all heatmaps.
    """

    def __init__(self, page: LivePage, feed: Feed, rate: float = 25.0) -> None:
        self.longest_s, self.written, self.offline, self.target = 0.0, 0, None, ""
        self._page, self._feed, self._rate = page, feed, rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()

    def snapshot(self) -> Snapshot:
        """A state as a lane has it."""
        info = self._feed.info
        return Snapshot(
            source=info.label,
            live=info.live,
            frames=self.written,
            n_frames=None,
            position_s=self.written / 25,
            duration_s=None,
            dropped=3,
            fps=24.5,
            elapsed_s=self.written / 25,
            stages=(("noise", 1.5, 2.5), ("network", 7.0, 9.0)),
            noise_kind="gaussian",
            noise_level=0.1,
            severity=0.1,
            noise_history=(),
            filter_name="gaussian",
            filter_reason="noise",
            faces=(),
            memory_mb=300,
            faces_total=self.written,
            tracks_total=1,
            offline=self.offline,
        )

    def _play(self) -> None:
        while not self._stop.wait(1 / self._rate):
            self._page.update([(self._feed.info, self.snapshot)])
            if self.offline:
                continue
            frame, result = scene(self.written, results.face("happy", 0), results.face("angry", 1))
            result = dataclasses.replace(result, target=self.target)
            began = time.perf_counter()
            self._feed.write(frame, result, None)
            self.longest_s = max(self.longest_s, time.perf_counter() - began)
            self.written += 1


def info(label: str = "door", *, live: bool = True) -> SourceInfo:
    """A source of `scene`s."""
    return SourceInfo(f"camera:{label}", label, 320, 240, live)


@contextlib.contextmanager
def playing(config: RunConfig | None = None, label: str = "door", rate: float = 25.0):
    """A page with one made-up camera: (page, player)."""
    config = config or RunConfig(serving=ServeConfig(serve="0"))
    with (
        LivePage(config) as page,
        page.feed(info(label)) as feed,
        Player(page, feed, rate) as player,
    ):
        yield page, player
