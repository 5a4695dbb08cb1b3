"""Text outputs: files, and streams that belong to somebody else, for one source or for several."""

import contextlib
import errno
import os
import re
import threading
from pathlib import Path
from typing import TextIO

from fervid import probe
from fervid.errors import ReaderGone, SinkError
from fervid.sinks.piped import PipedText


def sink_error(path: Path | None, error: Exception) -> SinkError:
    """Return the error that an output could not be written, with the way out."""
    if path is None and isinstance(error, UnicodeError):
        return SinkError(
            f"Standard output cannot be written ({_reason(error)}); set PYTHONIOENCODING=utf-8 and "
            "start again.",
            "-",
        )
    if path is None and isinstance(error, BrokenPipeError):
        return ReaderGone("Nobody reads standard output any more.", "-")
    if path is None:
        return SinkError(
            f"Standard output cannot be written ({_reason(error)}); free space there or send it "
            "somewhere else.",
            "-",
        )
    if not probe.is_folder(path.parent):
        way = f"the folder {path.parent} does not exist, create it first"
    elif probe.is_folder(path):
        way = "it is a folder, name a file"
    else:
        closed = getattr(error, "errno", None) in (errno.EACCES, errno.EPERM, errno.EROFS)
        do = "check its permissions" if closed else "free space there"
        way = f"{_reason(error)}; {do} or choose another place"
    return SinkError(f"{path} cannot be written: {way}.", str(path))


def write_whole(path: Path, text: str) -> None:
    """Write a text file, complete or not at all; one that was there stays until then.

    Raises:
        SinkError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise sink_error(path, error) from error


def read_error(path: Path, error: Exception) -> SinkError:
    """Return the error that a file of results cannot be read, with the way out."""
    return SinkError(
        f"{path} cannot be read: {_reason(error)}; check that fervid wrote it to its end, or make "
        "it again by `fervid recover`.",
        str(path),
    )


class TextOutput:
    """A text file, or a stream that belongs to somebody else; fails with SinkError only.

    Several sources may write to it at once: each text lies in the output as a whole. What cannot
    be written closes the output, and every later text meets the same error.

    Args:
        path: the file; None writes to `stream`.
        stream: used, and left open, where `path` is None.
    """

    def __init__(self, path: Path | None, stream: TextIO | None = None) -> None:
        if (path is None) == (stream is None):
            raise ValueError("expected either a path or a stream")
        self._path, self._owned = path, path is not None
        self._stream = stream
        self._lock = threading.RLock()
        self._begun = False
        self._failure: str | None = None
        if path is not None:
            try:
                self._stream = path.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise sink_error(path, error) from error
        self._pipe = PipedText.of(self._stream) if self._stream is not None else None

    def hurry(self) -> None:
        """The run shall end: do not wait any more for a reader that takes nothing."""
        if self._pipe is not None:
            self._pipe.hurry()

    def begin(self, heading: str) -> None:
        """Write a heading unless one of the sources has written it before."""
        with self._lock:
            if not self._begun:
                self.write(heading)

    def write(self, text: str) -> None:
        """Write and flush, so that a killed run keeps what it wrote.

        Raises:
            SinkError: it could not be written, now or before.
        """
        with self._lock:
            if self._failure is not None:
                raise SinkError(self._failure, str(self._path or "-"))
            if self._stream is None:
                raise ValueError("the output is closed")
            try:
                self._put(self._stream, text)
                self._begun = True
            except (OSError, UnicodeError) as error:
                with contextlib.suppress(SinkError):  # it meets the same error again
                    self.close()
                failure = sink_error(self._path, error)
                self._failure = str(failure)
                raise failure from error

    def _put(self, stream: TextIO, text: str) -> None:
        if self._pipe is not None:
            self._pipe.write(text)
            return
        stream.write(text)
        stream.flush()

    def close(self) -> None:
        """Close the file if it is ours; closing twice is harmless."""
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is None or not self._owned:
            return
        try:
            stream.close()
        except OSError as error:
            raise sink_error(self._path, error) from error


def _reason(error: Exception) -> str:
    """The system's words; Arrow's hold its number, like `[errno 28]`, among many others."""
    number = re.search(r"\[errno (\d+)\]", str(error))
    if number:
        return os.strerror(int(number[1]))
    return str(getattr(error, "strerror", None) or error).rstrip(".")
