"""Sinks by their names: opened with the folder they lie in, closed together, missed when gone.

Files of an earlier run that no sink replaces are removed.
"""

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from fervid import probe
from fervid.errors import SinkError
from fervid.outputs import FOLDERS, Output
from fervid.sinks import SINKS, RunHeader, Sink
from fervid.sinks.text import sink_error


def make_sink(kind: str, path: Path | None, header: RunHeader, **more: Any) -> Sink:
    """A sink by its name in SINKS; its folder is there.

    Raises:
        SinkError: its file cannot be made.
    """
    module, _, name = SINKS[kind].partition(":")
    make: Any = getattr(import_module(module), name)
    sink: Sink = make(path, header, **more)
    return sink


def open_sink(kind: str, path: Path | None, header: RunHeader, **more: Any) -> Sink:
    """A sink by its name in SINKS; its folder is made.

    Raises:
        SinkError: its folder or file cannot be made.
    """
    if path is not None:
        make_folder(path.parent)
    return make_sink(kind, path, header, **more)


def make_folder(folder: Path) -> None:
    """Make a folder for outputs, unless it is there.

    Raises:
        SinkError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"The folder {folder} cannot be made ({error.strerror}); choose another.", str(folder)
        ) from error


def remove_earlier(paths: Iterable[Path | None]) -> None:
    """Remove files of an earlier run, which would tell of other rows than this run's.

    Args:
        paths: files that need not be there; None is none.

    Raises:
        SinkError: one cannot be removed.
    """
    for path in filter(None, paths):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise sink_error(path, error) from error


def close_sinks(sinks: Sequence[Sink], *, quiet: bool) -> None:
    """Close every sink.

    Args:
        sinks: closed in their order.
        quiet: another error is under way, which is the one to tell.

    Raises:
        SinkError: the first error, unless `quiet`.
    """
    errors: list[SinkError] = []
    for sink in sinks:
        try:
            sink.close()
        except SinkError as error:
            errors.append(error)
    if errors and not quiet:
        raise errors[0]


def refuse_gone(outputs: Iterable[Output]) -> None:
    """Stop where a file that is being written was deleted or moved: what follows would be lost.

    Raises:
        SinkError: so it is.
    """
    for kind, path in outputs:
        if path is not None and kind not in FOLDERS and not probe.exists(path):
            raise SinkError(
                f"{path} was deleted or moved while it was written; leave the results alone "
                "until the end, and start again.",
                str(path),
            )
