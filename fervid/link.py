"""Link: the state of a live source's connection, for whoever looks from another thread.

reader's thread: lost, tried, restored or given up -> events -> the outputs of the run
"""

import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Literal

EventKind = Literal["offline", "online", "gave_up"]
# Waiting is cut into pieces, since Windows delivers Ctrl-C only between them.
WAIT_S = 0.5
MOST_EVENTS = 1000  # that wait to be taken; where nobody takes any, the oldest are forgotten


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """A live source went offline, came back, or was given up.

    Attributes:
        kind: which of these.
        time_s: when, in the source's seconds, as its frames have them.
        at: when, by the calendar, in UTC.
        cause: of the loss, in words.
        attempts: to open it again so far.
        offline_s: seconds without it so far, from when the first picture was missing.
        missed: pictures that it would have sent meanwhile at its usual rate.
    """

    kind: EventKind
    time_s: float
    at: datetime
    cause: str
    attempts: int = 0
    offline_s: float = 0.0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Outage:
    """A loss that lasts: since when (UTC), why, for how many seconds, and attempts so far."""

    since: datetime
    cause: str
    seconds: float
    attempts: int


class Link:
    """Whether a live source is there; safe between threads.

    Args:
        clock: seconds, monotonic.
        now: the present moment, with its time zone.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.closing: Future[None] = Future()  # done once the source is no longer wanted
        self._clock, self._now = clock, now
        self._lock = Lock()
        self._events: deque[LinkEvent] = deque(maxlen=MOST_EVENTS)
        self._lost: tuple[datetime, float, str] | None = None
        self._attempts = 0

    @property
    def stopped(self) -> bool:
        """Whether the source is no longer wanted."""
        return self.closing.done()

    @property
    def pending(self) -> bool:
        """Whether `take` has an event."""
        return bool(self._events)

    @property
    def outage(self) -> Outage | None:
        """The present loss; None while the source is there."""
        with self._lock:
            if self._lost is None:
                return None
            since, began_s, cause = self._lost
            return Outage(since, cause, self._clock() - began_s, self._attempts)

    def stop(self) -> None:
        """End every wait: the source is no longer wanted; safe to repeat."""
        with self._lock:
            if not self.closing.done():
                self.closing.set_result(None)

    def wait(self, seconds: float) -> None:
        """Wait, until `stop` at most."""
        end_s = time.monotonic() + seconds
        while not self.stopped and (left_s := end_s - time.monotonic()) > 0:
            wait((self.closing,), min(left_s, WAIT_S))

    def lost(self, time_s: float, cause: str, silent_s: float = 0.0) -> None:
        """Note that the source has gone offline.

        Args:
            time_s: in the source's seconds.
            cause: in words, without credentials.
            silent_s: for how long pictures have been missing already, in seconds: a source that
                is silent is called lost after a while only.
        """
        with self._lock:
            now = self._now()
            since = now - timedelta(seconds=silent_s)
            self._lost, self._attempts = (since, self._clock() - silent_s, cause), 0
            self._events.append(LinkEvent("offline", time_s, now, cause))

    def tried(self) -> None:
        """Note one more attempt to open it again."""
        with self._lock:
            self._attempts += 1

    def restored(self, time_s: float, rate: float) -> LinkEvent | None:
        """Note that the source is back, of which `rate` pictures a second were missed."""
        return self._end("online", time_s, rate)

    def given_up(self, time_s: float, rate: float) -> LinkEvent | None:
        """Note that nobody tries to open it any more."""
        return self._end("gave_up", time_s, rate)

    def take(self, until_s: float = math.inf) -> list[LinkEvent]:
        """The events up to a time, in the source's seconds, each once."""
        taken = []
        with self._lock:
            while self._events and self._events[0].time_s <= until_s:
                taken.append(self._events.popleft())
        return taken

    def _end(self, kind: EventKind, time_s: float, rate: float) -> LinkEvent | None:
        with self._lock:
            if self._lost is None:
                return None
            _, began_s, cause = self._lost
            offline_s = self._clock() - began_s
            missed = round(offline_s * rate)
            event = LinkEvent(kind, time_s, self._now(), cause, self._attempts, offline_s, missed)
            self._events.append(event)
            self._lost = None
            return event


def link_of(source: object) -> Link | None:
    """The link of a source that comes back by itself; None of one that does not."""
    return getattr(source, "link", None)
