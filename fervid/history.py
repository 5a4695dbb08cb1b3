"""The last frames of a run as the dashboard draws them: their noise, probabilities of faces."""

from collections import deque

import numpy as np

from fervid.records import F32, FrameResult

FRAMES = 240  # that the histories reach back
STEP = 4  # frames of one point of a face's history, of which the last counts


class History:
    """Remembers FRAMES frames, and of each face followed in them a point every STEP frames."""

    def __init__(self) -> None:
        self._severities: deque[float] = deque(maxlen=FRAMES)
        self._times: deque[float] = deque(maxlen=FRAMES)
        self._faces: dict[int, deque[tuple[int, F32]]] = {}
        self._frames = 0

    def observe(self, result: FrameResult) -> None:
        """Take one frame."""
        point = self._frames // STEP
        self._frames += 1
        self._severities.append(result.noise.severity)
        self._times.append(result.time_s)
        for track, row in zip(result.faces.track_ids.tolist(), result.smoothed, strict=True):
            if track < 0:
                continue
            points = self._faces.setdefault(track, deque(maxlen=FRAMES // STEP))
            if points and points[-1][0] == point:
                points.pop()
            points.append((point, row))
        old = [t for t, points in self._faces.items() if points[-1][0] < point - FRAMES // STEP]
        for track in old:
            del self._faces[track]

    @property
    def severities(self) -> tuple[float, ...]:
        """Severity of the noise of each frame, oldest first."""
        return tuple(self._severities)

    @property
    def seconds(self) -> float:
        """From the oldest frame to the newest one."""
        return max(self._times[-1] - self._times[0], 0.0) if self._times else 0.0

    def of(self, track: int) -> tuple[tuple[float, ...], ...]:
        """Probabilities of a face, a tuple a class, oldest first; nothing of one never seen."""
        points = self._faces.get(track)
        if not points:
            return ()
        return tuple(map(tuple, np.array([row for _, row in points]).T.tolist()))
