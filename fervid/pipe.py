"""Standard input as a container that PyAV reads."""

import os
import stat
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import BinaryIO, Protocol, TypeVar

from fervid.config import STDIN
from fervid.cut_off import Parts
from fervid.errors import SourceOpenError

T = TypeVar("T")
# Waiting is cut into pieces, since Windows delivers Ctrl-C only between them.
WAIT_S = 0.5


class Readable(Protocol):
    """What PyAV needs of a file object; one that can only be read is not sought in."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""


class Pipe:
    """The read end of a pipe, which cannot go back.

    Args:
        file: unbuffered, so that a part of what is asked for is returned as soon as it is there.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.begun = False  # whether anything came
        self.parts = Parts()  # of what came
        self._file = file

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, none at the end."""
        data = self._file.read(size) or b""
        self.begun = self.begun or bool(data)
        self.parts.feed(data)
        return data


def standard_input() -> Readable:
    """Return standard input: a pipe, or a file that was redirected to it.

    Raises:
        SourceOpenError: it is closed, or a terminal at which somebody would have to type a video.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise SourceOpenError("Standard input is closed; pipe a video into fervid.", STDIN)
    if sys.stdin.isatty():
        raise SourceOpenError(
            "Standard input is a terminal; pipe a video into fervid, like ffmpeg -i clip.mp4 -f "
            "matroska - | fervid -",
            STDIN,
        )
    number = sys.stdin.fileno()
    file = open(number, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a descriptor
    return file if stat.S_ISREG(os.fstat(number).st_mode) else Pipe(file)


def interruptible(make: Callable[[], T]) -> T:
    """Return what a function makes in another thread, so that Ctrl-C ends the wait for a pipe.

    An interrupt inside PyAV's reading would be printed by it and lost.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(make())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            future.set_exception(error)

    # A daemon, so that a pipe that says nothing cannot keep the process alive.
    threading.Thread(target=work, name="fervid-pipe", daemon=True).start()
    while not wait((future,), WAIT_S).done:
        pass
    return future.result()
