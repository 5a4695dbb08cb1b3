"""What is on the disk for good, and what of an earlier attempt is removed from it.

For good means that it is still there when the power fails in the next moment.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from fervid import probe
from fervid.errors import SinkError
from fervid.outputs import IN_FOLDER, Target, saved_pictures
from fervid.sinks.text import sink_error

PARTS = "chunks"  # folder of what is known of a file's chunks, until they are joined


def saved(target: Target) -> list[Path]:
    """Every file of a source whose outputs are complete; devices and pipes keep nothing."""
    crops = [] if target.folder is None else saved_pictures(target.folder)
    return [*filter(probe.is_file, target.files()), *crops]


def clear(target: Target) -> None:
    """Remove what an earlier attempt left in a target's folder, and nothing that is not fervid's.

    Raises:
        SinkError: something cannot be removed.
    """
    if target.folder is None:
        return
    left = [target.folder / name for name in IN_FOLDER]
    for path in (*left, *saved_pictures(target.folder)):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SinkError(
                f"{path} of an earlier attempt cannot be removed ({error.strerror}); remove it or "
                "choose another folder.",
                str(path),
            ) from error
    discard(target)


def discard(file: Target) -> None:
    """Remove the chunks of a file.

    Raises:
        SinkError: one cannot be removed.
    """
    if file.folder is None:
        return
    folder = file.folder / PARTS
    for path in (*folder.glob("*-*s.part"), *folder.glob("*-*s.json")):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise sink_error(path, error) from error
    with contextlib.suppress(OSError):  # something else lies there, or it has never been
        folder.rmdir()


def settle(files: Iterable[Path]) -> None:
    """Have the system bring files, and their names in their folders, to the disk.

    Raises:
        SinkError: it cannot, or a file has gone.
    """
    files = list(files)
    folders = dict.fromkeys(
        folder for path in files for folder in (path.parent, *path.parents[1:2])
    )
    for path in (*files, *folders):
        try:
            _sync(path)
        except OSError as error:
            raise sink_error(path, error) from error


def write_durably(path: Path, text: str) -> None:
    """Write a text file, complete or not at all, also if the power fails meanwhile.

    Raises:
        SinkError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise sink_error(path, error) from error


def _sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk.

    Raises:
        OSError: it cannot be opened or written.
    """
    folder = probe.is_folder(path)
    if folder and os.name == "nt":  # which has no such call for folders
        return
    # Windows wants a file that may be written.
    number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
