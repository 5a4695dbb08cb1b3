"""Observer: the sink that collects what a report needs beyond the summary."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.records import Frame, FrameResult
from fervid.report.moments import Moments
from fervid.report.regions import Attention
from fervid.report.timeline import Timeline
from fervid.sinks import RunHeader
from fervid.sinks.rows import header_record, start_of_run

BINS = 20  # of the histogram of confidences


class Observer:
    """Collects over one source, in a memory that does not grow with its length.

    Args:
        header: of the run, as `header_record` makes it.
        pictures: keep pictures of the faces at some moments.
        run: the run's header, for the calendar of a live source; None for one that is over.
    """

    wants_pixels = False
    wants_maps = True

    def __init__(
        self, header: Mapping[str, Any], *, pictures: bool, run: RunHeader | None = None
    ) -> None:
        self.header = dict(header)
        self.pictures = pictures
        self.started = ""
        self._run = run
        self.timeline = Timeline(header["classes"])
        self.attention = Attention(header["classes"])
        self.moments = Moments(pictures=pictures)
        self.confidences = np.zeros((2, BINS), np.int64)  # certain, uncertain
        self.maps: Counter[tuple[str, str]] = Counter()  # faces by kind of map and chosen class

    @classmethod
    def of_run(cls, header: RunHeader, *, pictures: bool) -> "Observer":
        """The observer of a run that is beginning."""
        return cls(header_record(header), pictures=pictures, run=header)

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Take a frame of a run."""
        if self._run is not None and not self.started:
            start = start_of_run(self._run, result)
            self.started = start.isoformat(timespec="seconds") if start else ""
        self.observe(result, frame.bgr)

    def observe(self, result: FrameResult, bgr: NDArray[np.uint8] | None = None) -> None:
        """Take a result, with its picture if that is at hand."""
        self.timeline.observe(result)
        self.attention.observe(result)
        self.moments.observe(result, bgr)
        if n_maps := int(result.heatmaps.any((1, 2)).sum()):
            self.maps[result.cam, result.target] += n_maps
        for i, label in enumerate(result.labels):
            confidence = float(result.smoothed[i, result.classes.index(label)])
            if np.isfinite(confidence):
                which = min(BINS - 1, max(0, int(confidence * BINS)))
                self.confidences[int(result.uncertain[i]), which] += 1

    def close(self) -> None:
        """Do nothing: the report is written when the run's summary is known."""
