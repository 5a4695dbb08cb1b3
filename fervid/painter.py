"""Painter: the pictures of a source that may be written."""

from copy import copy

from fervid.anonymize import Anonymizer
from fervid.config import RunConfig
from fervid.draw import U8, draw
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
        return _painted(self._hider, frame, result, heatmap)

    def notice(self, frame: Frame, result: FrameResult) -> None:
        """Take in a frame that is not painted: its faces may have to be hidden in a later one."""
        if self._hider is not None:
            self._hider.notice(result.faces, frame.time_s)

    def repaint(self, frame: Frame, result: FrameResult, heatmap: bool) -> U8:
        """One of the last frames once more; what is remembered for the next one stays as it is."""
        return _painted(copy(self._hider), frame, result, heatmap)


def _painted(hider: Anonymizer | None, frame: Frame, result: FrameResult, heatmap: bool) -> U8:
    shown = frame.bgr
    if hider is not None:
        shown = hider.hide(shown, result.faces, frame.time_s)
    return draw(shown, result, heatmap=heatmap)
