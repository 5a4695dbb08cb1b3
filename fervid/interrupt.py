"""Ctrl-C that waits until what must not be cut in two is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_interrupt() -> Iterator[None]:
    """Hold an interrupt back until the end of the block, and deliver it then.

    Whoever handles interrupts outside (Python, a block around this one, a program that uses
    fervid) gets it. Outside the main thread, where Python delivers no interrupts, nothing is held.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed inside the block, and Python handles it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)
