"""FolderLock: one run at a time in a folder; HeldFolders: those that a run writes to."""

import os
from pathlib import Path
from typing import Self

from fervid import probe
from fervid.errors import ConfigError


class FolderLock:
    """Keeps other runs out of a folder of results; a context manager.

    The lock is the system's and lies on the folder itself: it leaves no file behind, and it ends
    with the process, however that ends. Where there is none (Windows, some network file systems)
    nobody is kept out.

    Args:
        folder: may not be there yet; None locks nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._number: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def take(self) -> None:
        """Lock the folder if it is there and not locked by this object.

        Raises:
            ConfigError: another run is at work there.
        """
        if self._folder is None or self._number is not None or not probe.is_folder(self._folder):
            return
        try:
            import fcntl

            number = os.open(self._folder, os.O_RDONLY)
        except (ImportError, OSError):
            return
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(number)
            raise ConfigError(
                f"Another fervid is at work in {self._folder}; wait for its end, or choose another "
                "folder.",
                "out",
            ) from error
        except OSError:  # no locks there
            os.close(number)
            return
        self._number = number

    @property
    def held(self) -> bool:
        """Whether this object has the lock; false where the system has none."""
        return self._number is not None

    def close(self) -> None:
        """Let others in; closing twice is harmless."""
        number, self._number = self._number, None
        if number is not None:
            os.close(number)


class HeldFolders:
    """The folders that a run writes to at this moment: no other run, and no `recover`, does so too.

    Two runs in one folder would write over each other's files and both say that all went well.
    """

    def __init__(self) -> None:
        self._locks: dict[Path, FolderLock] = {}

    def take(self, folder: Path) -> None:
        """Keep others out of a folder that is there.

        Raises:
            ConfigError: another run is at work there.
        """
        lock = FolderLock(folder)
        lock.take()
        self._locks[folder] = lock

    def leave(self, folder: Path | None) -> None:
        """Let others in; a folder that is not held stays as it is."""
        lock = None if folder is None else self._locks.pop(folder, None)
        if lock is not None:
            lock.close()

    def close(self) -> None:
        """Let others into all of them; closing twice is harmless."""
        for folder in list(self._locks):
            self.leave(folder)
