"""A paced live source: a stand-in for a camera, and the time its frames take to the outputs."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.bench.drawn import U8
from fervid.capture import Capture
from fervid.records import Frame, FrameResult

WARM_UP = 15  # frames that are not counted: models and caches warm up


class PacedCamera:
    """Behaves like cv2.VideoCapture of a camera: a picture when it is due, the newest if late.

    Args:
        pictures: BGR uint8 (H, W, 3), shown forwards, again and again.
        rate: pictures a second.
        seconds: after which it delivers no more, as a camera that is unplugged.
        clock: seconds.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        pictures: Sequence[U8],
        rate: float,
        seconds: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.due_s: list[float] = []  # of each picture that was read, by the clock
        self.ended = False  # whether somebody asked for more than there is
        self._pictures, self._rate, self._seconds = pictures, rate, seconds
        self._clock, self._sleep = clock, sleep
        self._start_s: float | None = None
        self._next = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """A camera that is there."""
        return True

    def get(self, prop: int, /) -> float:
        """The rate; 0 for all else."""
        return self._rate if prop == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, U8 | None]:
        """Wait until a picture is due; those that nobody read in time are gone."""
        now = self._clock()
        self._start_s = now if self._start_s is None else self._start_s
        newest = int((now - self._start_s) * self._rate)
        self._next = max(self._next, newest)
        if self._next >= self._seconds * self._rate:
            self.ended = True
            return False, None
        due_s = self._start_s + self._next / self._rate
        if due_s > now:
            self._sleep(due_s - now)
        self.due_s.append(due_s)
        picture = self._pictures[self._next % len(self._pictures)].copy()
        self._next += 1
        return True, picture

    def release(self) -> None:
        """Nothing is held."""


@contextmanager
def cameras(captures: Sequence[Capture]) -> Iterator[list[str]]:
    """Let OpenCV's cameras 0, 1, ... be these inside the block; yields their names as sources."""
    with mock.patch.object(cv2, "VideoCapture", lambda index: captures[index]):
        yield [f"camera:{index}" for index in range(len(captures))]


class Arrivals:
    """A sink, the last of its run: when each frame was in all outputs; see `fervid.Sink`.

    Args:
        wants_pixels: whether the annotated picture is drawn for it.
        clock: seconds.
        cpu: CPU seconds of this process.
    """

    def __init__(
        self,
        *,
        wants_pixels: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self.wants_pixels = self.wants_maps = wants_pixels
        self.seen: list[tuple[int, float]] = []  # index of the frame, seconds
        self.faces = 0
        self.first_cpu_s = 0.0
        self._clock, self._cpu = clock, cpu

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Take the time."""
        if not self.seen:
            self.first_cpu_s = self._cpu()
        self.seen.append((frame.index, self._clock()))
        self.faces += len(result.faces)

    def close(self) -> None:
        """Nothing is open."""


def latencies_ms(arrivals: Sequence[tuple[int, float]], due_s: Sequence[float]) -> list[float]:
    """Milliseconds from when each frame was due until it was in the outputs, without WARM_UP.

    Args:
        arrivals: index of the frame, seconds.
        due_s: of the pictures that the camera gave; the first is read when it is opened and is no
            frame.
    """
    return [1000 * (at - due_s[index + 1]) for index, at in arrivals if index >= WARM_UP]
