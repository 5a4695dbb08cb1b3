"""One file as a task: the file in, the outputs of its own folder out.

A run takes one task after the other, `workers.py` several at once in processes of this machine,
`cluster.py` on the machines of a Ray cluster. Each of them calls `analyse_file`.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from fervid.backends import Backend, model_file, open_backend
from fervid.card import sha256
from fervid.clips import INTERRUPTED, Row
from fervid.config import RunConfig
from fervid.controls import target_of
from fervid.durable import clear, saved, settle
from fervid.errors import FervidError, ReaderGone, SinkError
from fervid.failures import Failures
from fervid.joining import join
from fervid.logins import read_logins
from fervid.outputs import Target
from fervid.rounds import run_group
from fervid.session import Session
from fervid.threads import opencv_threads
from fervid.writing import RunOutputs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file; it travels between processes.

    Attributes:
        source: as the run names it.
        row: of clips.csv.
        summary: as summary.json has it; None if the file could not be opened.
        error: why the file is not complete.
        left: whether the run was ended in the middle of it, by Ctrl-C or in a window.
    """

    source: str
    row: Row
    summary: dict[str, Any] | None = None
    error: FervidError | None = None
    left: bool = False

    @property
    def complete(self) -> bool:
        """Whether all of the file was analysed and written."""
        return self.error is None and not self.left


def analyse_file(session: Session, target: Target) -> Outcome:
    """Analyse one source, or one chunk of it, from its start to its end, or join its chunks.

    What is said to be complete is on the disk for good.

    Args:
        session: of the process; its outputs write what is the source's own.
        target: the source and where its outputs go.

    Raises:
        DisplayError, ReaderGone: what ends a run as a whole.
        KeyboardInterrupt: Ctrl-C; the outputs are closed, `interrupted` says what there is.
    """
    failures, before, left = Failures(1, session.stderr), len(session.summaries), False
    try:
        if target.renewed:
            clear(target)
        left = join(session, target) if target.parts else run_group(session, [target], failures)
        if not left and not failures.errors:
            settle(saved(target))
    except ReaderGone:
        raise
    except SinkError as error:
        session.outputs.fail(target, error)
        failures.note(error)
    summary = next(iter(session.summaries[before:]), None)
    first = next(iter(failures.errors), None)
    return Outcome(target.source, session.outputs.row(target), summary, first, left)


def interrupted(session: Session, target: Target) -> Outcome:
    """What there is of a file in the middle of which Ctrl-C was pressed."""
    row = session.outputs.row(target)
    return Outcome(target.source, row | {"error": INTERRUPTED}, left=True)


def failed(session: Session, target: Target, error: Exception) -> Outcome:
    """What there is of a file over which fervid itself has stumbled: a bug, which is told."""
    _log.debug("%s failed.", target.label, exc_info=error)
    told = FervidError(
        f"{target.label} failed by a mistake of fervid's ({type(error).__name__}: {error}); "
        "analyse it by itself to see where, and report it."
    )
    session.outputs.fail(target, told)
    return Outcome(target.source, session.outputs.row(target), error=told)


@contextmanager
def open_network(
    config: RunConfig, given: Backend | None = None, threads: int = 0
) -> Iterator[tuple[Backend, str]]:
    """The network and the hash of its file, "" for one that was given, which is not closed.

    Args:
        config: names the file.
        given: a network that stays open.
        threads: of the network where `config` leaves the number open; 0 leaves it to the library.

    Raises:
        ModelError: it cannot be opened.
        ConfigError: `config` explains a class that it does not know.
    """
    if given is not None:
        target_of(config.explain.explain, given.card.classes)
        yield given, ""
        return
    model, cores = config.model, config.cores
    with (
        model_file(model.model) as path,
        closing(open_backend(path, model.device, cores.threads or threads, cores.spin)) as backend,
    ):
        target_of(config.explain.explain, backend.card.classes)
        yield backend, sha256(path)


@contextmanager
def open_session(config: RunConfig, threads: int) -> Iterator[Session]:
    """A session of a process that analyses single files of a run and shows nothing.

    Args:
        config: of the run.
        threads: of the network, unless `config` says how many.

    Raises:
        ModelError: the network cannot be opened.
        ConfigError: the file of users and passwords cannot be used.
    """
    silent, nowhere = Console(stderr=True, quiet=True), open(os.devnull, "w")  # noqa: PTH123, SIM115
    with (
        nowhere,
        opencv_threads(config.cores.filter_threads),
        open_network(config, threads=threads) as (network, digest),
    ):
        outputs = RunOutputs(config, (), silent, nowhere)  # what files share, the run itself writes
        logins = read_logins(config.read.credentials, os.environ)
        yield Session(config, network, digest, silent, nowhere, time.monotonic, outputs, logins)
