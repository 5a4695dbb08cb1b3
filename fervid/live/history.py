"""The last minutes of one source: expressions and noise, in steps of half a second."""

from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.records import NOISE_KINDS, FrameResult

STEP_S = 0.5
MOST_STEPS = 600  # five minutes


@dataclass(slots=True)
class _Face:
    """Sums over the frames of one face in a step."""

    probabilities: NDArray[np.float64]
    frames: int = 0
    uncertain: int = 0


@dataclass(slots=True)
class _Step:
    """Sums over the frames of one step."""

    place: int  # of the step, counted from 0 s
    frames: int = 0
    dropped: int = 0
    severity: float = 0.0
    worst: float = 0.0
    quality: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    kinds: Counter[str] = field(default_factory=Counter)
    filters: Counter[str] = field(default_factory=Counter)
    faces: dict[int, _Face] = field(default_factory=dict)


class History:
    """Sums up results as they come, in a memory that does not grow; safe between threads.

    Args:
        step_s: seconds that are one point.
        most_steps: points that are kept; the oldest go first.
    """

    def __init__(self, step_s: float = STEP_S, most_steps: int = MOST_STEPS) -> None:
        self._step_s = step_s
        self._done: deque[dict[str, Any]] = deque(maxlen=most_steps)
        self._count = 0
        self._step: _Step | None = None
        self._lock = Lock()

    def observe(self, result: FrameResult) -> None:
        """Take the result of the next frame."""
        place = int(result.time_s // self._step_s)
        if self._step is None or place != self._step.place:
            self._finish()
            self._step = _Step(place)
        _add(self._step, result)

    def since(self, count: int) -> tuple[int, list[dict[str, Any]]]:
        """The points after so many, as JSON types, and how many there have been by now."""
        with self._lock:
            fresh = min(self._count - count, len(self._done))
            return self._count, list(self._done)[len(self._done) - fresh :]

    def _finish(self) -> None:
        if self._step is None:
            return
        point = _point(self._step, self._step_s)
        with self._lock:
            self._done.append(point)
            self._count += 1


def _add(step: _Step, result: FrameResult) -> None:
    noise = result.noise
    step.frames += 1
    step.dropped += result.dropped
    step.severity += noise.severity
    step.worst = max(step.worst, noise.severity)
    step.quality += noise.quality
    step.kinds[noise.kind] += 1
    step.filters[result.filter_name] += 1
    columns = zip(
        result.faces.track_ids.tolist(), result.smoothed, result.uncertain.tolist(), strict=True
    )
    for track, row, unsure in columns:
        if track < 0:
            continue
        face = step.faces.setdefault(track, _Face(np.zeros(len(row))))
        face.probabilities += row
        face.frames += 1
        face.uncertain += unsure


def _point(step: _Step, step_s: float) -> dict[str, Any]:
    """A step as JSON types: means, the commonest kind and filter, the worst noise."""
    n = step.frames
    return {
        "t": step.place * step_s + step_s / 2,
        "frames": n,
        "dropped": step.dropped,
        "severity": round(step.severity / n, 4),
        "worst": round(step.worst, 4),
        "quality": [round(q, 3) for q in (step.quality / n).tolist()],
        "kind": NOISE_KINDS.index(step.kinds.most_common(1)[0][0]),
        "filter": step.filters.most_common(1)[0][0],
        "faces": {
            str(track): {
                "p": [round(p, 3) for p in (face.probabilities / face.frames).tolist()],
                "unsure": round(face.uncertain / face.frames, 2),
            }
            for track, face in step.faces.items()
        },
    }
