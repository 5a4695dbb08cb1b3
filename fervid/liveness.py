"""Liveness: whether what a live source sends are pictures that a camera takes now.

A stuck encoder repeats its last picture for hours, bit for bit; a camera's own noise makes that all
but impossible, even of a scene in which nothing moves. A picture of one colour just after a
connection was opened again is what servers send while their camera is not there yet; such pictures
are left out for as long as a picture may stay the same.
"""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

LEAST_SAME = 5  # pictures in a row that have to be the same, however slowly they come
MOST_PATIENCE_S = 600.0
CALM_S = 600.0  # without a frozen picture, after which patience is short again
ROWS = 16  # every so many rows are compared first: live pictures differ in nearly all of them


class Verdict(Enum):
    """What is to be done with a picture."""

    LIVE = "live"  # analyse it
    STALE = "stale"  # leave it out
    FROZEN = "frozen"  # leave it out, and open the source again


class PictureWatch:
    """Looks at one source's pictures, over all of its connections.

    A picture that has stayed the same, bit for bit, for the patience is frozen. Opened again, a
    source that still shows it is left out until it shows another. The patience doubles each time,
    up to ten minutes, so that a scene that stands still by design (a drawn one, or a camera whose
    codec sends nothing where nothing changes) is not opened again for ever.

    Args:
        frozen_s: the patience at first, in seconds; 0: every picture is live.
    """

    def __init__(self, frozen_s: float) -> None:
        self._frozen_s = self._patience_s = frozen_s
        self._last: U8 | None = None
        self._since_s = self._began_s = self._frozen_at_s = -np.inf
        self._same = 0
        self._frozen = self._new = False

    def begin(self, time_s: float) -> None:
        """The source was opened again: what it shows has to prove itself."""
        self._new, self._began_s, self._since_s, self._same = True, time_s, time_s, 0
        if not self._frozen:
            self._last = None

    def look(self, bgr: U8, time_s: float) -> Verdict:
        """What is to be done with the next picture.

        Args:
            bgr: uint8 (H, W, 3); it must not be changed afterwards.
            time_s: when it came.
        """
        if not self._frozen_s:
            return Verdict.LIVE
        if self._last is None or not identical(self._last, bgr):
            self._last, self._since_s, self._same, self._frozen = bgr, time_s, 0, False
            if time_s - self._frozen_at_s >= CALM_S:
                self._patience_s = self._frozen_s
        else:
            self._same += 1
            if self._same >= LEAST_SAME and time_s - self._since_s >= self._patience_s:
                self._frozen, self._frozen_at_s = True, time_s
                self._patience_s = min(2 * self._patience_s, max(MOST_PATIENCE_S, self._frozen_s))
                return Verdict.FROZEN
        self._new = self._new and time_s - self._began_s < self._frozen_s
        if self._frozen or (self._new and is_blank(bgr)):
            return Verdict.STALE
        self._new = False
        return Verdict.LIVE

    @property
    def still_s(self) -> float:
        """Seconds for which the frozen picture had stayed the same."""
        return self._frozen_at_s - self._since_s


def identical(one: U8, other: U8) -> bool:
    """Whether two pictures uint8 (H, W, 3) are the same, bit for bit."""
    if one.shape != other.shape or not np.array_equal(one[::ROWS], other[::ROWS]):
        return False
    return np.array_equal(one, other)


def is_blank(bgr: U8) -> bool:
    """Whether a picture uint8 (H, W, 3) has one colour only."""
    return bool((bgr[::ROWS] == bgr[0, 0]).all() and (bgr == bgr[0, 0]).all())
