"""What a process of `--jobs` does: it takes targets from a pipe and sends back what became of them.

It ends when the run wants no more of it, and at once when the run's own process has ended in
whatever way: two processes that write the same outputs would spoil them.
"""

import _thread
import logging
import os
import queue
import signal
import threading
from contextlib import suppress
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from typing import Any

from fervid.config import RunConfig
from fervid.errors import FervidError
from fervid.interrupt import held_interrupt
from fervid.memory import share_heap
from fervid.outputs import Target

READY, STOP = "ready", "stop"


class Line:
    """The pipe to the run: what is sent from several threads, and a thread that listens.

    Args:
        pipe: to the run's process.
    """

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self._targets: queue.SimpleQueue[Target | None] = queue.SimpleQueue()
        self.stopping = False
        threading.Thread(target=self._listen, name="fervid-line", daemon=True).start()

    def take(self) -> Target | None:
        """Wait for the next target; None at the end."""
        return self._targets.get()

    def put_nowait(self, item: object) -> None:
        """Send something, whole, also when Ctrl-C is pressed meanwhile; `QueueHandler`'s name."""
        with self._lock, held_interrupt():
            self._pipe.send(item)

    def _listen(self) -> None:
        while True:
            try:
                item = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(1)  # the run has ended, however
            if item == STOP:
                self.stopping = True
                self._targets.put(None)
                _thread.interrupt_main()
            else:
                self._targets.put(item)


def serve(pipe: "Connection[Any, Any]", config: RunConfig, threads: int, level: int) -> None:
    """Analyse target after target; the whole life of the process.

    Args:
        pipe: to the run's process.
        config: of the run.
        threads: of the network, unless `config` says how many.
        level: of the log, which the run's process shows.
    """
    share_heap()
    line = Line(pipe)

    def obey(number: int, _: object) -> None:
        if line.stopping:  # the terminal sends Ctrl-C to all; the run's process decides
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, obey)
    if hasattr(signal, "pthread_sigmask"):  # `workers.py` had blocked it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.dup2(2, 1)  # standard output is for data
    logger = logging.getLogger("fervid")
    logger.addHandler(QueueHandler(line))  # type: ignore[arg-type]  # it uses put_nowait alone
    logger.setLevel(level)
    with suppress(KeyboardInterrupt):
        try:
            _serve(line, config, threads)
        except FervidError as error:  # the network cannot be opened
            line.put_nowait(error)
    os._exit(0)  # threads may still be inside a library's call


def _serve(line: Line, config: RunConfig, threads: int) -> None:
    from fervid.task import analyse_file, failed, interrupted, open_session

    with open_session(config, threads) as session:
        line.put_nowait(READY)
        while (target := line.take()) is not None:
            try:
                outcome = analyse_file(session, target)
            except KeyboardInterrupt:
                line.put_nowait(interrupted(session, target))
                raise
            except Exception as error:  # noqa: BLE001 - it costs this file only, and is told
                outcome = failed(session, target, error)
            line.put_nowait(outcome)
            session.summaries.clear()
