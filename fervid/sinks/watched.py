"""A file that remembers that a write failed, for a library that forgets it."""

from pathlib import Path


class WatchedFile:
    """A new file, unbuffered.

    FFmpeg says nothing of what it could not write while it closed a file: of a video on a full disk
    the last fragment was missing, and nobody was told.

    Args:
        path: the file.

    Attributes:
        error: of the first write that failed.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = path.open("wb", buffering=0)

    def write(self, data: bytes) -> int:
        """Write everything.

        Raises:
            OSError: it could not be written.
        """
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self.error = self.error or error
            raise
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; returns it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The present place."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._file.close()
