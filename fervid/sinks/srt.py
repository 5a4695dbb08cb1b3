"""Subtitles (SubRip): what each face shows, readable in any player beside the untouched clip.

Of a part (`--start`) the times count from its first frame, as those of the annotated video do.
A cue lasts as long as the labels do. Labels that flicker cannot be read, so a change becomes a cue
only with what most of the next MIN_CUE_S show; a cue never lasts less, and cues never overlap.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.text import TextOutput

# The shortest time in which a line of one or two words can be read; what subtitlers keep to
# (5/6 s: Netflix, "Timed text style guide: general requirements", 2).
MIN_CUE_S = 5 / 6

Said = dict[int, str]  # a face's track and its line


@dataclass(frozen=True, slots=True)
class _Span:
    """What one frame shows for as long as it is on the screen; sizes are areas in px by track."""

    start_s: float
    end_s: float
    said: Said
    sizes: dict[int, float]


class SrtSink:
    """Writes cues as they end; the largest face stands first, doubtful labels have a "?".

    Args:
        path: the file, .srt.
        header: of the run.
    """

    wants_pixels = False

    def __init__(self, path: Path | None, header: RunHeader) -> None:
        if path is None:
            raise ValueError("subtitles need a path")
        self.path: Path | None = path
        self._output = TextOutput(path)
        rate = header.source.rate
        self._frame_s = float(1 / rate) if rate else 1 / 25
        self._zero_s = header.source.start_s
        self._number = 0
        self._last: FrameResult | None = None
        self._connection = 0
        self._cue = _Span(0.0, 0.0, {}, {})
        self._later: list[_Span] = []  # since something else than the cue was first seen
        self._open = True

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Take one frame; the one before it was on the screen until now.

        Of a live source that was lost and came back, nothing was on it in between.

        Raises:
            SinkError: a cue could not be written.
        """
        if self._last is not None and frame.connection != self._connection:
            self._show(self._last, min(self._last.time_s + self._frame_s, result.time_s))
            self._add({}, {}, result.time_s)
        elif self._last is not None:
            self._show(self._last, result.time_s)
        self._last, self._connection = result, frame.connection

    def close(self) -> None:
        """Write the last cue; closing twice is harmless.

        Raises:
            SinkError: it could not be written.
        """
        if not self._open:
            return
        self._open = False
        try:
            if self._last is not None:
                self._show(self._last, self._last.time_s + self._frame_s)
                self._finish()
        finally:
            self._output.close()

    def _show(self, result: FrameResult, until_s: float) -> None:
        """Add what a frame says to the cue, or to what may become the next one."""
        self._add(_lines(result), _areas(result), until_s)

    def _add(self, said: Said, sizes: dict[int, float], until_s: float) -> None:
        start_s = self._later[-1].end_s if self._later else self._cue.end_s
        end_s = max(until_s - self._zero_s, start_s)
        if not self._later and said == self._cue.said:
            self._cue = self._until(end_s)
            return
        self._later.append(_Span(start_s, end_s, said, sizes))
        if end_s - self._later[0].start_s >= MIN_CUE_S:
            self._settle()

    def _settle(self) -> None:
        """Turn what was seen since the last change into a cue, or add it to the one before."""
        found = _most(self._later)
        self._later = []
        if found.said == self._cue.said:
            self._cue = self._until(found.end_s)
        else:
            self._put(self._cue)
            self._cue = found

    def _finish(self) -> None:
        """Write what is left: a rest too short to be read belongs to the cue before it."""
        if self._later and self._cue.said:
            self._cue = self._until(self._later[-1].end_s)
        elif self._later:
            self._cue = _most(self._later)
        self._put(self._until(max(self._cue.end_s, self._cue.start_s + MIN_CUE_S)))

    def _until(self, end_s: float) -> _Span:
        cue = self._cue
        return _Span(cue.start_s, end_s, cue.said, cue.sizes)

    def _put(self, cue: _Span) -> None:
        """Write a cue; without a face there is nothing to write."""
        if not cue.said:
            return
        self._number += 1
        tracks = sorted(cue.said, key=lambda t: (-cue.sizes[t], t))
        # Which face is meant needs saying only where there are several.
        lines = [f"#{t} {cue.said[t]}" if len(tracks) > 1 else cue.said[t] for t in tracks]
        times = f"{_stamp(cue.start_s)} --> {_stamp(cue.end_s)}"
        self._output.write("\n".join([str(self._number), times, *lines]) + "\n\n")


def _lines(result: FrameResult) -> Said:
    """What is said of each face of a frame."""
    columns = (result.faces.track_ids.tolist(), result.labels, result.uncertain)
    return {t: f"{label}?" if doubt else label for t, label, doubt in zip(*columns, strict=True)}


def _areas(result: FrameResult) -> dict[int, float]:
    boxes = result.faces.boxes
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return dict(zip(result.faces.track_ids.tolist(), areas.tolist(), strict=True))


def _most(spans: Iterable[_Span]) -> _Span:
    """What is seen most of the time in some spans: each face that is there, with its main line."""
    spans = list(spans)
    start_s, end_s = spans[0].start_s, spans[-1].end_s
    shown: defaultdict[int, Counter[str]] = defaultdict(Counter)
    sizes: defaultdict[int, float] = defaultdict(float)
    for span in spans:
        for track, line in span.said.items():
            shown[track][line] += span.end_s - span.start_s  # type: ignore[assignment]
            sizes[track] += span.sizes[track] * (span.end_s - span.start_s)
    half_s = (end_s - start_s) / 2
    kept = [track for track in shown if shown[track].total() >= half_s]
    said = {track: shown[track].most_common(1)[0][0] for track in kept}
    return _Span(start_s, end_s, said, dict(sizes))


def _stamp(time_s: float) -> str:
    """A time as SubRip writes it; an hour count of more than two digits is read too."""
    seconds, ms = divmod(round(time_s * 1000), 1000)
    minutes, s = divmod(seconds, 60)
    h, m = divmod(minutes, 60)
    return f"{h:02}:{m:02}:{s:02},{ms:03}"
