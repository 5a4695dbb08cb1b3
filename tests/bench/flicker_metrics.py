"""How much a heatmap flickers, and how long it takes to follow a face that changes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fervid.explain import HeatmapStream, aligned
from fervid.records import F32
from train.metrics import drift

SETTLED_S = 1.0  # of each stretch, its end: by then the map shows the face that is there


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """The class activation maps of one face over time, as the network gave them.

    `cams` float32 (T, h, w); `times_s` float64 (T,), rising; `ids` int64 (T,), the track's; `cut`:
    index of the first frame that shows another face, None where none does.
    """

    cams: F32
    times_s: np.ndarray
    ids: np.ndarray
    cut: int | None = None

    def every(self, step: int) -> "Maps":
        """The same at a lower frame rate; `step` must divide `cut`."""
        cut = None if self.cut is None else self.cut // step
        return Maps(self.cams[::step], self.times_s[::step], self.ids[::step], cut)


def shown(maps: Maps, smooth_s: float, px: int) -> F32:
    """What is laid over the face, float32 (T, px, px), 0-1."""
    stream = HeatmapStream(smooth_s)
    heat = [
        stream.update(cam[None], np.array([track]), float(time_s))[0]
        for cam, track, time_s in zip(maps.cams, maps.ids, maps.times_s, strict=True)
    ]
    return aligned(np.stack(heat), px)


def settled(maps: Maps) -> list[slice]:
    """The frames of each stretch in which nothing moves any more: its last SETTLED_S."""
    ends = [len(maps.cams)] if maps.cut is None else [maps.cut, len(maps.cams)]
    found = []
    for end in ends:
        first = int(np.searchsorted(maps.times_s, maps.times_s[end - 1] - SETTLED_S))
        found.append(slice(first, end))
    return found


def flicker(heat: F32, parts: Sequence[slice]) -> float:
    """Mean DC (1 - SSIM, `train.metrics.drift`) from one frame to the next within some parts."""
    moved = [drift(heat[part][:-1], heat[part][1:])[0] for part in parts]
    return float(np.concatenate(moved).mean())


def lag_s(heat: F32, maps: Maps) -> float:
    """Seconds after the cut until the map is nearer to the new face's, by DC, and stays so.

    Counted from the last frame of the old face: never less than one frame. Infinite if it never
    comes nearer. The faces' own maps are the means of the settled parts.
    """
    if maps.cut is None:
        raise ValueError("maps: expected a cut")
    old, new = (heat[part].mean(0) for part in settled(maps))
    after = heat[maps.cut :]
    to_old, to_new = (drift(after, np.broadcast_to(own, after.shape))[0] for own in (old, new))
    behind = np.flatnonzero(to_new >= to_old)
    first = maps.cut + (int(behind[-1]) + 1 if len(behind) else 0)
    if first == len(heat):
        return float("inf")
    return float(maps.times_s[first] - maps.times_s[maps.cut - 1])
