"""Text into a pipe whose reader may have stopped reading: the wait for it can be ended."""

import io
import os
import select
import stat
import time
from typing import Self, TextIO

# For which a reader may take nothing once the run shall end, which has two seconds.
HURRY_S = 0.5
LOOK_S = 0.1  # between two looks at whether the run shall end


class PipedText:
    """Writes to the pipe that a stream leads to; `of` makes one.

    A thread that is held up inside a plain write lets itself be ended by nobody, and whoever waits
    for it neither. Here it is held up in short waits, and `hurry` ends them.

    Args:
        stream: leads to a pipe, and holds nothing back.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._number = stream, stream.fileno()
        self._room = select.poll()
        self._room.register(self._number, select.POLLOUT)
        self._until_s: float | None = None

    @classmethod
    def of(cls, stream: TextIO) -> Self | None:
        """What writes to a stream that leads to a pipe; None where it does not (or on Windows)."""
        # Others, as a notebook's, may name a descriptor that is not where their text goes.
        if not isinstance(stream, io.TextIOWrapper) or not hasattr(select, "poll"):
            return None
        try:
            stream.flush()
            is_pipe = stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
        except (OSError, ValueError):  # nobody reads it, or it is closed: whoever writes tells
            return None
        return cls(stream) if is_pipe else None

    def hurry(self) -> None:
        """From now on do not wait for a reader that takes nothing; safe to repeat."""
        if self._until_s is None:
            self._until_s = time.monotonic() + HURRY_S

    def write(self, text: str) -> None:
        """Write all of a text.

        Raises:
            OSError: nobody reads it any more, or not in time once there is hurry.
            UnicodeError: the stream has no such characters.
        """
        data = text.encode(self._stream.encoding, self._stream.errors or "strict")
        while data:
            self._wait()
            # A pipe that has room takes so much without waiting.
            data = data[os.write(self._number, data[: select.PIPE_BUF]) :]

    def _wait(self) -> None:
        """Wait until there is room, or an error for `os.write` to raise."""
        while not self._room.poll(LOOK_S * 1000):
            if self._until_s is not None and time.monotonic() >= self._until_s:
                raise BrokenPipeError("nobody reads it")
