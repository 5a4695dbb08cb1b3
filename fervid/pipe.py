"""Standard input as a container that PyAV reads."""

import os
import stat
import sys
from typing import BinaryIO, Protocol

from fervid.config import STDIN
from fervid.errors import SourceOpenError


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
        self._file = file

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, none at the end."""
        return self._file.read(size) or b""


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
