"""Courier: takes alerts to somebody outside, in a thread, and never makes the analysis wait."""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

_log = logging.getLogger(__name__)

Event = Mapping[str, Any]
MOST_WAITING = 100  # alerts; those that come while so many wait are lost, and counted


class DeliveryError(Exception):
    """An alert did not get where it should; the message is the reason, without secrets."""


class Delivery(Protocol):
    """A way to somebody outside."""

    name: str  # of who is told, without secrets

    def send(self, event: Event) -> None:
        """Deliver one event, in a limited time.

        Raises:
            DeliveryError: it was not delivered.
        """

    def abort(self) -> None:
        """End the `send` that another thread is in, if any, and every later one at once."""


class Courier:
    """Delivers events one after the other.

    The first failure is said at once, the others are counted, and their number is said at the end.

    Args:
        delivery: the way.
        most_waiting: events that may wait.
    """

    def __init__(self, delivery: Delivery, most_waiting: int = MOST_WAITING) -> None:
        self.delivered = self.failed = self.lost = 0
        self._delivery, self._most = delivery, most_waiting
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._busy = self._stopped = self._told = False
        # A daemon, so that a receiver that never answers cannot keep the process alive.
        self._thread = threading.Thread(target=self._run, name="fervid-courier", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Of who is told."""
        return self._delivery.name

    def put(self, event: Event) -> None:
        """Hand over an event; never waits."""
        with self._changed:
            full = self._stopped or len(self._waiting) >= self._most
            if full:
                self.lost += 1
            else:
                self._waiting.append(event)
                self._changed.notify_all()
        if full:
            self._tell_first(f"{len(self._waiting)} wait already")

    def drain(self, seconds: float) -> None:
        """Wait until all is delivered, for so many seconds at most."""
        end_s = time.monotonic() + seconds
        with self._changed:
            while (self._waiting or self._busy) and (left_s := end_s - time.monotonic()) > 0:
                # In pieces, since Windows delivers Ctrl-C only between them.
                self._changed.wait(min(left_s, 0.5))

    def close(self, seconds: float) -> None:
        """Give what is under way so many seconds, end it, and say how many were not delivered.

        What still waits is not delivered any more. Closing twice is harmless.
        """
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            self.lost += len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._delivery.abort()
            self._thread.join(seconds)
        self._tell_last()

    def _run(self) -> None:
        """Deliver until the end; in the thread."""
        while (event := self._next()) is not None:
            try:
                self._delivery.send(event)
            except DeliveryError as error:
                self.failed += 1
                self._tell_first(str(error))
            except Exception as error:  # noqa: BLE001 - it is told, and the next ones are tried
                self.failed += 1
                self._tell_first(type(error).__name__)  # its words may hold an address
            else:
                self.delivered += 1

    def _next(self) -> Event | None:
        """Wait for the next event; None at the end."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            if self._stopped:
                return None
            self._busy = True
            return self._waiting.popleft()

    def _tell_first(self, reason: str) -> None:
        with self._changed:
            told, self._told = self._told, True
        if not told:
            _log.warning(
                "An alert did not reach %s (%s); how many more do not is said at the end.",
                *(self.name, reason),
            )

    def _tell_last(self) -> None:
        unfinished = self._thread.is_alive()  # what does not even let itself be ended
        missed = self.failed + self.lost + unfinished
        if missed:
            _log.warning(
                "%d of %d alerts did not reach %s.", missed, missed + self.delivered, self.name
            )
