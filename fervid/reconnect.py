"""A live source that comes back: it is opened again when it was lost, and says so.

lost -> attempts, with growing pauses -> open -> pictures that are live -> back
                    ^                              | frozen, or lost again
                    +------------------------------+
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Self

from fervid.config import ReadConfig
from fervid.deadline import call_unless_stopped
from fervid.errors import SourceError, SourceReadError
from fervid.link import Link
from fervid.liveness import PictureWatch, Verdict
from fervid.records import Frame, SourceInfo
from fervid.resized import resized
from fervid.source import Source

_log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.25
SPREAD = 0.5  # of a pause, by which it may be shorter: many readers do not come all at once
STEADY_S = 2.0  # of pictures after which a loss is a new one, and pauses are short again
MOST_DOUBLINGS = 30
NUDGE_S = 1e-4  # between two frames at least
DEFAULT_RATE = 25.0


class ReconnectingSource:
    """A live source that is opened again whenever it is lost; its first opening is the caller's.

    It is lost when it cannot be read on, ends, or freezes (`liveness.PictureWatch`). Times of its
    frames go on along the clock, indices without a gap, and pictures keep the first size. What it
    does is seen at `link`. `close` from another thread ends every wait at once; what that thread
    cannot interrupt, a read, ends by itself, and the source is closed then.

    Args:
        source: is open and live.
        reopen: opens it again; called in threads of its own.
        read: says how often, with which pauses, and when a picture is frozen.
        clock: seconds, monotonic.
        link: takes what happens; its `wait` is what pauses.
        jitter: a random number 0-1.
    """

    def __init__(
        self,
        source: Source,
        reopen: Callable[[], Source],
        read: ReadConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        link: Link | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.info, self.link = source.info, link or Link(clock)
        self._source, self._reopen, self._read = source, reopen, read
        self._clock, self._jitter = clock, jitter
        self._watch = PictureWatch(read.frozen_s)
        self._inside = Lock()  # held while the source is read or opened
        self._frames: Iterator[Frame] | None = None
        self._reason = ""  # why the last attempt failed
        self._damaged_before = self._tries = self._connection = 0
        self._index, self._last_s = -1, 0.0
        self._start_s: float | None = None
        self._shift_s: float | None = None  # of this connection's times
        self._began_s = self._online_s = 0.0  # since when it has been there, and before that

    @property
    def damaged(self) -> int:
        """As the connections count, together."""
        return self._damaged_before + self._source.damaged

    def __iter__(self) -> Iterator[Frame]:
        while True:
            with self._inside:
                frame = self._next()
            if frame is None or self.link.stopped:
                self.close()
                return
            yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the source, or have the thread that is in it do so; closing twice is harmless."""
        self.link.stop()
        if self._inside.acquire(blocking=False):
            try:
                self._source.close()
            finally:
                self._inside.release()

    def _next(self) -> Frame | None:
        """The next live picture, however long that takes; None at the end.

        Raises:
            SourceReadError: the source was given up.
        """
        while not self.link.stopped:
            frame, cause = self._take()
            if frame is not None:
                time_s = self._time_of(frame)
                verdict = self._watch.look(frame.bgr, time_s)
                if verdict is Verdict.LIVE:
                    return self._accepted(frame, time_s)
                if verdict is Verdict.STALE:
                    continue
                self._tries, cause = 0, self._why_frozen()  # it answers, so no attempt failed
            if not (cause and self._come_back(cause)):
                return None
        return None

    def _take(self) -> tuple[Frame | None, str]:
        """A frame as it comes, or why there is none; no reason at the end of what has one."""
        self._frames = self._frames or iter(self._source)
        try:
            frame = next(self._frames, None)
        except SourceReadError as error:
            self._reason = str(error)
            return None, str(error).partition("; ")[0].rstrip(".")  # without the way out
        if frame is None and not getattr(self._source, "finite", False):
            self._reason = f"The stream {self.info.label} has ended."
            return None, self._reason.rstrip(".")
        return frame, ""

    def _time_of(self, frame: Frame) -> float:
        """When a frame came, in seconds since the first one of all."""
        if self._shift_s is None:
            self._shift_s = self._now_s() - frame.time_s
        least_s = self._last_s + NUDGE_S if self._index >= 0 else 0.0
        return max(frame.time_s + self._shift_s, least_s)

    def _now_s(self) -> float:
        if self._start_s is None:
            self._start_s = self._clock()
        return self._clock() - self._start_s

    def _accepted(self, frame: Frame, time_s: float) -> Frame:
        if event := self.link.restored(time_s, self._rate()):
            _log.warning(
                "%s is back after %.1f s (attempts: %d).",
                self.info.label,
                event.offline_s,
                event.attempts,
            )
            self._began_s = time_s
        if time_s - self._began_s >= STEADY_S:
            self._tries = 0
        self._index, self._last_s = self._index + 1, time_s
        bgr = resized(frame.bgr, self.info.width, self.info.height)
        return Frame(self._index, time_s, bgr, self._connection)

    def _rate(self) -> float:
        """Pictures a second while it was there; the nominal rate where it was not there long."""
        if self._online_s >= 1:
            return (self._index + 1) / self._online_s
        return float(self.info.rate or DEFAULT_RATE)

    def _why_frozen(self) -> str:
        return (
            f"{self.info.label} has shown one picture, the same to the bit, for "
            f"{self._watch.still_s:.0f} s"
        )

    def _come_back(self, cause: str) -> bool:
        """Open the source again until it works; False if it is over, or no longer wanted.

        Raises:
            SourceReadError: it was tried as often as it may be.
        """
        if self.link.outage is None:
            now_s = max(self._now_s(), self._last_s + NUDGE_S / 2)  # after the last frame
            self._online_s += self._last_s - self._began_s
            silent_s = max(now_s - self._last_s - 1 / self._rate(), 0.0)
            self._online_s += now_s - silent_s - self._last_s  # the last picture's own time
            self.link.lost(now_s, cause, silent_s)
            _log.warning("%s; it is opened again until it is back.", cause)
        self._source.close()
        source = self._opened()
        if source is None:
            return False
        self._damaged_before += self._source.damaged
        self._source, self._frames = source, None
        self._connection, self._shift_s = self._connection + 1, None
        self._watch.begin(self._now_s())
        self._tell_size(source.info)
        return True

    def _tell_size(self, new: SourceInfo) -> None:
        old = self.info
        if (new.width, new.height) != (old.width, old.height):
            _log.warning(
                "%s came back with %d x %d px, and is analysed at the %d x %d px that it had; "
                "start again for its own size.",
                *(old.label, new.width, new.height, old.width, old.height),
            )

    def _opened(self) -> Source | None:
        """The source, opened again; None if it is over, or no longer wanted."""
        while True:
            if self._tries >= self._read.attempts:
                raise self._given_up()
            pause_s = FIRST_PAUSE_S * 2 ** min(self._tries, MOST_DOUBLINGS)
            self.link.wait(min(pause_s, self._read.reconnect_max_s) * (1 - SPREAD * self._jitter()))
            if self.link.stopped:
                return None
            self._tries += 1
            self.link.tried()
            try:
                source = call_unless_stopped(self._reopen, self.link.closing, _close)
            except SourceError as error:
                self._reason = str(error)
                _log.debug("attempt %d: %s", self._tries, error)
                continue
            if source is None or source.info.live:
                return source
            source.close()  # what comes back as a recording has ended
            _log.warning("The stream %s has ended.", self.info.label)
            return None

    def _given_up(self) -> SourceReadError:
        event = self.link.given_up(self._now_s(), self._rate())
        seconds = event.offline_s if event else 0.0
        return SourceReadError(
            f"{self.info.label} was lost and not brought back by {self._tries} attempts within "
            f"{seconds:.0f} s: {self._reason}",
            self.info.uri,
        )


def _close(source: Source) -> None:
    source.close()
