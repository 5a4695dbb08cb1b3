"""Sources of frames: `open_source` is the entry; cameras by OpenCV, all else by media.py.

A source is opened in its constructor, iterated once and closed. It is not thread-safe:
`prefetch` reads it in one thread and closes it after that thread has ended.
"""

import re
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.config import ReadConfig
from fervid.containers import check_size
from fervid.errors import SourceOpenError, SourceReadError
from fervid.logins import Logins, read_logins
from fervid.media import FileSource
from fervid.records import Frame, SourceInfo

# Reads in a row that may fail before a camera counts as gone.
CAMERA_RETRIES = 5


class Source(Protocol):
    """What frames come from; a context manager that is iterated once.

    `damaged` counts what was passed over so far because it could not be read or decoded, and
    pictures that were patched up.
    """

    info: SourceInfo
    damaged: int

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame.

        Raises:
            SourceReadError: the source cannot be read on.
        """

    def close(self) -> None:
        """Release the source; closing twice is harmless."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used: the seam for tests."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether the camera is there."""

    def read(self) -> tuple[bool, Any]:
        """Whether a picture came, and the picture."""

    def get(self, prop: int, /) -> float:
        """A property of the camera, 0 where unknown."""

    def release(self) -> None:
        """Give the camera back."""


def open_camera(index: int) -> Capture:
    """Open a local camera by OpenCV, which is kept from printing its own warnings."""
    log = cv2.utils.logging
    level = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(index)
    finally:
        log.setLogLevel(level)


def open_source(
    uri: str,
    read: ReadConfig = ReadConfig(),  # noqa: B008 - frozen
    *,
    logins: Logins | None = None,
    capture_factory: Callable[[int], Capture] = open_camera,
    clock: Callable[[], float] = time.monotonic,
) -> Source:
    """Open whatever `uri` names.

    Args:
        uri: a file, the URL of a stream, or a camera: "camera:0", "/dev/video0", or "0" where no
            file has that name.
        read: how it is read.
        logins: users and passwords of streams; by default those of the file that `read` names.
        capture_factory: opens a camera by its number.
        clock: seconds, for the times of live frames.

    Raises:
        SourceOpenError: it cannot be opened.
        ConfigError: the file with users and passwords cannot be used.
    """
    camera = re.fullmatch(r"(?:camera:|/dev/video)?([0-9]+)", uri)
    if camera and not (camera[1] == uri and Path(uri).exists()):
        return CameraSource(int(camera[1]), capture_factory=capture_factory, clock=clock)
    return FileSource(uri, read, logins or read_logins(read.credentials), clock=clock)


class CameraSource:
    """A local camera; times count from the first frame that is iterated.

    One picture is read when the camera is opened, to know its size, and thrown away: it is old
    by the time that anybody asks for frames.

    Raises:
        SourceOpenError: there is no such camera, or it delivers nothing, or tiny pictures.
    """

    def __init__(
        self,
        index: int,
        *,
        capture_factory: Callable[[int], Capture] = open_camera,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.damaged = 0
        self._index = index
        self._label = f"camera {index}"
        self._clock = clock
        self._capture = capture_factory(index)
        try:
            picture = self._first_picture()
            rate = self._capture.get(cv2.CAP_PROP_FPS)
            self.info = SourceInfo(
                uri=f"camera:{index}",
                label=self._label,
                width=picture.shape[1],
                height=picture.shape[0],
                live=True,
                rate=Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else None,
            )
            check_size(self.info)
        except BaseException:
            self._capture.release()
            raise
        self.damaged = 0

    def __iter__(self) -> Iterator[Frame]:
        index, start_s = 0, 0.0
        while (picture := self._read()) is not None:
            now = self._clock()
            start_s = now if index == 0 else start_s
            yield Frame(index, now - start_s, picture)
            index += 1
        raise SourceReadError(
            f"The {self._label} stopped delivering pictures; plug it in again and start again.",
            self.info.uri,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the camera back; closing twice is harmless."""
        self._capture.release()

    def _first_picture(self) -> NDArray[np.uint8]:
        uri = f"camera:{self._index}"
        if not self._capture.isOpened():
            raise SourceOpenError(
                f"There is no {self._label}; plug it in, close the program that uses it, or give "
                "another number.",
                uri,
            )
        if (picture := self._read()) is None:
            raise SourceOpenError(
                f"The {self._label} delivers no picture; close the program that uses it, or plug "
                "it in again.",
                uri,
            )
        return picture

    def _read(self) -> NDArray[np.uint8] | None:
        """Return the next picture, or None when the camera has failed several times in a row."""
        for _ in range(CAMERA_RETRIES):
            read, picture = self._capture.read()
            if read and picture is not None and picture.size:
                bgr = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
                return np.ascontiguousarray(bgr, np.uint8)
            self.damaged += 1
        return None
