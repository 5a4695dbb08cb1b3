"""Prefetch: a thread that reads a source ahead, so that reading and analysing overlap.

A file waits for its reader (every frame counts), a live source does not (only the newest frame
is of use).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Self

from fervid.capture import Source
from fervid.link import link_of
from fervid.records import Frame

_log = logging.getLogger(__name__)

# Frames kept ready from a file: enough to even out decoding, 25 MB at 1920x1080.
DEPTH = 4
# Waiting is cut into pieces, since Windows delivers Ctrl-C only between them.
WAIT_S = 0.5
# A source that is silent just now (a camera, a pipe, a drive that sleeps) shall not hold an end up,
# which has 2 s; its thread closes it later.
JOIN_S = 1.0


class Policy(Enum):
    """What happens when frames come faster than they are taken."""

    WAIT = "wait"
    LATEST = "latest"


class Prefetch:
    """Iterates over (frame, frames lost since the last one) of a source, read in a thread.

    It owns the source: leaving the context stops the thread, waits for it and closes the source,
    whatever the consumer did; a thread that does not answer closes it when it does. An error of
    the source is raised in the consumer, after the frames that came before it.

    Args:
        source: an open source.
        policy: WAIT delivers every frame, LATEST the newest only; by default LATEST for live
            sources.
        depth: frames kept ready under WAIT.
        news: notified when a frame is ready or the source has ended; by default its own.
        seen: called in the thread with the time of each frame, in seconds, when it is read.
    """

    def __init__(
        self,
        source: Source,
        policy: Policy | None = None,
        *,
        depth: int = DEPTH,
        news: threading.Condition | None = None,
        seen: Callable[[float], None] = lambda time_s: None,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth: expected at least 1, got {depth}")
        self.dropped = 0
        self._source, self._seen = source, seen
        self._policy = policy or (Policy.LATEST if source.info.live else Policy.WAIT)
        self._depth = 1 if self._policy is Policy.LATEST else depth
        self._frames: deque[Frame] = deque()
        self._lost = 0
        self._error: BaseException | None = None
        self._ended = self._stopped = self._left = False
        self._changed = news or threading.Condition()
        # A daemon, so that a camera whose driver hangs cannot keep the process alive.
        self._thread = threading.Thread(target=self._read, name="fervid-prefetch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    @property
    def ready(self) -> bool:
        """Whether `next` would answer at once: with a frame, an error or the end."""
        return bool(self._frames) or self._ended or self._stopped

    def __next__(self) -> tuple[Frame, int]:
        """Wait for the next frame.

        Raises:
            SourceReadError: the source cannot be read on.
        """
        with self._changed:
            while not self.ready:
                self._changed.wait(WAIT_S)
            if self._stopped:
                raise StopIteration
            if not self._frames:
                error, self._error = self._error, None
                raise error or StopIteration
            frame, lost = self._frames.popleft(), self._lost
            self._lost = 0
            self._changed.notify_all()
        return frame, lost

    def close(self) -> None:
        """Stop reading, wait for the thread and close the source; closing twice is harmless."""
        with self._changed:
            self._stopped = True
            self._frames.clear()
            self._changed.notify_all()
        if link := link_of(self._source):
            link.stop()
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)
        with self._changed:
            # Closing what another thread still reads would crash the process.
            self._left = self._thread.is_alive() and not self._ended
        if self._left:
            _log.warning("%s does not answer and is left open", self._source.info.label)
        else:
            self._source.close()

    def _read(self) -> None:
        """Read until the source ends, fails or is no longer wanted; runs in the thread."""
        error: BaseException | None = None
        try:
            for frame in self._source:
                self._seen(frame.time_s)
                if not self._offer(replace(frame, read_s=time.monotonic())):
                    break
        except BaseException as caught:  # noqa: BLE001 - raised again in the consumer
            error = caught
        with self._changed:
            self._error, self._ended = error, True
            left = self._left
            self._changed.notify_all()
        if left:
            self._source.close()

    def _offer(self, frame: Frame) -> bool:
        """Hand over a frame; returns whether more are wanted."""
        with self._changed:
            if self._policy is Policy.LATEST and self._frames:
                self._frames.clear()
                self._lost += 1
                self.dropped += 1
            while len(self._frames) >= self._depth and not self._stopped:
                self._changed.wait(WAIT_S)
            if not self._stopped:
                self._frames.append(frame)
                self._changed.notify_all()
            return not self._stopped
