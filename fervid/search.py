"""How `auto` looks for faces: which looks a frame gets, and what counts as a face in them.

A clear frame is looked at as a whole by both models and in tiles, where small faces are large
enough: all of it in the first frame, as of a single picture; after that by the looks that find the
faces, and by the others in turn. A face that was not there just before is looked at again from near
by both models, and one of them says no to nearly everything that is no face. In noise tiles show
nothing, and in deep noise only the short-range model on the reduced whole frame finds faces: there
a new face must be found in two frames, since noise changes and faces stay.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fervid.looks import (
    MEDIAN_GAIN,
    Look,
    chosen,
    close_up,
    joined,
    overlaps,
    same_face,
    tiles,
    whole,
)
from fervid.records import F32, Faces, Noise

See = Callable[[Look], Faces]  # what a look finds: by falling score, in pixels of the frame

# Chosen on FER2013's training faces and whole heads, 20-160 px, pasted into frames, on 40 pictures
# without faces (textures, objects, blurs), and on frames of nine clips and of a painted sky, clean
# and with the paper's noises. Scores hold for a least score of .5 and move with it.
USUAL_SCORE = 0.5
FULL_SHARE = 0.6  # of the least score: full range, which at .5 misses tightly cut faces
SURE = 0.85  # of a look at the whole frame, which then needs no second one
NEAR, NEAR_FROM = 2.0, 0.7  # window of the close-up in sides of the face; short range
WIDE, WIDE_FROM = 5.0, 0.4  # the same for full range
SAME_PLACE = 0.4  # IoU from which a close-up shows the candidate
DEEP = 0.2  # RMS noise (impulses: left by the median) above which close-ups show no face at all
KNOWN_FROM = 0.3  # IoU with a face of the last frames from which a candidate is that face
KNOWN_FOR = 5  # frames for which a face is known after it was last found
DOUBTED_FROM = 0.5  # IoU with a candidate that was no face: the same candidate
DOUBTED_FOR = 5  # frames for which it is not looked at again
WORKS_FOR = 15  # frames for which a look is taken after it last found a face
SMALLEST = 0.045  # of the frame's longer side: width of heads that the whole look still finds
TURN_EVERY = 3  # frames between two looks that are taken in turn


@dataclass(frozen=True, slots=True)
class Terms:
    """What counts as a face in a frame.

    `score` is the least one of a new face, `frame_score` that of one that was there before; faces
    are at least `min_px` wide. A `clear` frame has no noise, a `deep` one too much for close-ups.
    """

    score: float
    frame_score: float
    min_px: float
    clear: bool
    deep: bool

    @classmethod
    def of(cls, noise: Noise, score: float, noisy_score: float, min_px: float) -> "Terms":
        """For a frame with this noise; `score` is for clean frames, `noisy_score` for others."""
        clear = noise.kind == "clean"
        left = noise.severity * (MEDIAN_GAIN if noise.kind == "salt_pepper" else 1)
        return cls(score, score if clear else noisy_score, min_px, clear, left > DEEP)

    def least(self, value: float) -> float:
        """A least score that was chosen for USUAL_SCORE."""
        return min(value * self.score / USUAL_SCORE, (1 + value) / 2)

    def least_of(self, look: Look) -> float:
        """The least score of a candidate that a look finds."""
        return self.frame_score if look.model == "short" else FULL_SHARE * self.frame_score


class FaceSearch:
    """Remembers of a source where its faces were and which looks found them.

    It depends on the frames alone, not on a clock. Frames of another size begin anew.

    Args:
        before: frames of the source that are left to others; which look has its turn is counted
            from its first one.
    """

    def __init__(self, before: int = 0) -> None:
        self._size, self._new, self._before = (0, 0), True, before
        self._forget()

    def _forget(self) -> None:
        self._plan: tuple[Look, ...] = ()
        self._idle: dict[Look, int] = {}  # frames since a look last found a face
        self._known = np.zeros((0, 4), np.float32)
        self._unseen = np.zeros(0, np.int64)  # frames since each of them was last found
        self._doubted: list[tuple[F32, int]] = []  # candidates that were no faces, and their frame
        self._frames = self._before

    def faces(self, see: See, size: tuple[int, int], terms: Terms) -> Faces:
        """The faces of the next frame, one look after the other; each face is taken once.

        Args:
            see: takes a look at this frame.
            size: height and width of the frame.
            terms: what counts as a face in it.
        """
        self._frames += 1
        self._new = size != self._size
        if self._new:
            self._forget()
            self._size = size
        plan = _plan(size, terms)
        if plan != self._plan:
            self._plan, self._idle = plan, {}
        looks = list(plan) if self._new else self._looks()
        self._doubted = [d for d in self._doubted if self._frames - d[1] <= DOUBTED_FOR]
        found = self._take(Faces.empty(), looks, see, terms)
        if self._lost(found):
            rest = [look for look in plan[:2] if look not in looks]
            found = self._take(found, rest, see, terms)
        self._remember(found)
        return found

    def _looks(self) -> list[Look]:
        """The looks that found faces lately, else the first; now and then another one."""
        looks = [look for look in self._plan if self._idle.get(look, WORKS_FOR) < WORKS_FOR]
        looks = looks or [self._plan[0]]
        turn, left = divmod(self._frames, TURN_EVERY)
        wholes = [look for look in self._plan[:2] if look not in looks]
        parts = [look for look in self._plan[2:] if look not in looks]
        others = wholes if (turn % 2 and wholes) or not parts else parts
        if not left and others:
            looks.append(others[turn // 2 % len(others)])
        return looks

    def _take(self, found: Faces, looks: list[Look], see: See, terms: Terms) -> Faces:
        """The faces that were found and those that these looks add."""
        for look in looks:
            self._idle[look] = self._idle.get(look, WORKS_FOR) + 1
            seen = see(look)
            seen = chosen(seen, (seen.scores >= terms.least_of(look)) & ~self._cut(seen, look))
            for i in range(len(seen)):
                face = chosen(seen, np.array([i]))
                if same_face(face.boxes, found.boxes).any():
                    continue
                if self._is_known(face, found) or self._is_face(face, look, see, terms):
                    found = joined(found, face)
                    self._idle[look] = 0
        return found

    def _cut(self, faces: Faces, look: Look) -> NDArray[np.bool_]:
        """(N,): faces that the edge of a tile cuts; another tile shows them whole."""
        h, w = self._size
        x0, y0, x1, y1 = look.window
        low = np.array([x0 if x0 > 0 else -np.inf, y0 if y0 > 0 else -np.inf])
        high = np.array([x1 if x1 < w else np.inf, y1 if y1 < h else np.inf])
        beyond = (faces.boxes[:, :2] <= low) | (faces.boxes[:, 2:] >= high)
        return np.asarray(beyond.any(1), np.bool_)

    def _is_known(self, face: Faces, found: Faces) -> bool:
        """Whether a face of the frames before vouches for one, and for no other found so far."""
        free = overlaps(self._known, found.boxes).max(1, initial=0) < KNOWN_FROM
        return bool((overlaps(face.boxes, self._known[free]) >= KNOWN_FROM).any())

    def _is_face(self, face: Faces, look: Look, see: See, terms: Terms) -> bool:
        """Whether a candidate that was not there before is a face."""
        score, doubted = float(face.scores[0]), self._doubted_since(face)
        if score < terms.score and not terms.clear:
            return False
        if terms.deep:
            self._doubted.append((face.boxes[0], self._frames))
            return self._new or doubted == 1
        if look in self._plan[:2] and score >= terms.least(SURE):
            return True
        if doubted:
            return False
        near, wide = close_up("short", face.boxes[0], NEAR), close_up("full", face.boxes[0], WIDE)
        if _shows(see(near), face, terms.least(NEAR_FROM)) and _shows(
            see(wide), face, terms.least(WIDE_FROM)
        ):
            return True
        self._doubted.append((face.boxes[0], self._frames))
        return False

    def _doubted_since(self, face: Faces) -> int:
        """How many frames ago a candidate at this place was doubted last; 0: it was not."""
        ages = [
            self._frames - frame
            for box, frame in self._doubted
            if overlaps(face.boxes, box[None])[0, 0] >= DOUBTED_FROM
        ]
        return min((age for age in ages if age), default=0)

    def _lost(self, found: Faces) -> bool:
        """Whether a face of the last frame is missing."""
        last = self._known[self._unseen == 0]
        return bool((overlaps(last, found.boxes).max(1, initial=0) < KNOWN_FROM).any())

    def _remember(self, found: Faces) -> None:
        """The faces of this frame, and earlier ones that may come back in the next frames."""
        gone = overlaps(self._known, found.boxes).max(1, initial=0) < KNOWN_FROM
        gone &= self._unseen < KNOWN_FOR
        self._known = np.concatenate([found.boxes, self._known[gone]])
        self._unseen = np.concatenate([np.zeros(len(found), np.int64), self._unseen[gone] + 1])


def _plan(size: tuple[int, int], terms: Terms) -> tuple[Look, ...]:
    """All looks at a frame, the preferred ones first; the first two are at the whole frame."""
    height, width = size
    short = whole("short", height, width)
    if terms.deep:
        return (short,)
    small = terms.clear and SMALLEST * max(size) > terms.min_px
    parts = tiles("full", height, width) if small else ()
    return (short, whole("full", height, width), *parts)


def _shows(seen: Faces, face: Faces, least: float) -> bool:
    """Whether a close-up shows this face, with at least this score."""
    there = overlaps(face.boxes, seen.boxes)[0] >= SAME_PLACE
    return bool((seen.scores[there] >= least).any())
