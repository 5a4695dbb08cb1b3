"""What happened when, in a memory that does not grow: sums and extremes by bucket of time.

A bucket is as wide as makes the whole run fit into MOST_BUCKETS; when time runs out of them, each
two become one. So an hour and a day are summed up as they come, and nothing is read twice.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fervid.records import NOISE_KINDS, FrameResult
from fervid.tracks import MEMORY_S

F64 = NDArray[np.float64]
MOST_BUCKETS = 4096  # more than a screen has columns, even when a part is enlarged
MOST_ROWS = 60_000  # buckets of all tracks: about 20 MB here, under 2 MB in the report
MOST_TRACKS = 300
FIRST_ROWS = 16  # that an array has room for
FIRST_WIDTH_S = 0.02  # up to 50 frames a second keep a bucket each, for the first 82 s

FILTER_NAMES = ("none", "gaussian", "median", "bilateral", "deblock")
REASONS = ("confidence", "small", "blurred", "dark")
# Columns of a frame's row that are sums; those of its noise kind and filter follow, then extremes.
FRAME_SUMS = (
    *("frames", "time_s", "severity", "sigma", "impulse", "speckle"),
    *("blocking", "blur", "darkness", "faces", "dropped"),
)
# Of a face's row; the classes follow, then extremes of the confidence.
FACE_SUMS = ("frames", "time_s", "uncertain", *(f"why_{r}" for r in REASONS))


class Rows:
    """Rows of numbers by bucket, each of sums and of largest values, in one array.

    An array for each row would be thousands of small pieces of memory, which a run of hours leaves
    scattered among what comes and goes.

    Args:
        sums: how many columns are sums; the others keep the largest value.
    """

    def __init__(self, sums: int) -> None:
        self._sums = sums
        self._at: dict[int, int] = {}  # bucket -> its row in the table
        self._table = np.zeros((0, 0))

    def __len__(self) -> int:
        return len(self._at)

    def add(self, bucket: int, row: F64) -> bool:
        """Take a row; returns whether it opened a bucket."""
        at = self._at.get(bucket)
        if at is None:
            self._append(bucket, row)
            return True
        old, n = self._table[at], self._sums
        old[:n] += row[:n]
        np.maximum(old[n:], row[n:], out=old[n:])
        return False

    def _append(self, bucket: int, row: F64) -> None:
        n = len(self._at)
        if n == len(self._table):  # doubled, so that few rows are copied often
            table = np.zeros((max(FIRST_ROWS, 2 * n), len(row)))
            if n:
                table[:n] = self._table
            self._table = table
        self._table[n] = row
        self._at[bucket] = n

    def halve(self) -> None:
        """Make one bucket of each two."""
        at, table = self._at, self._table
        self._at, self._table = {}, np.zeros((0, 0))  # as large as half of the rows need
        for bucket, n in at.items():
            self.add(bucket // 2, table[n])

    def table(self) -> F64:
        """All rows in the order of time, float64 (n, columns)."""
        order = [self._at[bucket] for bucket in sorted(self._at)]
        return self._table[order] if order else np.zeros((0, 0))


class Timeline:
    """Sums up frames and tracks over time.

    Of more than `most_tracks` those with the fewest frames are forgotten, as `RunStats` does, but
    none that was seen in the last MEMORY_S: it may only have begun. (After hours a bucket is so
    wide that a passer-by and a flicker have one each.)

    Args:
        classes: K names.
        most_buckets: that the run is divided into.
        most_rows: buckets of all tracks together.
        most_tracks: that are kept.
    """

    def __init__(
        self,
        classes: Sequence[str],
        most_buckets: int = MOST_BUCKETS,
        most_rows: int = MOST_ROWS,
        most_tracks: int = MOST_TRACKS,
    ) -> None:
        self._limits = most_buckets, most_rows, most_tracks
        self.classes = tuple(classes)
        self.width_s = FIRST_WIDTH_S
        self.frames = Rows(len(FRAME_SUMS) + len(NOISE_KINDS) + len(FILTER_NAMES))
        self.tracks: dict[int, Rows] = {}
        self.forgotten = 0
        self._n_rows = 0
        self._seen_s: dict[int, float] = {}
        self._n_frames: Counter[int] = Counter()
        self.begin_s: float | None = None

    def observe(self, result: FrameResult) -> None:
        """Take one frame."""
        if self.begin_s is None:
            # Half a bucket before, so that rounding moves no frame into another bucket.
            self.begin_s = result.time_s - FIRST_WIDTH_S / 2
        since_s = max(0.0, result.time_s - self.begin_s)
        while since_s / self.width_s >= self._limits[0] or self._n_rows > self._limits[1]:
            self._halve()
        bucket = int(since_s / self.width_s)
        self.frames.add(bucket, _frame_row(result))
        for i, track in enumerate(result.faces.track_ids.tolist()):
            if track >= 0:
                self._n_rows += self._track(track, since_s).add(bucket, _face_row(result, i))

    def _track(self, track: int, now_s: float) -> Rows:
        rows = self.tracks.get(track)
        if rows is None:
            if len(self.tracks) >= self._limits[2]:
                self._forget(now_s)
            rows = self.tracks[track] = Rows(len(FACE_SUMS) + len(self.classes))
        self._seen_s[track] = now_s
        self._n_frames[track] += 1
        return rows

    def _forget(self, now_s: float) -> None:
        """Make room for a track: forget the shortest of those that have ended."""
        ended = [t for t, seen_s in self._seen_s.items() if now_s - seen_s > MEMORY_S]
        ended.sort(key=self._n_frames.__getitem__)
        for shortest in ended[: len(self.tracks) - self._limits[2] + 1]:
            self._n_rows -= len(self.tracks.pop(shortest))
            del self._seen_s[shortest], self._n_frames[shortest]
            self.forgotten += 1

    def _halve(self) -> None:
        self.width_s *= 2
        self.frames.halve()
        for rows in self.tracks.values():
            rows.halve()
        self._n_rows = sum(map(len, self.tracks.values()))


def _frame_row(result: FrameResult) -> F64:
    """A frame's sums (FRAME_SUMS, noise kinds, filters) and its largest severity."""
    noise = result.noise
    kinds = [float(noise.kind == kind) for kind in NOISE_KINDS]
    filters = [float(result.filter_name == name) for name in FILTER_NAMES]
    counts = (float(len(result.faces)), float(result.dropped))
    values = (1.0, result.time_s, noise.severity, *noise.levels, *noise.quality, *counts)
    row = np.array([*values, *kinds, *filters, noise.severity], np.float64)
    return np.asarray(np.nan_to_num(row), np.float64)


def _face_row(result: FrameResult, i: int) -> F64:
    """A face's sums (FACE_SUMS, classes), its largest confidence and minus its smallest."""
    shares = result.smoothed[i]
    confidence = float(shares[result.classes.index(result.labels[i])])
    why = [float(reason in result.reasons[i]) for reason in REASONS]
    values = (1.0, result.time_s, float(result.uncertain[i]), *why)
    row = np.array([*values, *shares, confidence, -confidence], np.float64)
    return np.asarray(np.nan_to_num(row), np.float64)
