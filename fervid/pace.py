"""Pictures that a server sends in bursts, brought back to the pace at which they were taken."""

import time
from collections.abc import Callable

# Looking further ahead than this is a gap in the timestamps, not a picture that came early.
GAP_S = 2.0


class Pacer:
    """Holds a picture back until its time.

    HLS delivers seconds of pictures at once, and then none until the next piece is ready: without
    this, whoever wants the newest picture would get one a piece. A picture that is late passes
    at once.

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

    def wait(self, media_s: float) -> None:
        """Wait until the picture with this media time, in seconds, is due."""
        now = self._clock()
        ahead = GAP_S if self._start_s is None else self._start_s + media_s - now
        if ahead >= GAP_S:
            self._start_s = now - media_s
        elif ahead > 0:
            self._sleep(ahead)
