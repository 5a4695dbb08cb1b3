"""Threads of libraries that have one number for the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def opencv_threads(number: int) -> Iterator[None]:
    """Let OpenCV work with so many threads inside the block, and as before afterwards.

    Args:
        number: 1 works in the caller's thread; 0 leaves the number as it is.
    """
    before = cv2.getNumThreads()
    if number:
        cv2.setNumThreads(number)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
