"""Stable identities for faces from frame to frame, by motion and by looks.

Each face has a place and a velocity that dies away: people start and stop. From how uncertain the
place has become since the face was last seen, how far a found face lies from it, and how much it
looks like it follows how much more likely "the same face" is than "another face"; the assignment
that is most likely as a whole is taken, and a face that is more likely another one gets a new id.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fervid.appearance import U8, describe, likeness
from fervid.assignment import assign
from fervid.records import F32, Faces

F64 = NDArray[np.float64]

MEMORY_S = 2.0  # seconds that a face may be missing and come back as itself
# Lengths are in sides of the face. Chosen with tests/bench/tracking.py, on half of its casts.
SPEED = 3.0  # sides a second, standard deviation of how fast faces move, shaking cameras included
STEADY_S = 0.3  # seconds for which a velocity is kept
JITTER = 0.12  # standard deviation of a box's centre: heads turn, and hands hide parts of them
RESIZE = 0.08  # standard deviation of ln(side) from frame to frame,
RESIZE_SPEED = 0.4  # and after a second
TAIL = 1.0  # degrees of freedom of the distance (Student's t): sudden moves happen
FAR = 6.0  # standard deviations that a face may lie from where it is expected
ODDS = 7.0  # -ln of the likelihood at which "another face" is as likely
ALIKE = 0.25  # Hellinger distance of two looks that speaks neither for nor against one face
LOOKS_WEIGHT = 20.0  # ln of the likelihood ratio by which one unit of that distance counts
MOST_FOR, MOST_AGAINST = 3.0, 8.0  # bounds of what looks may say
RENEW_S = 1.0  # seconds in which the remembered looks follow the face


@dataclass(slots=True)
class _Track:
    """One remembered face; `p_*` are (co)variances of place and velocity, in sides."""

    centre: F64
    velocity: F64
    side: float
    p_place: float
    p_both: float
    p_velocity: float
    seen_s: float
    look: F32 | None


@dataclass(frozen=True, slots=True)
class _Forecast:
    """Where a track is expected after a time."""

    centre: F64
    velocity: F64
    p_place: float
    p_both: float
    p_velocity: float


def forecast(track: _Track, wait_s: float) -> _Forecast:
    """Place and velocity after `wait_s` seconds.

    Source: integrated Ornstein-Uhlenbeck process (the Singer model without acceleration): the
        velocity falls as exp(-t / STEADY_S) and is stirred so that its deviation stays SPEED.
    """
    e, q = math.exp(-wait_s / STEADY_S), SPEED * SPEED
    reach = STEADY_S * (1 - e)
    drift = STEADY_S * STEADY_S * (2 * wait_s / STEADY_S - 3 + 4 * e - e * e)
    return _Forecast(
        track.centre + reach * track.velocity,
        e * track.velocity,
        track.p_place + 2 * reach * track.p_both + reach**2 * track.p_velocity + q * drift,
        e * (track.p_both + reach * track.p_velocity) + q * reach * (1 - e),
        e * e * track.p_velocity + q * (1 - e * e),
    )


def _renewed(old: F32 | None, new: F32 | None, wait_s: float) -> F32 | None:
    """The remembered looks after `wait_s` seconds; a face that cannot be told leaves the old."""
    if new is None or not new.any():
        return old
    if old is None or not old.any():
        return new
    return old + np.float32(1 - math.exp(-wait_s / RENEW_S)) * (new - old)


class FaceTracker:
    """Gives faces ids that last.

    A face that is gone for longer than `memory_s` is forgotten, and an id is never used again. A
    step back in time (another source, a jump) forgets all faces. A face that comes back after a
    gap keeps its id only if it looks the same; when in doubt it gets a new one, since two rows of
    one person are easier to mend than one row of two.

    Args:
        memory_s: seconds that a face may be missing and still be the same one.
    """

    def __init__(self, memory_s: float = MEMORY_S) -> None:
        if memory_s < 0:
            raise ValueError("memory_s must not be negative")
        self._memory_s = memory_s
        self._tracks: dict[int, _Track] = {}
        self._next_id = 0
        self._time_s = -np.inf

    def update(self, faces: Faces, time_s: float, bgr: U8 | None = None) -> Faces:
        """The same faces with their track ids.

        Args:
            faces: of one frame.
            time_s: of that frame.
            bgr: uint8 (H, W, 3), that frame; without it faces are followed by place alone.
        """
        back = time_s < self._time_s
        self._time_s = time_s
        self._tracks = {
            track_id: track
            for track_id, track in self._tracks.items()
            if not back and time_s - track.seen_s <= self._memory_s
        }
        looks = None if bgr is None else describe(bgr, faces.boxes)
        known = list(self._tracks)
        expected = [forecast(track, time_s - track.seen_s) for track in self._tracks.values()]
        ids = np.full(len(faces), -1, np.int64)
        ahead: dict[int, _Forecast] = {}
        for i, j in assign(self._costs(expected, faces.boxes, looks), ODDS):
            ids[j] = known[i]
            ahead[j] = expected[i]
        for j in range(len(faces)):
            if ids[j] < 0:
                ids[j] = self._next_id
                self._next_id += 1
            look = None if looks is None else looks[j]
            self._learn(int(ids[j]), ahead.get(j), faces.boxes[j].astype(np.float64), look)
        return Faces(faces.boxes, faces.scores, faces.eyes, ids)

    def _costs(self, expected: list[_Forecast], boxes: F32, looks: F32 | None) -> F64:
        """(M, N): -ln of the likelihood that a track is a face; inf where it cannot be."""
        tracks = list(self._tracks.values())
        if not tracks or not len(boxes):
            return np.zeros((len(tracks), len(boxes)))
        found = boxes.astype(np.float64)
        centre = (found[:, :2] + found[:, 2:]) / 2  # (N, 2)
        side = (found[:, 2:] - found[:, :2]).max(1)  # (N,)
        sides = np.array([t.side for t in tracks])[:, None]  # (M, 1)
        waits = self._time_s - np.array([t.seen_s for t in tracks])[:, None]
        place = np.array([f.centre for f in expected])[:, None]  # (M, 1, 2)
        spread = np.array([f.p_place for f in expected])[:, None] + JITTER**2  # (M, 1)
        away = (((centre - place) / sides[..., None]) ** 2).sum(2) / spread  # (M, N)
        ratio = np.log(side / sides) ** 2 / (RESIZE**2 + RESIZE_SPEED**2 * waits)
        costs = (TAIL + 2) / 2 * np.log1p(away / TAIL) + np.log(spread / JITTER**2) + ratio / 2
        if looks is not None:
            costs -= self._looks_say(tracks, looks)
        costs[(away > FAR**2) | (ratio > FAR**2)] = np.inf
        return np.asarray(costs, np.float64)

    @staticmethod
    def _looks_say(tracks: list[_Track], looks: F32) -> F64:
        """(M, N): ln of how much likelier the looks are if track and face are one person."""
        nothing = np.zeros(looks.shape[1], np.float32)
        known = np.array([nothing if t.look is None else t.look for t in tracks])
        apart = np.sqrt(np.maximum(1 - likeness(known, looks), 0)).astype(np.float64)
        say = (LOOKS_WEIGHT * (ALIKE - apart)).clip(-MOST_AGAINST, MOST_FOR)
        say[~known.any(1)] = say[:, ~looks.any(1)] = 0
        return np.asarray(say, np.float64)

    def _learn(self, track_id: int, ahead: _Forecast | None, box: F64, look: F32 | None) -> None:
        """Correct the track by the face that was found (Kalman), or begin it."""
        centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
        old = self._tracks.get(track_id)
        if old is None or ahead is None:
            self._tracks[track_id] = _Track(
                centre, np.zeros(2), side, JITTER**2, 0.0, SPEED**2, self._time_s, look
            )
            return
        total = ahead.p_place + JITTER**2
        gain, gain_v = ahead.p_place / total, ahead.p_both / total
        off = centre - ahead.centre
        look = _renewed(old.look, look, self._time_s - old.seen_s)
        self._tracks[track_id] = _Track(
            ahead.centre + gain * off,
            ahead.velocity + gain_v * off,
            side,
            (1 - gain) * ahead.p_place,
            (1 - gain) * ahead.p_both,
            ahead.p_velocity - gain_v * ahead.p_both,
            self._time_s,
            look,
        )
