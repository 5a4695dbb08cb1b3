"""A file that is read through a limit on zeros.

Of bare streams (.h264, .mjpeg, .mp3) FFmpeg collects everything up to the next mark of a picture:
of a file of 10 GB that was never written to its end, all of it, in memory.
"""

from pathlib import Path

from fervid.errors import SourceReadError

# What FFmpeg takes for bare streams by their names alone.
BARE = frozenset(
    (
        *(".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".h266", ".266", ".vvc", ".h26l"),
        *(".mjpeg", ".mjpg", ".m4v", ".m1v", ".m2v", ".mpv", ".h261", ".h263", ".vc1", ".cavs"),
        *(".drc", ".vc2", ".obu", ".av1", ".dnxhd", ".dnxhr", ".apv", ".avs2", ".avs3", ".evc"),
        *(".mp3", ".mp2", ".m2a", ".mpa", ".aac", ".ac3", ".eac3", ".dts", ".flac", ".tta"),
        *(".mlp", ".thd", ".truehd", ".adts", ".loas", ".latm", ".sbc", ".g722", ".gsm"),
    )
)
MOST_ZEROS = 1 << 24


def is_bare(uri: str) -> bool:
    """Whether a file's name is that of a bare stream."""
    return Path(uri).suffix.lower() in BARE


class WrittenFile:
    """A file for PyAV that ends with an error where too many zeros follow each other.

    Args:
        path: the file.

    Attributes:
        name: by which FFmpeg guesses the kind.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.name, self._path = str(path), path
        self._zeros = 0

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, none at the end.

        Raises:
            SourceReadError: nothing but zeros came for too long.
        """
        data = self._file.read(size) or b""
        self._zeros = self._zeros + len(data) if data and not data.strip(b"\0") else 0
        if self._zeros > MOST_ZEROS:
            raise SourceReadError(
                f"{self._path} holds nothing but zeros from {self._file.tell() - self._zeros:,} "
                "bytes on: it was never written to its end; copy or record it again.",
                str(self._path),
            )
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; returns it."""
        self._zeros = 0
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The present place."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._file.close()

    def __del__(self) -> None:
        # With the container, which does not close what it was given.
        if hasattr(self, "_file"):
            self.close()
