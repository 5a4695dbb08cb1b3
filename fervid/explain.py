"""What is shown of a face over time: probabilities and heatmaps, smoothed per track.

Smoothing is exponential in time, not in frames: after dt seconds the past weighs exp(-dt / tau),
so irregular or dropped frames do not change its speed. The first value of a track is itself. A
face that comes back with its id is smoothed with what it showed before it was missed, which by then
weighs little: nothing else needs to decide when it begins anew.

The memory is finite: what lies FORGOTTEN time constants back weighs less than 1 %. By default that
is 1 s for a heatmap, 3 s for its range and 2.5 s for probabilities.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.config import ExplainConfig
from fervid.records import F32
from fervid.tracks import MEMORY_S

LOW, HIGH = 10, 95  # percentiles of a map that become 0 and 1: no single cell sets the scale
MIN_CONTRAST = 0.05  # least range, as a share of the high percentile: a flat map stays cold
LEAST_SPAN = 1e-6  # in the map's own units, those of logits: less is rounding
SCALE_SLOWER = 3.0  # a track's range moves this much slower than its map
DEFAULT_S = ExplainConfig().heatmap_smooth_s
FORGOTTEN = 5.0  # time constants after which a value weighs exp(-5) = .7 %


@dataclass(slots=True)
class _Memory:
    value: F32
    seen_s: float
    before: "_Memory | None" = None  # what was known before this value came


class TrackAverage:
    """An exponential average of one array per track.

    Args:
        time_constant_s: seconds after which the past weighs 1/e; 0: no smoothing.
        memory_s: seconds without a value after which a track is forgotten.
    """

    def __init__(self, time_constant_s: float, memory_s: float) -> None:
        if time_constant_s < 0 or memory_s < 0:
            raise ValueError("time_constant_s and memory_s must not be negative")
        self._tau_s = time_constant_s
        self._memory_s = memory_s
        self._tracks: dict[int, _Memory] = {}

    def update(self, values: F32, track_ids: NDArray[np.int64], time_s: float) -> F32:
        """The averages of the tracks that these values belong to.

        A negative id (not followed) is passed through. A track whose last value lies in the
        future (a jump back) or whose shape has changed starts anew. A value for the time of the
        last one takes its place, as when a frame is analysed again.

        Args:
            values: float32 (N, ...).
            track_ids: int64 (N,).
            time_s: of these values.

        Returns:
            float32 (N, ...), a new array.
        """
        self._tracks = {
            i: m for i, m in self._tracks.items() if 0 <= time_s - m.seen_s <= self._memory_s
        }
        out = np.array(values, np.float32)
        for k, track_id in enumerate(track_ids.tolist()):
            if track_id < 0:
                continue
            past = self._tracks.get(track_id)
            if past is not None and past.seen_s == time_s:
                past = past.before
            if past is not None and past.value.shape == out[k].shape and self._tau_s > 0:
                weight = math.exp(-(time_s - past.seen_s) / self._tau_s)
                out[k] += np.float32(weight) * (past.value - out[k])
            before = _Memory(past.value, past.seen_s) if past is not None else None
            self._tracks[track_id] = _Memory(out[k].copy(), time_s, before)
        return out

    def last(self, track_id: int, time_s: float) -> F32 | None:
        """The average of a track as it was last; None where it is forgotten."""
        found = self._tracks.get(track_id)
        if found is None or not 0 <= time_s - found.seen_s <= self._memory_s:
            return None
        return found.value


class ProbabilityStream(TrackAverage):
    """Smooths probabilities float32 (N, K) per track; each result sums to 1 as its input does."""

    def __init__(self, time_constant_s: float = 0.5, memory_s: float = MEMORY_S) -> None:
        super().__init__(time_constant_s, memory_s)


class HeatmapStream:
    """Turns class activation maps into heatmaps 0-1 that do not flicker.

    Two measures against flicker: the map itself is smoothed, and its range (two percentiles) is
    smoothed per track too, and slower, so one bright cell in one frame does not dim the rest.

    Args:
        time_constant_s: of the map; the range takes SCALE_SLOWER times as long.
        memory_s: seconds without a map after which a track is forgotten.
    """

    def __init__(self, time_constant_s: float = DEFAULT_S, memory_s: float = MEMORY_S) -> None:
        self._maps = TrackAverage(time_constant_s, memory_s)
        self._ranges = TrackAverage(time_constant_s * SCALE_SLOWER, memory_s)
        self._held = TrackAverage(0.0, memory_s)  # what was shown last
        self._cells = (1, 1)

    def held(self, track_ids: NDArray[np.int64], time_s: float) -> F32:
        """The heatmaps that these faces had last, as where no new ones were made; 0 without any.

        Args:
            track_ids: int64 (N,).
            time_s: of the frame.

        Returns:
            float32 (N, h, w), 0-1.
        """
        out = np.zeros((len(track_ids), *self._cells), np.float32)
        for k, track_id in enumerate(track_ids.tolist()):
            last = self._held.last(track_id, time_s)
            if last is not None and last.shape == self._cells:
                out[k] = last
        return out

    def update(self, cams: F32, track_ids: NDArray[np.int64], time_s: float) -> F32:
        """Heatmaps of these faces.

        Args:
            cams: float32 (N, h, w), one map a face, not negative; a value that is no number
                counts as 0.
            track_ids: int64 (N,).
            time_s: of the frame.

        Returns:
            float32 (N, h, w), 0-1; all 0 for a flat map.
        """
        cams = np.nan_to_num(cams, nan=0.0, posinf=0.0, neginf=0.0)
        smooth = self._maps.update(cams, track_ids, time_s)
        if not len(cams):
            return smooth
        ends = np.percentile(smooth, (LOW, HIGH), axis=(1, 2)).T.astype(np.float32)  # (N, 2)
        low, high = self._ranges.update(ends, track_ids, time_s).T[:, :, None, None]  # (N, 1, 1)
        span = np.maximum(high - low, MIN_CONTRAST * np.abs(high))
        heat = (smooth - low) / np.maximum(span, LEAST_SPAN)
        self._cells = heat.shape[1:]
        return self._held.update(heat.clip(0, 1), track_ids, time_s)


class MapBudget:
    """Decides which frames get new heatmaps: one of so many, and those in which something is new.

    Frames may be asked about before those before them are known, so a map may come a frame or two
    after the change that it is for.

    Args:
        every: one frame of so many; 0: only where a face is new or its label has changed.
        before: frames that were left to others.
    """

    def __init__(self, every: int, before: int = 0) -> None:
        self._every = every
        self._labels: dict[int, str] = {}
        self._due, self._frames = False, before

    def wants(self, track_ids: NDArray[np.int64]) -> bool:
        """Whether the next frame gets new heatmaps.

        Args:
            track_ids: int64 (N,), of its faces; negative for one that is not followed.
        """
        turn = self._every and self._frames % self._every == 0
        self._frames += 1
        if self._due or turn:
            self._due = False
            return True
        return any(track_id not in self._labels for track_id in track_ids.tolist())

    def saw(self, track_ids: NDArray[np.int64], labels: Sequence[str]) -> None:
        """Note a frame's labels, one a face."""
        ids = track_ids.tolist()
        known = self._labels
        changed = (known.get(i, label) != label for i, label in zip(ids, labels, strict=True))
        self._due = any(changed) or self._due
        self._labels = {i: label for i, label in zip(ids, labels, strict=True) if i >= 0}


def aligned(heatmaps: F32, px: int) -> F32:
    """Heatmaps enlarged to the crop, each cell where the network looked.

    A convolution of stride 2 with padding 1 centres its output i on input 2 i, so with a total
    stride of s cell i lies on pixel s i of the crop, not in the middle of the i-th s-th of it;
    stretching the map over the crop would show it s / 2 too far right and down.

    Args:
        heatmaps: float32 (N, h, w), 0-1.
        px: side of the crop, a multiple of h and w.

    Returns:
        float32 (N, px, px), 0-1.
    """
    out = np.zeros((len(heatmaps), px, px), np.float32)
    for k, heatmap in enumerate(heatmaps):
        h, w = heatmap.shape
        place = np.array([[w / px, 0, 0], [0, h / px, 0]], np.float64)  # pixel -> cell
        cv2.warpAffine(
            heatmap,
            place,
            (px, px),
            dst=out[k],
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return out.clip(0, 1)
