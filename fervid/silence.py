"""OpenCV without its own warnings, which would tear the dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV from writing to standard error inside the block; what fails is said by us."""
    log = cv2.utils.logging
    level = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(level)
