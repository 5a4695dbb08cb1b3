"""Pictures that a server sends in bursts, brought back to the pace at which they were taken."""

import time
from collections.abc import Callable

# Looking further ahead than this is a gap in the timestamps, not a picture that came early.
GAP_S = 2.0
# Longer than a piece, which is 10 s at most: what is late in two such spans stays late.
SPAN_S = 15.0


class Pacer:
    """Holds a picture back until its time.

    HLS delivers seconds of pictures at once, and then none until the next piece is ready: without
    this, whoever wants the newest picture would get one a piece. A picture that is late passes
    at once. Where some are late again and again (an encoder that paused without saying so in its
    timestamps, or whose clock is slow), the pace begins that much later, or from then on every
    picture would be late.

    Args:
        clock: seconds.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._start_s: float | None = None
        self._since_s = 0.0  # when the present span began
        self._late_s = 0.0, 0.0  # the most of a picture of the span before, and of this one

    def wait(self, media_s: float) -> None:
        """Wait until the picture with this media time, in seconds, is due."""
        now = self._clock()
        if self._start_s is not None and now - self._since_s >= SPAN_S:
            always_s = min(self._late_s)
            self._start_s += always_s
            self._since_s, self._late_s = now, (self._late_s[1] - always_s, 0.0)
        ahead = GAP_S if self._start_s is None else self._start_s + media_s - now
        if ahead >= GAP_S:
            self._start_s, self._since_s, self._late_s = now - media_s, now, (0.0, 0.0)
        elif ahead > 0:
            self._sleep(ahead)
        else:
            self._late_s = self._late_s[0], max(self._late_s[1], -ahead)
