"""Id switches, fragments and IDF1 of tracked detections whose person is known."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import linear_sum_assignment

Row = tuple[str | None, int]  # whose face it really is (None: no face), the id it got (-1: none)


@dataclass(frozen=True, slots=True)
class Score:
    """Counts over a stretch of video; counts of several stretches add up.

    Attributes:
        seconds: of video.
        people: different persons who were detected.
        ids: different ids they got.
        switches: times that a person's face took an id that another one, or no face, had first.
        fragments: other times that a person's id changed: broken, but nobody is mixed up.
        id_tp, id_fp, id_fn: of IDF1 (Ristani et al. 2016): rows under the one id that stands for
            their person, rows under another id, and rows of persons that miss theirs.
    """

    seconds: float = 0.0
    people: int = 0
    ids: int = 0
    switches: int = 0
    fragments: int = 0
    id_tp: int = 0
    id_fp: int = 0
    id_fn: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def idf1(self) -> float:
        """Share of rows whose id stands for their person, 0-1."""
        return 2 * self.id_tp / max(2 * self.id_tp + self.id_fp + self.id_fn, 1)

    def per_minute(self, count: int) -> float:
        """A count as a rate."""
        return 60 * count / max(self.seconds, 1e-9)


def score(frames: Iterable[list[Row]], seconds: float) -> Score:
    """Compare ids with persons, frame by frame."""
    rows = [row for frame in frames for row in frame]
    first_of: dict[int, str | None] = {}
    last_id: dict[str, int] = {}
    switches = fragments = 0
    for person, track_id in rows:
        if track_id < 0:
            continue
        owner = first_of.setdefault(track_id, person)
        if person is None:
            continue
        before = last_id.get(person, track_id if owner == person else -1)
        if before != track_id:
            switches += owner != person
            fragments += owner == person
        last_id[person] = track_id
    ids = {i for person, i in rows if person is not None and i >= 0}
    return Score(seconds, len(last_id), len(ids), switches, fragments, *_id_counts(rows))


def _id_counts(rows: list[Row]) -> tuple[int, int, int]:
    """True positives, false positives and false negatives under the best one-to-one naming."""
    pairs = Counter(row for row in rows if row[0] is not None and row[1] >= 0)
    people = sorted({person for person, _ in rows if person is not None})
    ids = sorted({i for _, i in rows if i >= 0})
    counts = [pairs[person, i] for person in people for i in ids]
    table = np.array(counts, int).reshape(len(people), len(ids))
    right = int(table[linear_sum_assignment(-table)].sum())
    n_people = sum(person is not None for person, _ in rows)
    n_ids = sum(i >= 0 for _, i in rows)
    return right, n_ids - right, n_people - right
