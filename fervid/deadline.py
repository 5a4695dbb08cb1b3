"""Calls into libraries that cannot be interrupted: with a limit, and with Ctrl-C."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from typing import Any, TypeVar

T = TypeVar("T")
# Waiting is cut into pieces, since Windows delivers Ctrl-C only between them.
WAIT_S = 0.5


def call_in_time(call: Callable[[], T], limit_s: float, discard: Callable[[T], None]) -> T:
    """Return what a call returns, or give it up after a while.

    A call that was given up, for the limit or for Ctrl-C, ends in its own thread whenever it
    will; what it then returns is discarded.

    Args:
        call: runs in a thread of its own.
        limit_s: seconds that it may take.
        discard: releases what came too late.

    Raises:
        TimeoutError: it took too long. What the call raises is raised unchanged.
    """
    future: Future[T] = Future()
    # A daemon, so that a call that never ends cannot keep the process alive.
    thread = threading.Thread(
        target=_run, args=(call, future, discard), name="fervid-call", daemon=True
    )
    end_s = time.monotonic() + limit_s
    try:
        thread.start()
        while not future.done() and (left_s := end_s - time.monotonic()) > 0:
            wait((future,), min(WAIT_S, left_s))
    except BaseException:
        _give_up(future, discard)
        raise
    if future.cancel():
        raise TimeoutError
    try:
        return future.result()
    finally:
        del future  # see `_run`


def call_unless_stopped(
    call: Callable[[], T], stop: "Future[None]", discard: Callable[[T], None]
) -> T | None:
    """Return what a call returns, or None as soon as `stop` is done.

    Args:
        call: runs in a thread of its own, to its end, whenever that is.
        stop: may be done at any time.
        discard: releases what comes after that.

    Raises:
        Exception: what the call raises, unchanged.
    """
    future: Future[T] = Future()
    thread = threading.Thread(
        target=_run, args=(call, future, discard), name="fervid-call", daemon=True
    )
    try:
        thread.start()
        while not (future.done() or stop.done()):
            _wait_for_one(future, stop)
    except BaseException:
        _give_up(future, discard)
        raise
    if stop.done():
        _give_up(future, discard)
        return None
    try:
        return future.result()
    finally:
        del future  # see `_run`


def _wait_for_one(*futures: "Future[Any]") -> None:
    wait(futures, WAIT_S, FIRST_COMPLETED)


def _run(call: Callable[[], T], future: "Future[T]", discard: Callable[[T], None]) -> None:
    """Call, and hand over what comes of it.

    An error's trace leads to this frame and to the caller's. Where these kept the future, which
    keeps the error, all three would stay, with every frame on the way and what is in it, until
    Python looks for such circles: in a long run, perhaps never.
    """
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - raised again in the caller
        if not future.cancelled():
            _hand_over(future.set_exception, error)
        del future
        return
    if not _hand_over(future.set_result, result):
        discard(result)


def _hand_over(give: Callable[[T], None], what: T) -> bool:
    """Give a future what it waits for; False if it was given up."""
    try:
        give(what)
    except InvalidStateError:
        return False
    return True


def _give_up(future: "Future[T]", discard: Callable[[T], None]) -> None:
    if not future.cancel() and future.exception() is None:
        discard(future.result())
