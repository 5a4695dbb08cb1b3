"""fervid's first tracker, kept to measure against: place alone, the nearest first, no motion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fervid.records import F32, Faces

MIN_IOU = 0.2  # boxes that overlap this much may be one face
MAX_DISTANCE = 0.7  # so may boxes whose centres are this near, as a share of the side,
MIN_SIZE_RATIO = 0.6  # and whose sides differ by no more than this


@dataclass(slots=True)
class _Track:
    box: F32
    seen_s: float


def match(known: F32, found: F32) -> list[tuple[int, int]]:
    """Pairs (index in `known`, index in `found`) of boxes that may be one face, best first.

    Greedy: overlapping boxes by IoU, then near boxes of like size by centre distance. Each box
    occurs once at most. Greedy is enough: two faces rarely compete for one place, and the best
    overlap is then the right one.

    Args:
        known: float32 (M, 4).
        found: float32 (N, 4).
    """
    likeness = _likeness(known, found)  # (M, N)
    pairs: list[tuple[int, int]] = []
    while likeness.size and likeness.max() > 0:
        i, j = (int(k) for k in np.unravel_index(likeness.argmax(), likeness.shape))
        pairs.append((i, j))
        likeness[i, :] = likeness[:, j] = 0
    return pairs


def _likeness(known: F32, found: F32) -> NDArray[np.float64]:
    """(M, N): 1 + IoU where boxes overlap enough, 1 - distance where near, 0 elsewhere."""
    a, b = known[:, None].astype(np.float64), found[None].astype(np.float64)  # (M, 1, 4), (1, N, 4)
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    common = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common_px = np.prod(np.maximum(common, 0), axis=-1)  # (M, N)
    either_px = np.prod(size_a, axis=-1) + np.prod(size_b, axis=-1) - common_px
    iou = common_px / np.maximum(either_px, 1e-9)
    side_a, side_b = size_a.max(axis=-1), size_b.max(axis=-1)
    ratio = np.minimum(side_a, side_b) / np.maximum(np.maximum(side_a, side_b), 1e-9)
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    distance = np.hypot(apart[..., 0], apart[..., 1]) * 2 / np.maximum(side_a + side_b, 1e-9)
    near = (distance < MAX_DISTANCE) & (ratio >= MIN_SIZE_RATIO)
    return np.where(iou >= MIN_IOU, 1 + iou, np.where(near, 1 - distance, 0))


class GreedyTracker:
    """Gives faces ids that last; remembers where each face was last seen.

    A face that is gone for longer than `memory_s` is forgotten, and an id is never used again. A
    step back in time (another source, a jump) forgets all faces.

    Args:
        memory_s: seconds that a face may be missing and still be the same one.
    """

    def __init__(self, memory_s: float = 1.0) -> None:
        self._memory_s = memory_s
        self._tracks: dict[int, _Track] = {}
        self._next_id = 0
        self._time_s = -np.inf

    def update(self, faces: Faces, time_s: float) -> Faces:
        """The same faces with their track ids.

        Args:
            faces: of one frame.
            time_s: of that frame.
        """
        back = time_s < self._time_s
        self._time_s = time_s
        self._tracks = {
            track_id: track
            for track_id, track in self._tracks.items()
            if not back and time_s - track.seen_s <= self._memory_s
        }
        known = list(self._tracks)
        last = np.array([self._tracks[i].box for i in known], np.float32).reshape(-1, 4)
        ids = np.full(len(faces), -1, np.int64)
        for i, j in match(last, faces.boxes):
            ids[j] = known[i]
        for new in np.flatnonzero(ids < 0):
            ids[new] = self._next_id
            self._next_id += 1
        for j, track_id in enumerate(ids.tolist()):
            self._tracks[track_id] = _Track(faces.boxes[j], time_s)
        return Faces(faces.boxes, faces.scores, faces.eyes, ids)
