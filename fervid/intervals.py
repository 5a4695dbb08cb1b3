"""Rows as intervals of time: from when to when a face wore an expression, and was uncertain."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

HOLE_S = 0.5  # a face that is away for longer ends its interval


@dataclass(frozen=True, slots=True)
class Interval:
    """Something that holds for a while.

    Attributes:
        start_s: when it begins, seconds.
        end_s: when it ends; the next one of its row may begin then.
        value: what holds: a label, or why a label is uncertain.
    """

    start_s: float
    end_s: float
    value: str


@dataclass(slots=True)
class _Run:
    """Frames in a row of which the same holds; `why` counts their reasons."""

    value: str
    start_s: float
    end_s: float
    why: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class TrackRuns:
    """Of one face: runs of the same label, and runs of frames that are uncertain."""

    labels: list[_Run] = field(default_factory=list)
    doubts: list[_Run] = field(default_factory=list)


class Intervals:
    """Collects the frames of one source, in their order, and makes intervals of them.

    A frame lasts until the next one. Memory grows with the changes, not with the frames.

    Args:
        frame_s: how long the last frame lasts, seconds.
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._hole_s = max(HOLE_S, 1.5 * frame_s)
        self._tracks: dict[int, TrackRuns] = {}
        self._shown: Mapping[str, Any] | None = None

    def add(self, line: Mapping[str, Any]) -> None:
        """Take a frame as a journal has it."""
        if self._shown is not None:
            # Nothing is known of the time in which a live source was away.
            self._hold(self._shown, min(line["time_s"], self._shown["time_s"] + self._hole_s))
        self._shown = line

    def tracks(self, least_s: float) -> Iterator[tuple[int, list[Interval], list[Interval]]]:
        """Yield each face's number, its labels and its doubts.

        Args:
            least_s: shorter runs are left out; where the same value stands on both sides of one, it
                is one interval.
        """
        if self._shown is not None:
            self._hold(self._shown, self._shown["time_s"] + self._frame_s)
            self._shown = None
        for track in sorted(self._tracks):
            runs = self._tracks[track]
            labels = _settled(runs.labels, least_s, max(self._hole_s, least_s))
            # A time without doubt is no hole in a doubt, unless it is too short to count.
            yield track, labels, _settled(runs.doubts, least_s, least_s)

    def _hold(self, line: Mapping[str, Any], until_s: float) -> None:
        """Note what holds from a frame's time until another."""
        for face in line["faces"]:
            if face["track"] < 0:  # nobody knows yet whose it is
                continue
            runs = self._tracks.setdefault(face["track"], TrackRuns())
            now = _Run(face["label"], line["time_s"], until_s)
            _extend(runs.labels, now, self._hole_s)
            if face["uncertain"]:
                why = Counter(face["reasons"])
                _extend(runs.doubts, _Run("uncertain", now.start_s, until_s, why), 0.0)


def _extend(runs: list[_Run], frame: _Run, hole_s: float) -> None:
    """Add a frame to the last run, or begin a new one with it."""
    last = runs[-1] if runs else None
    if last is None or last.value != frame.value or frame.start_s - last.end_s > hole_s:
        runs.append(frame)
        return
    last.end_s = frame.end_s
    last.why.update(frame.why)


def _settled(runs: list[_Run], least_s: float, join_s: float) -> list[Interval]:
    """The runs that last, as intervals.

    The shortest run that is too short is taken away first, and what lies on both sides of it
    becomes one run if it has one value; so a flicker does not cut an expression into parts too
    short to count.

    Args:
        runs: in their order.
        least_s: shorter ones are taken away.
        join_s: runs of one value with no more than that between them are one.
    """
    chain = _Chain(runs, join_s)
    heap = [(run.end_s - run.start_s, n) for n, run in chain.runs.items()]
    heapq.heapify(heap)
    while heap:
        length_s, n = heapq.heappop(heap)
        if length_s >= least_s - 1e-6:
            break
        run = chain.runs.get(n)
        if run is not None and run.end_s - run.start_s == length_s:  # it has not grown since
            grown = chain.drop(n)
            if grown is not None:
                run = chain.runs[grown]
                heapq.heappush(heap, (run.end_s - run.start_s, grown))
    return [Interval(r.start_s, r.end_s, _said(r)) for r in chain.runs.values()]


class _Chain:
    """Runs by number, in their order, of which each knows its neighbours."""

    def __init__(self, runs: list[_Run], join_s: float) -> None:
        self._join_s = join_s
        joined: list[_Run] = []
        for run in runs:
            if not (joined and self._joins(joined[-1], run)):
                joined.append(run)
        self.runs = dict(enumerate(joined))
        self._before = {n: n - 1 for n in self.runs}
        self._after = {n: n + 1 for n in self.runs}

    def drop(self, n: int) -> int | None:
        """Take a run away; returns the run before it if that now is one with the run after it."""
        before, after = self._before[n], self._after[n]
        self._unlink(n)
        one, two = self.runs.get(before), self.runs.get(after)
        if one is None or two is None or not self._joins(one, two):
            return None
        self._unlink(after)
        return before

    def _joins(self, one: _Run, two: _Run) -> bool:
        """Whether two runs are one, which the first then holds."""
        if one.value != two.value or two.start_s - one.end_s > self._join_s:
            return False
        one.end_s = two.end_s
        one.why.update(two.why)
        return True

    def _unlink(self, n: int) -> None:
        before, after = self._before.pop(n), self._after.pop(n)
        del self.runs[n]
        if before in self.runs:
            self._after[before] = after
        if after in self.runs:
            self._before[after] = before


def _said(run: _Run) -> str:
    """A label; or the reasons of a doubt, the commonest first."""
    return "+".join(reason for reason, _ in run.why.most_common()) or run.value
