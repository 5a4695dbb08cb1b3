"""Workers: processes that analyse files at the same time, one file each (`--jobs N`).

Plain processes and not a pool of the standard library, in which one that dies takes the files of
all others with it, and nobody knows which file it was.
"""

import contextlib
import logging
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from fervid.config import RunConfig
from fervid.errors import FervidError
from fervid.interrupt import held_interrupt
from fervid.outputs import Target
from fervid.task import Outcome
from fervid.worker_process import READY, STOP, serve

# Waiting is cut into pieces, for the display, and since Windows delivers Ctrl-C only between them.
WAIT_S = 0.25
# After Ctrl-C, for files to be closed; a whole run then ends within two seconds.
STOP_S = 1.2

Finish = Callable[[Target, Outcome], None]
Take = Callable[[Target, Outcome], Sequence[Target] | None]
Show = Callable[[Collection[str]], None]


@dataclass(eq=False)
class Worker:
    """A process, this end of its pipe, whether it has begun, and what it works on."""

    process: BaseProcess
    pipe: "Connection[Any, Any]"
    ready: bool = False
    target: Target | None = None


class Workers:
    """Processes that analyse files; a context manager that leaves none behind.

    Args:
        config: of the run.
        number: of processes.
        threads: of each one's network, unless `config` says how many.
    """

    def __init__(self, config: RunConfig, number: int, threads: int) -> None:
        self._config, self._number, self._threads = config, number, threads
        self._workers: list[Worker] = []
        self._waiting: deque[Target] = deque()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            _kill(worker)
        self._workers.clear()

    def run(self, targets: Sequence[Target], take: Take, show: Show) -> None:
        """Have every target analysed.

        Args:
            targets: the sources and where their outputs go.
            take: gets what became of each, as they end; what it returns is analysed next.
            show: gets the names of what is under way, several times a second.

        Raises:
            FervidError: no process can begin. What `take` raises ends the run too.
            KeyboardInterrupt: Ctrl-C; files under way were closed where that was quick.
        """
        self._waiting = deque(targets)
        try:
            while self._waiting or any(worker.target for worker in self._workers):
                self._staff()
                self._hand_out()
                for worker in self._speaking():
                    self._listen(worker, take)
                show([w.target.label for w in self._workers if w.target])
        except KeyboardInterrupt:
            with held_interrupt():
                self._stop(take)
            raise

    def _staff(self) -> None:
        """Have as many processes as there is work for."""
        busy = sum(worker.target is not None for worker in self._workers)
        wanted = min(self._number, busy + len(self._waiting))
        while len(self._workers) < wanted:
            self._workers.append(_start(self._config, self._threads))

    def _hand_out(self) -> None:
        """Give every worker that has nothing to do its next target."""
        for worker in self._workers:
            if worker.ready and worker.target is None and self._waiting:
                with contextlib.suppress(OSError):  # it has died meanwhile, and the others go on
                    worker.pipe.send(self._waiting[0])
                    worker.target = self._waiting.popleft()

    def _speaking(self) -> list[Worker]:
        """The workers that have sent something, or have died."""
        pipes = wait([worker.pipe for worker in self._workers], WAIT_S)
        return [worker for worker in self._workers if worker.pipe in pipes]

    def _listen(self, worker: Worker, take: Take) -> None:
        """Take what a worker has sent."""
        try:
            item = worker.pipe.recv()
        except (EOFError, OSError):  # the pipe has ended, before a message or within one
            self._bury(worker, take)
            return
        match item:
            case logging.LogRecord():
                logging.getLogger(item.name).handle(item)
            case FervidError():
                raise item
            case Outcome() if worker.target is not None:
                target, worker.target = worker.target, None
                self._waiting.extendleft(take(target, item) or ())
            case _ if item == READY:
                worker.ready = True

    def _bury(self, worker: Worker, take: Take) -> None:
        """A worker has died: its file has failed."""
        self._workers.remove(worker)
        _kill(worker)
        how = ending(worker.process.exitcode)
        if not worker.ready:
            raise FervidError(
                f"A process for --jobs {how} before it could begin; fewer need less memory, and a "
                'script needs `if __name__ == "__main__":` around what it runs.'
            )
        if worker.target is not None:
            take(worker.target, lost(self._config, worker.target, how))

    def _stop(self, take: Take) -> None:
        """Have files that are under way closed, as after Ctrl-C in a single process."""
        self._waiting.clear()
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.pipe.send(STOP)
        until = time.monotonic() + STOP_S
        there = [worker for worker in self._workers if worker.ready]
        while there and (left := until - time.monotonic()) > 0:
            for pipe in wait([worker.pipe for worker in there], left):
                worker = next(w for w in there if w.pipe is pipe)
                try:
                    item = worker.pipe.recv()
                except (EOFError, OSError):
                    there.remove(worker)
                    continue
                if isinstance(item, Outcome) and worker.target is not None:
                    take(worker.target, item)
                    worker.target = None


def lost(config: RunConfig, target: Target, how: str) -> Outcome:
    """What there is of a file whose process has died."""
    from fervid.clips import failed_row

    out, folder = config.output.out, target.folder
    name = folder.relative_to(out).as_posix() if out and folder else ""
    error = FervidError(
        f"{target.label} failed, as the process that analysed it {how}; --resume tries it again."
    )
    return Outcome(target.source, failed_row(name, target.label, error), error=error)


def ending(code: int | None) -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _start(config: RunConfig, threads: int) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    level = logging.getLogger("fervid").level
    process = context.Process(
        target=serve, args=(theirs, config, threads, level), name="fervid-job", daemon=True
    )
    with _blocked_interrupt():
        process.start()
    theirs.close()  # so that its end is heard
    return Worker(process, ours)


@contextmanager
def _blocked_interrupt() -> Iterator[None]:
    """Start a process in which Ctrl-C means nothing until it can take it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill(worker: Worker) -> None:
    """End a process if it has not ended; nothing of it is left."""
    if worker.process.is_alive():
        worker.process.join(0.1)  # its code tells how it ended by itself
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()
