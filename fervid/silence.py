"""OpenCV without its own warnings, which would tear the dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from fervid.threads import ProcessWide

_level = ProcessWide(cv2.utils.logging.getLogLevel, cv2.utils.logging.setLogLevel)


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV from writing to standard error inside the block; what fails is said by us."""
    with _level.set_to(cv2.utils.logging.LOG_LEVEL_SILENT):
        yield
