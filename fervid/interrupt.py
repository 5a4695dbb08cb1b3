"""Ctrl-C and SIGTERM: both end a run in order, once what must not be cut in two is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)  # what asks a process to end


class Terminated(KeyboardInterrupt):
    """The system asks for the end (SIGTERM: `kill`, systemd, a container that is stopped).

    Whoever handles Ctrl-C handles it too.
    """


def terminate(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM as Python handles Ctrl-C.

    Raises:
        Terminated: always.
    """
    raise Terminated


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, unless a program has a handler of its own.

    Outside the main thread, where Python sets no handlers, nothing changes.

    Raises:
        Terminated: SIGTERM came inside the block.
    """
    if not _in_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def held_interrupt() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end of the block, and deliver them then.

    Whoever handles them outside (Python, a block around this one, a program that uses fervid)
    gets them. Outside the main thread, where Python delivers none, nothing is held.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed inside the block, and Python handles it.
        Terminated: SIGTERM came inside the block, and `terminable` is around it.
    """
    if not _in_main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in ENDING}
    # Python cannot put a handler back that was set outside it, and then leaves it alone.
    held = [number for number in ENDING if before[number] is not None]
    try:
        for number in held:
            signal.signal(number, lambda which, _: came.append(which))
        yield
    finally:
        for number in held:
            signal.signal(number, before[number])
    for one in dict.fromkeys(came):
        signal.raise_signal(one)


@contextmanager
def kept_handler() -> Iterator[None]:
    """Put the handler of SIGTERM back that a library replaces inside the block.

    Outside the main thread, where Python sets no handlers, nothing changes.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        # Python cannot put a handler back that was set outside it.
        if _in_main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
