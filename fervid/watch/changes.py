"""Changes of the faces of one source: who came, who left, whose expression is another one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fervid.records import FrameResult
from fervid.tracks import MEMORY_S

HOLD_S = 0.5  # for which a face or an expression has to be there: what flickers is no change
EPSILON_S = 1e-6  # that times may be off by rounding


@dataclass(frozen=True, slots=True)
class Change:
    """Something is not as it was.

    Attributes:
        event: "came", "left" or "expression".
        time_s: when it was certain, in the source's seconds.
        track: of the face.
        more: what else there is to say, as JSON types.
    """

    event: str
    time_s: float
    track: int
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Face:
    """A face that is followed; `label` is the one that was told, `candidate` that of now."""

    first_s: float
    last_s: float
    frame: int
    came: bool = False
    label: str = ""
    candidate: str = ""
    since_s: float = 0.0


class FaceChanges:
    """Finds the changes between frames.

    A face has come once it has been there for HOLD_S, and has left when it was not seen for
    as long as the tracker remembers it (2 s). Its expression is another one once that label has
    been there, and certain, for HOLD_S. A face may be missed for up to HOLD_S meanwhile.
    """

    def __init__(self) -> None:
        self._faces: dict[int, _Face] = {}
        self._frame = 0

    def update(self, result: FrameResult) -> list[Change]:
        """The changes up to a frame."""
        self._frame += 1
        found = self._forget(result.time_s)
        for i, track in enumerate(result.faces.track_ids.tolist()):
            if track >= 0:
                found += self._see(track, i, result)
        return found

    def lost(self, time_s: float, why: str) -> list[Change]:
        """All faces have left, since the source has.

        Args:
            time_s: when.
            why: "offline" or "ended".
        """
        faces, self._faces = self._faces, {}
        return [_left(track, face, time_s, why) for track, face in faces.items() if face.came]

    def _see(self, track: int, i: int, result: FrameResult) -> list[Change]:
        """What is new about one face, the `i`th of a frame."""
        now_s, label = result.time_s, result.labels[i]
        face = self._faces.setdefault(track, _Face(now_s, now_s, self._frame))
        if (
            face.frame < self._frame - 1 and now_s - face.last_s > HOLD_S + EPSILON_S
        ):  # it was out of sight
            face.candidate = ""
            face.first_s = face.first_s if face.came else now_s
        face.last_s, face.frame = now_s, self._frame
        if result.uncertain[i]:
            face.candidate = ""
        elif label != face.candidate:
            face.candidate, face.since_s = label, now_s
        found = []
        if not face.came and _held(now_s - face.first_s):
            face.came = True
            found.append(Change("came", now_s, track, {"since_s": _s(face.first_s)}))
        new = face.candidate not in ("", face.label)
        if face.came and new and _held(now_s - face.since_s):
            more = {
                "from": face.label or None,
                "to": label,
                "confidence": round(float(result.smoothed[i, result.classes.index(label)]), 4),
                "since_s": _s(face.since_s),
            }
            found.append(Change("expression", now_s, track, more))
            face.label = label
        return found

    def _forget(self, now_s: float) -> list[Change]:
        """Take leave of faces that the tracker has forgotten by now."""
        gone = {t: f for t, f in self._faces.items() if now_s - f.last_s > MEMORY_S}
        for track in gone:
            del self._faces[track]
        return [_left(track, face, now_s, "gone") for track, face in gone.items() if face.came]


def _left(track: int, face: _Face, time_s: float, why: str) -> Change:
    stayed_s = face.last_s - face.first_s
    return Change(
        "left", time_s, track, {"why": why, "last_s": _s(face.last_s), "stayed_s": _s(stayed_s)}
    )


def _held(seconds: float) -> bool:
    return seconds >= HOLD_S - EPSILON_S


def _s(seconds: float) -> float:
    return round(seconds, 3)
