"""MediaClock: timestamps of a file as seconds that always rise."""

from fractions import Fraction

# Timestamps that go back by more than RESTART_S were restarted, by less are merely wrong.
RESTART_S, NUDGE_S = 1.0, 1e-4


class MediaClock:
    """Turns timestamps into seconds that always rise.

    A missing timestamp is one frame after the last; timestamps that start again (streams put
    one after another) go on where they were.

    Args:
        origin: the timestamp of 0 s.
        time_base: seconds of one tick.
        rate: nominal frame rate, for frames without timestamp.
    """

    def __init__(self, origin: int, time_base: Fraction, rate: Fraction) -> None:
        self.origin, self._time_base, self._period_s = origin, time_base, float(1 / rate)
        self._shift_s = 0.0
        self._last_s: float | None = None

    def seconds(self, pts: int | None) -> float:
        """Return the time of the picture with this timestamp."""
        last = self._last_s
        after = 0.0 if last is None else last + self._period_s
        now = after
        if pts is not None:
            now = float((pts - self.origin) * self._time_base) + self._shift_s
            if last is not None and last - now > RESTART_S:
                self._shift_s += after - now
                now = after
            elif last is not None and now <= last:
                now = last + NUDGE_S
        self._last_s = now
        return now
