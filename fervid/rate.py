"""Frames a second: of a whole run, and of its last seconds."""

from collections import deque

WINDOW_S = 5.0  # over which the rate is shown


def per_s(frames: int, first_s: float, last_s: float, began_s: float | None = None) -> float:
    """The rate of frames, the lower of what two spans of time say; 0 where neither says anything.

    From the first frame to the last one n frames span n - 1 intervals. Of few frames that may say
    too much, as several may be done at the same moment; from the beginning of the first one n
    frames span n times what a frame takes.

    Args:
        frames: how many there are.
        first_s: when the first was done.
        last_s: when the last was.
        began_s: when the first was begun; None if nobody knows.
    """
    spans = [(frames - 1, last_s - first_s)] if frames > 1 else []
    if began_s is not None:
        spans.append((frames, last_s - began_s))
    return min((n / span_s for n, span_s in spans if span_s > 0), default=0.0)


class Rate:
    """Frames a second over a sliding window."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._ticks: deque[float] = deque()
        self._began_s: float | None = None

    def begin(self, at_s: float) -> None:
        """Note when the first frame was begun."""
        self._began_s = at_s

    def tick(self, now_s: float) -> None:
        """Count one frame."""
        self._ticks.append(now_s)
        self._forget(now_s)

    def per_s(self, now_s: float) -> float:
        """The rate; 0 while nothing tells it."""
        self._forget(now_s)
        if not self._ticks:
            return 0.0
        return per_s(len(self._ticks), self._ticks[0], self._ticks[-1], self._began_s)

    def _forget(self, now_s: float) -> None:
        while self._ticks and self._ticks[0] < now_s - self._window_s:
            self._ticks.popleft()
            self._began_s = None  # of a frame that no longer counts
