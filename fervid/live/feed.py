"""Feed: what the live page knows of one source; a sink of the run, in which the newest counts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fervid.config import RunConfig
from fervid.link import LinkEvent
from fervid.live.history import History
from fervid.painter import Painter
from fervid.records import Frame, FrameResult, SourceInfo
from fervid.status import Snapshot

MAP_S = 1 / 8  # between two heatmaps that only the page wants; faces keep their last one meanwhile
U8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One frame as it may be shown.

    Attributes:
        number: its place among the frames of its source, from 1.
        result: what was found.
        paint: makes the picture, uint8 (H, W, 3), at any time in any thread; None where pictures
            are forbidden.
    """

    number: int
    result: FrameResult
    paint: Callable[[], U8] | None


class Feed:
    """The newest frame of one source, its state and its last minutes.

    The run writes to it, the page's server reads from it, and neither waits: a frame that nobody
    took is forgotten with the next one.

    Args:
        number: tells the feeds of a page apart.
        info: of the source.
        config: of the run.
        clock: seconds, monotonic.

    Attributes:
        newest: the newest frame; None before the first one.
        snapshot: the state of the source's analysis, as the dashboard has it, a little older.
        watched: whether somebody looks at its pictures; the server says so.
        over: whether the source has ended.
    """

    wants_pixels = False

    def __init__(
        self,
        number: int,
        info: SourceInfo,
        config: RunConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._map_due_s = clock, clock()
        self.number, self.info = number, info
        self.history = History()
        self.newest: Shown | None = None
        self.snapshot: Snapshot | None = None
        self.watched = self.over = self.gave_up = False
        self.pictures = config.output.images
        self.heatmap = self.pictures and config.explain.heatmap
        self.told_filter = config.filter.filter
        self._painter = Painter(config)
        self._frames = 0

    @property
    def wants_maps(self) -> bool:
        """Whether the next frame needs new heatmaps: true for one in MAP_S while somebody looks."""
        now = self._clock()
        wanted = self.watched and self.heatmap and now >= self._map_due_s
        if wanted:
            self._map_due_s = now + MAP_S
        return wanted

    def write(self, frame: Frame, result: FrameResult, drawn: U8 | None) -> None:
        """Take one frame's result, in the place of the one before."""
        self._frames += 1
        self.history.observe(result)
        self.newest = Shown(self._frames, result, self._paint(frame, result, drawn))

    def note(self, event: LinkEvent) -> None:
        """Take an event of a live source."""
        self.gave_up = event.kind == "gave_up"

    def close(self) -> None:
        """Note the end of the source; the last state stays to be seen."""
        self.over = True

    def _paint(
        self, frame: Frame, result: FrameResult, drawn: U8 | None
    ) -> Callable[[], U8] | None:
        if not self.pictures:
            return None
        if drawn is not None:  # what the run's outputs get, with the same faces hidden
            return partial(_same, drawn)
        return self._painter.plan(frame, result, self.heatmap)


def _same(picture: U8) -> U8:
    return picture
