"""Settings of libraries that have one value for the whole process, such as their threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

import cv2

T = TypeVar("T")


class ProcessWide(Generic[T]):
    """A setting that blocks in several threads change, also at the same time.

    The first block that begins notes what was set before, the last one that ends puts it back: each
    by itself would put back what another has set.

    Args:
        get: what is set.
        put: sets it.
    """

    def __init__(self, get: Callable[[], T], put: Callable[[T], object]) -> None:
        self._get, self._put = get, put
        self._lock, self._inside = Lock(), 0

    @contextmanager
    def set_to(self, value: T) -> Iterator[None]:
        """Set it inside the block; of several blocks at once the newest counts."""
        with self._lock:
            if not self._inside:
                self._before = self._get()
            self._inside += 1
            self._put(value)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._put(self._before)


_opencv = ProcessWide(cv2.getNumThreads, cv2.setNumThreads)


@contextmanager
def opencv_threads(number: int) -> Iterator[None]:
    """Let OpenCV work with so many threads inside the block, and as before afterwards.

    Args:
        number: 1 works in the caller's thread; 0 leaves the number as it is.
    """
    with _opencv.set_to(number or cv2.getNumThreads()):
        yield
