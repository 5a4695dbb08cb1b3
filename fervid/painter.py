"""Painter: the pictures of a source that may be written."""

from collections.abc import Callable
from copy import copy
from functools import partial

from fervid.anonymize import Anonymizer, Method, Region, cover
from fervid.config import RunConfig
from fervid.draw import draw
from fervid.pen import U8
from fervid.records import Frame, FrameResult


class Painter:
    """Annotates the frames of one source, and hides their faces first if that was asked for.

    Args:
        config: of the run.
    """

    def __init__(self, config: RunConfig) -> None:
        method = config.output.anonymize
        self._hider = None if method == "none" else Anonymizer(method)

    @property
    def hides(self) -> bool:
        """Whether its pictures lack something of the frames."""
        return self._hider is not None

    def paint(self, frame: Frame, result: FrameResult, heatmap: bool) -> U8:
        """The next frame with everything drawn over it."""
        return self.plan(frame, result, heatmap)()

    def plan(self, frame: Frame, result: FrameResult, heatmap: bool) -> Callable[[], U8]:
        """A function that makes what `paint` would, at any time and in any thread.

        What is hidden is decided here, in the order of the frames.
        """
        return _plan(self._hider, frame, result, heatmap)

    def notice(self, frame: Frame, result: FrameResult) -> None:
        """Take in a frame that is not painted: its faces may have to be hidden in a later one."""
        if self._hider is not None:
            self._hider.notice(result.faces, frame.time_s)

    def repaint(self, frame: Frame, result: FrameResult, heatmap: bool) -> U8:
        """One of the last frames once more; what is remembered for the next one stays as it is."""
        return _plan(copy(self._hider), frame, result, heatmap)()


def _plan(
    hider: Anonymizer | None, frame: Frame, result: FrameResult, heatmap: bool
) -> Callable[[], U8]:
    if hider is None:
        return partial(draw, frame.bgr, result, heatmap=heatmap)
    size = frame.bgr.shape[1], frame.bgr.shape[0]
    regions = hider.regions(size, result.faces, frame.time_s)
    return partial(_hidden, frame, result, heatmap, regions, hider.method)


def _hidden(
    frame: Frame, result: FrameResult, heatmap: bool, regions: list[Region], method: Method
) -> U8:
    return draw(cover(frame.bgr, regions, method), result, heatmap=heatmap)
