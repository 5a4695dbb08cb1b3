"""Small real implementations of fervid's protocols."""

import threading
from collections.abc import Iterator, Sequence
from typing import Self

import cv2
import numpy as np

from fervid.records import Frame, SourceInfo


class FakeCapture:
    """Behaves like cv2.VideoCapture and delivers what it is given; None is a failed read."""

    def __init__(
        self, pictures: Sequence[np.ndarray | None], *, opened: bool = True, rate: float = 30.0
    ) -> None:
        self._pictures = iter(pictures)
        self._opened, self._rate = opened, rate
        self.released = 0

    def __call__(self, index: int) -> Self:
        self.index = index
        return self

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        picture = next(self._pictures, None)
        return picture is not None, picture

    def get(self, prop: int, /) -> float:
        return self._rate if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self.released += 1


class FakeSource:
    """Delivers `count` small frames, then fails with `error` if there is one.

    `read` counts the frames taken; with a `gate`, a frame is delivered for each release of it.
    """

    def __init__(
        self,
        count: int,
        *,
        live: bool = False,
        error: Exception | None = None,
        gate: threading.Semaphore | None = None,
        size: tuple[int, int] = (8, 6),
    ) -> None:
        self.info = SourceInfo("fake", "fake", *size, live)
        self.damaged = 0
        self.read = 0
        self.closed = 0
        self.changed = threading.Condition()
        self._count, self._error, self._gate = count, error, gate

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._count):
            if self._gate is not None:
                self._gate.acquire()
            with self.changed:
                self.read += 1
                self.changed.notify_all()
            shape = (self.info.height, self.info.width, 3)
            yield Frame(index, index / 25, np.full(shape, index % 256, np.uint8))
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed += 1

    def wait_until_read(self, count: int) -> None:
        """Wait until so many frames were asked for."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.read >= count, timeout=10):
                raise TimeoutError(f"{self.read} of {count} frames were read")
