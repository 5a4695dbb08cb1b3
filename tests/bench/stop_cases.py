"""What `tests.bench.stop` stops: recordings and cameras that never end, a pipe, a folder."""

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2

from tests import servers
from tests.bench.kill import long_clip
from tests.clips import clip
from tests.places import SAMPLE

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
N_PICTURES, CAMERA_RATE, JOBS = 60, 15.0, 2


@dataclass(frozen=True)
class Case:
    """What is run.

    Attributes:
        name: in words.
        words: the arguments before `-o`.
        journals: how many must have begun.
        piped: a file that comes through standard input, which then says no more.
    """

    name: str
    words: tuple[str, ...]
    journals: int = 1
    piped: Path | None = None

    @contextlib.contextmanager
    def stdin(self) -> Iterator[int | None]:
        """The program's standard input; None where it needs none."""
        if self.piped is None:
            yield None
            return
        read, write = os.pipe()
        content = self.piped.read_bytes()

        def feed() -> None:
            with contextlib.suppress(OSError):  # the program has ended
                left = content
                while left:
                    left = left[os.write(write, left) :]

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        try:
            yield read
        finally:
            os.close(read)
            thread.join()
            os.close(write)


@contextlib.contextmanager
def cases(folder: Path) -> Iterator[list[Case]]:
    """Recordings and cameras that never end, and a folder of recordings."""
    with av.open(str(SAMPLE)) as sample:
        frames = itertools.islice(sample.decode(video=0), N_PICTURES)
        shown = [frame.to_ndarray(format="bgr24") for frame in frames]
    (folder / "archive").mkdir()
    found = []
    with contextlib.ExitStack() as closing:
        for name, size in SIZES.items():
            pictures = [cv2.resize(picture, size) for picture in shown]
            short = clip(folder / "short.mp4", pictures=pictures, size=size)
            found.append(
                Case(f"recording, {name}", (str(long_clip(folder / f"{name}.mp4", short)),))
            )
            host = closing.enter_context(servers.http_server(camera(pictures)))
            found.append(Case(f"camera, {name}", (f"http://{host}/",)))
        for n in range(2 * JOBS):
            (folder / "archive" / f"{n}.mp4").hardlink_to(folder / "720p.mp4")
        with av.open(str(folder / "short.mkv"), "w") as file, av.open(str(short)) as source:
            stream = file.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    file.mux(packet)
        found.append(Case("pipe that stalled", ("-",), piped=folder / "short.mkv"))
        words = (str(folder / "archive"), "--jobs", str(JOBS))
        yield [*found, Case(f"archive, --jobs {JOBS}", words, JOBS)]


def camera(pictures: Sequence["cv2.typing.MatLike"]) -> servers.Answer:
    """Answer as a network camera does, without an end."""
    jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        for jpeg in itertools.cycle(jpegs):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            handler.wfile.write(head.encode() + jpeg + b"\r\n")
            time.sleep(1 / CAMERA_RATE)

    return answer
