"""Moments worth a look: where a face changes its expression, and where fervid is least certain.

They are chosen while the run goes on, with a picture of the face each, and never are more than a
few dozen, however long it lasts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.records import F32, FrameResult
from fervid.report.regions import small

U8 = NDArray[np.uint8]

HOLD_S = 0.4  # that a label has to last to be a change; a flicker shorter than that is none
APART_S = 2.0  # between two of one track's least certain moments
MOST_CHANGES = 48
MOST_DOUBTS = 12
GONE_S = 30.0  # after which a face that comes back is a new one here
PICTURE_PX = 112
OUTSIDE = 128  # grey level beyond the frame


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One face at one moment.

    Attributes:
        time_s: of the frame.
        track: of the face.
        label: its label.
        before: the label before; "" where the face is seen for the first time.
        confidence: calibrated, 0-1.
        second: the next most probable class and its calibrated probability; None where the model
            knows one class alone.
        reasons: why the label is uncertain; none where it is not.
        picture: uint8 (PICTURE_PX, PICTURE_PX, 3), BGR; None where none may be kept.
        heat: float32 (24, 24), 0-1; None where there is none.
        map: its kind and the class that was chosen for it, as of `FrameResult`.
    """

    time_s: float
    track: int
    label: str
    before: str
    confidence: float
    second: tuple[str, float] | None = None
    reasons: tuple[str, ...] = ()
    picture: U8 | None = None
    heat: F32 | None = None
    map: tuple[str, str] = ("", "")


@dataclass(slots=True)
class _Face:
    """What a track shows (`label`), and the label that may take its place since `since_s`."""

    label: str
    coming: str
    since_s: float
    seen_s: float


class Moments:
    """Chooses moments.

    Args:
        pictures: keep pictures of the faces.
        most_changes: kept of the changes; those that lie closest together go first.
        most_doubts: kept of the least certain moments.
    """

    def __init__(
        self,
        *,
        pictures: bool,
        most_changes: int = MOST_CHANGES,
        most_doubts: int = MOST_DOUBTS,
    ) -> None:
        self._pictures = pictures
        self._most_changes, self._most_doubts = most_changes, most_doubts
        self._faces: dict[int, _Face] = {}
        self.changes: list[Moment] = []
        self.doubts: list[Moment] = []
        self.n_changes = 0

    def observe(self, result: FrameResult, bgr: U8 | None = None) -> None:
        """Take one frame.

        Args:
            result: of the frame.
            bgr: uint8 (H, W, 3), the frame; None where it is not at hand.
        """
        now = result.time_s
        self._faces = {t: f for t, f in self._faces.items() if abs(now - f.seen_s) <= GONE_S}
        for i, track in enumerate(result.faces.track_ids.tolist()):
            if track < 0:
                continue
            moment = _moment(result, i, track)
            before = self._change(track, moment)
            if before is not None:
                self.n_changes += 1
                found = replace(moment, before=before)
                self.changes.append(self._complete(found, result, i, bgr))
                if len(self.changes) > self._most_changes:
                    self.changes.pop(_closest(self.changes))
            if self._is_doubt(moment):
                self.doubts.append(self._complete(moment, result, i, bgr))

    def _change(self, track: int, moment: Moment) -> str | None:
        """The label that this moment's has taken the place of; None if it has not."""
        label, now = moment.label, moment.time_s
        face = self._faces.get(track)
        if face is None:
            self._faces[track] = _Face(label, label, now, now)
            return ""
        face.seen_s = now
        if label != face.coming:
            face.coming, face.since_s = label, now
        if label == face.label or now - face.since_s < HOLD_S - 1e-6:
            return None
        before, face.label = face.label, label
        return before

    def _is_doubt(self, moment: Moment) -> bool:
        """Whether a moment is among the least certain; makes room for it if so."""
        near = [
            m
            for m in self.doubts
            if m.track == moment.track and abs(m.time_s - moment.time_s) < APART_S
        ]
        if any(m.confidence <= moment.confidence for m in near):
            return False
        if not near and len(self.doubts) >= self._most_doubts:
            near = [max(self.doubts, key=lambda m: m.confidence)]
            if near[0].confidence <= moment.confidence:
                return False
        self.doubts = [m for m in self.doubts if m not in near]
        return True

    def _complete(self, moment: Moment, result: FrameResult, i: int, bgr: U8 | None) -> Moment:
        """A moment with its map, and its picture if it may have one."""
        heat = result.heatmaps[i]
        picture = cut(bgr, result.crop_boxes[i]) if self._pictures and bgr is not None else None
        return replace(moment, picture=picture, heat=small(heat) if heat.any() else None)


def _moment(result: FrameResult, i: int, track: int) -> Moment:
    label, row = result.labels[i], result.smoothed[i]
    first = result.classes.index(label)
    others = [k for k in np.argsort(-row, kind="stable").tolist() if k != first]
    return Moment(
        time_s=result.time_s,
        track=track,
        label=label,
        before="",
        confidence=float(row[first]),
        second=(result.classes[others[0]], float(row[others[0]])) if others else None,
        reasons=result.reasons[i] if result.uncertain[i] else (),
        map=(result.cam, result.target),
    )


def _closest(moments: Sequence[Moment]) -> int:
    """Which of these, in the order of time, tells least: of the track that has most, the one that
    follows its predecessor soonest; where no track has two, of all.
    """  # noqa: D205
    track, most = Counter(m.track for m in moments).most_common(1)[0]
    places = [n for n, m in enumerate(moments) if most == 1 or m.track == track]
    gaps = [(moments[b].time_s - moments[a].time_s, b) for a, b in pairwise(places)]
    return min(gaps)[1] if gaps else 0


def cut(bgr: U8, region: F32) -> U8:
    """A square region of a frame as a picture of PICTURE_PX, grey where it is beyond the frame.

    Args:
        bgr: uint8 (H, W, 3).
        region: float32 (4,), as of `FrameResult.crop_boxes`.
    """
    h, w = bgr.shape[:2]
    x, y = round(float(region[0])), round(float(region[1]))
    side = max(1, round(float(region[2] - region[0])))
    out = np.full((side, side, 3), OUTSIDE, np.uint8)
    x0, y0, x1, y1 = max(0, x), max(0, y), min(w, x + side), min(h, y + side)
    if x0 < x1 and y0 < y1:
        out[y0 - y : y1 - y, x0 - x : x1 - x] = bgr[y0:y1, x0:x1]
    how = cv2.INTER_AREA if side > PICTURE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(out, (PICTURE_PX, PICTURE_PX), interpolation=how), np.uint8)
