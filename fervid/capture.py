"""Sources of frames: `open_source` is the entry; cameras are here, files in media.py.

A source is opened in its constructor, iterated once and closed. It is not thread-safe:
`prefetch` reads it in one thread and closes it after that thread has ended.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid import probe
from fervid.config import STDIN, ReadConfig
from fervid.config.addresses import is_fetched, local_name
from fervid.config.source import camera_number
from fervid.containers import check_file, check_size
from fervid.errors import SourceOpenError, SourceReadError
from fervid.fetched import FetchedSource
from fervid.images import ImageSource, is_image, is_pattern, sequence
from fervid.logins import Logins, read_logins
from fervid.media import FileSource
from fervid.pipe import interruptible
from fervid.reconnect import ReconnectingSource
from fervid.records import Frame, SourceInfo
from fervid.region import shaped
from fervid.remote import check_remote
from fervid.resized import resized
from fervid.silence import silent_opencv
from fervid.source import Source
from fervid.thinning import thinned
from fervid.zeros import is_bare

__all__ = ["CameraSource", "Capture", "Source", "check_source", "open_camera", "open_source"]

# Reads in a row that may fail before a camera counts as gone.
CAMERA_RETRIES = 5
# Seconds after which no read is tried again: drivers wait for ten seconds in each.
CAMERA_SILENT_S = 5.0
# From this time on it pays to look for a place to begin at.
SEEK_FROM_S = 2.0


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
    with silent_opencv():
        return cv2.VideoCapture(index)


def open_source(
    uri: str,
    read: ReadConfig = ReadConfig(),
    *,
    logins: Logins | None = None,
    threads: int = 0,
    capture_factory: Callable[[int], Capture] = open_camera,
    clock: Callable[[], float] = time.monotonic,
) -> Source:
    """Open whatever `uri` names; a camera or stream that is lost later is opened again.

    Args:
        uri: a file, here or elsewhere (config/addresses.py), the URL of a stream, an image, a
            pattern or folder of numbered images, "-" for standard input, or a camera: "camera:0",
            "/dev/video0", or "0" where no file has that name.
        read: which frames are wanted, which part of them, and how streams are read.
        logins: users and passwords of streams; by default those of the file that `read` names.
        threads: that decode a video; 0 leaves the number to the library.
        capture_factory: opens a camera by its number.
        clock: seconds, for the times of live frames.

    Raises:
        LibraryMissing: what would fetch it is not installed.
        SourceOpenError: it cannot be opened, or ends before the first frame that is wanted.
        ConfigError: it does not have what `read` wants, or the file with users and passwords cannot
            be used.
    """
    uri = local_name(uri)
    if is_fetched(uri):
        reopened = partial(open_source, read=read, logins=logins, threads=threads, clock=clock)
        return FetchedSource(uri, reopened)

    def ready() -> Source:
        again = partial(_open, uri, read, logins, threads, capture_factory, clock)
        source: Source = again()
        try:
            if source.info.live and read.attempts:
                source = ReconnectingSource(source, again, read, clock=clock)
            return shaped(thinned(source, read), read)
        except BaseException:
            source.close()
            raise

    # What PyAV reads through Python must not be read in the main thread: Ctrl-C would be lost.
    return interruptible(ready) if uri == STDIN or is_bare(uri) else ready()


def _open(
    uri: str,
    read: ReadConfig,
    logins: Logins | None,
    threads: int,
    capture_factory: Callable[[int], Capture],
    clock: Callable[[], float],
) -> Source:
    """Open a source, of which everything is wanted."""
    number = camera_number(uri)
    if number is not None:
        return CameraSource(number, capture_factory=capture_factory, clock=clock)
    if "://" not in uri and (is_image(Path(uri)) or sequence(uri)):
        return ImageSource(uri, read.fps)
    if "://" in uri:
        logins = logins or read_logins(read.credentials)
        return FileSource(uri, read, logins, threads=threads, clock=clock)
    return _open_file(read, partial(FileSource, uri, read, Logins(), threads=threads, clock=clock))


def check_source(uri: str) -> None:
    """Refuse a file that is not there, without opening it; of other sources nothing is known.

    Raises:
        LibraryMissing: what would fetch it is not installed.
        SourceOpenError: it is missing or empty, or may not be looked at.
    """
    several = probe.is_folder(Path(uri)) or is_pattern(uri)
    if is_fetched(uri):
        check_remote(uri)
    elif camera_number(uri) is None and uri != STDIN and "://" not in uri and not several:
        check_file(uri)


def _open_file(read: ReadConfig, open_file: Callable[[], FileSource]) -> FileSource:
    start_s = read.start or 0.0
    source = open_file()
    try:
        obeyed = start_s < SEEK_FROM_S or source.go_to(start_s)
    except BaseException:
        source.close()
        raise
    if obeyed:
        return source
    source.close()
    return open_file()


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
            yield Frame(index, now - start_s, resized(picture, self.info.width, self.info.height))
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
        began_s = time.monotonic()
        for _ in range(CAMERA_RETRIES):
            if time.monotonic() - began_s > CAMERA_SILENT_S:
                break
            with suppress(cv2.error):  # of some drivers, where a picture cannot be decoded
                read, picture = self._capture.read()
                if read and picture is not None and picture.size:
                    if picture.ndim == 2:
                        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
                    return np.ascontiguousarray(picture, np.uint8)
            self.damaged += 1
        return None
