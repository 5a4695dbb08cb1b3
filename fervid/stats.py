"""RunStats: what a run has done so far, for the dashboard (snapshot) and for summary.json.

What the dashboard shows covers the last seconds; the summary covers the whole run. Both stay
small however long a run lasts.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fervid.history import History
from fervid.link import LinkEvent
from fervid.memory import process_memory_mb
from fervid.rate import Rate, per_s
from fervid.records import FrameResult, Noise, SourceInfo
from fervid.status import FaceView, Snapshot
from fervid.tracks import MEMORY_S

WINDOW_FRAMES = 240  # over which latencies are shown
MAX_TRACKS = 1000  # of which the summary keeps details
PERCENTILES = (50, 95, 99)  # of each stage's time, in the summary
BIN = math.log(1.02)  # the summary's latencies are right within 1 %


class Latency:
    """Latencies of one stage in ms: the latest ones as they are, all of them as a histogram."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=WINDOW_FRAMES)
        self._bins: Counter[int] = Counter()

    def add(self, ms: float) -> None:
        """Take one measurement."""
        self._latest.append(ms)
        self._bins[round(math.log(max(ms, 1e-4)) / BIN)] += 1

    def latest(self) -> tuple[float, float]:
        """p50 and p95 of the latest frames."""
        ordered = sorted(self._latest)  # six times as fast as numpy for so few
        return _between(ordered, 0.5), _between(ordered, 0.95)

    def overall(self, share: float) -> float:
        """The latency that `share` of all measurements do not exceed, within 1 %."""
        left = share * self._bins.total()
        value = 0.0
        for bin_, count in sorted(self._bins.items()):
            value, left = math.exp(bin_ * BIN), left - count
            if left <= 0:
                break
        return value


def _between(ordered: Sequence[float], share: float) -> float:
    """The percentile of sorted numbers, by straight lines between them."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@dataclass(slots=True)
class Track:
    """What the summary says about one face that was followed."""

    first_s: float
    last_s: float
    labels: Counter[str] = field(default_factory=Counter)
    uncertain: int = 0


class RunStats:
    """Counts what a run does.

    Args:
        clock: seconds, monotonic.
        memory_mb: resident memory, in MB.
    """

    def __init__(
        self, clock: Callable[[], float], memory_mb: Callable[[], float] = process_memory_mb
    ) -> None:
        self._clock = clock
        self._memory_mb = memory_mb
        self._started_s = clock()
        self._rate = Rate()
        self._stages: dict[str, Latency] = {}
        self._history = History()
        self._last: FrameResult | None = None
        self._counts: Counter[str] = Counter()
        self._noise: Counter[str] = Counter()
        self._filters: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._tracks: dict[int, Track] = {}
        self._highest_track = -1
        self._began_s = self._first_frame_s = self._last_frame_s = self._started_s
        self._first_time_s = self._offline_s = 0.0

    def observe(self, result: FrameResult, more_ms: Mapping[str, float] | None = None) -> None:
        """Take one frame's result.

        Args:
            result: what the pipeline said, drops included.
            more_ms: milliseconds of stages outside the pipeline, such as "decode" and "write".
        """
        now, stages_ms = self._clock(), {**result.timings.stages_ms, **(more_ms or {})}
        if self._last is None:
            # Outputs open with the first frame, and more may be done when it is: its time counts.
            self._began_s = now - sum(ms for s, ms in stages_ms.items() if s != "wait") / 1000
            self._first_frame_s, self._first_time_s = now, result.time_s
            self._rate.begin(self._began_s)
        self._last, self._last_frame_s = result, now
        self._rate.tick(now)
        for stage, ms in stages_ms.items():
            self._stages.setdefault(stage, Latency()).add(ms)
        self._history.observe(result)
        self._counts.update(frames=1, dropped=result.dropped, faces=len(result.faces))
        self._counts["with_faces"] += len(result.faces) > 0
        self._noise[result.noise.kind] += 1
        self._filters[result.filter_name] += 1
        self._observe_faces(result)

    def note(self, event: LinkEvent) -> None:
        """Take an event of a live source."""
        if event.kind == "offline":
            self._counts["outages"] += 1
            return
        self._offline_s += event.offline_s
        self._counts.update(attempts=event.attempts, missed=event.missed)

    def _observe_faces(self, result: FrameResult) -> None:
        """Count labels and doubts, of all faces and of each that is followed."""
        ids = result.faces.track_ids.tolist()
        for i in sorted(range(len(ids)), key=ids.__getitem__):
            label, doubtful = result.labels[i], bool(result.uncertain[i])
            self._labels[label] += 1
            self._counts["uncertain"] += doubtful
            if doubtful:
                self._reasons.update(result.reasons[i])
            track = self._track(ids[i], result.time_s)
            if track is not None:
                track.last_s = result.time_s
                track.labels[label] += 1
                track.uncertain += doubtful

    def _track(self, track_id: int, time_s: float) -> Track | None:
        """The record of a track; None for a face that is not followed.

        Of more than MAX_TRACKS the shortest that has ended is forgotten: one that is there may
        only have begun. Ids grow, so an id below the highest that has no record was counted before.
        """
        if track_id < 0:
            return None
        if track_id > self._highest_track:
            self._highest_track = track_id
            self._counts["tracks"] += 1
        if track_id not in self._tracks:
            if len(self._tracks) >= MAX_TRACKS:
                self._forget(time_s)
            self._tracks[track_id] = Track(time_s, time_s)
        return self._tracks[track_id]

    def _forget(self, now_s: float) -> None:
        """Make room for a track, if one has ended."""
        ended = [t for t, track in self._tracks.items() if now_s - track.last_s > MEMORY_S]
        ended.sort(key=lambda t: self._tracks[t].labels.total())
        for shortest in ended[: len(self._tracks) - MAX_TRACKS + 1]:
            del self._tracks[shortest]

    def snapshot(self, source: SourceInfo) -> Snapshot:
        """The state of the run at this moment, over a source."""
        now, last = self._clock(), self._last
        noise = last.noise if last else Noise.clean()
        return Snapshot(
            source=source.label,
            live=source.live,
            frames=self._counts["frames"],
            n_frames=None if source.live else source.n_frames,
            position_s=last.time_s - source.start_s + _period_s(source) if last else 0.0,
            duration_s=None if source.live else source.duration_s,
            dropped=self._counts["dropped"],
            fps=self._rate.per_s(now),
            elapsed_s=now - self._started_s,
            stages=tuple((name, *stage.latest()) for name, stage in self._stages.items()),
            noise_kind=noise.kind,
            noise_level=noise.level,
            severity=noise.severity,
            noise_history=self._history.severities,
            filter_name=last.filter_name if last else "none",
            faces=face_views(last, self._history) if last else (),
            memory_mb=self._memory_mb(),
            faces_total=self._counts["faces"],
            tracks_total=self._counts["tracks"],
            missed=self._counts["missed"],
            history_s=self._history.seconds,
            quality=tuple(noise.quality.tolist()),
            filter_reason=last.filter_reason if last else "clean",
        )

    def summary(self) -> dict[str, Any]:
        """The whole run, as JSON types; shares are 0-1.

        `fps` is as `rate.per_s` has it; `labels` and `uncertain` count every face in every frame.
        """
        frames, faces = self._counts["frames"], self._counts["faces"]
        fps = per_s(frames, self._first_frame_s, self._last_frame_s, self._began_s)
        return {
            "frames": frames,
            "dropped": self._counts["dropped"],
            # late: a newer frame came before they were analysed; offline: never sent (estimated).
            "drops": {"late": self._counts["dropped"], "offline": self._counts["missed"]},
            "outages": {
                "count": self._counts["outages"],
                "offline_s": round(self._offline_s, 3),
                "attempts": self._counts["attempts"],
            },
            "duration_s": round(self._last.time_s - self._first_time_s, 3) if self._last else 0.0,
            "elapsed_s": round(self._clock() - self._started_s, 3),
            "fps": round(fps, 2),
            "faces": faces,
            "frames_with_faces": self._counts["with_faces"],
            "tracks": self._counts["tracks"],
            "labels": _shares(self._labels),
            "per_track": [_describe(t, self._tracks[t]) for t in sorted(self._tracks)],
            "noise": _shares(self._noise),
            "filters": _shares(self._filters),
            "uncertain": {
                "share": round(self._counts["uncertain"] / max(faces, 1), 4),
                "reasons": _shares(self._reasons, faces),
            },
            "stages_ms": {
                name: {f"p{n}": round(s.overall(n / 100), 3) for n in PERCENTILES}
                for name, s in self._stages.items()
            },
        }


def _period_s(source: SourceInfo) -> float:
    """Seconds that a frame lasts, 0 where nobody knows."""
    return float(1 / source.rate) if source.rate else 0.0


def _shares(counts: Counter[str], total: int | None = None) -> dict[str, float]:
    """Counts as shares of their total, or of another one, the largest first."""
    whole = counts.total() if total is None else total
    return {name: round(count / whole, 4) for name, count in counts.most_common()}


def _describe(track_id: int, track: Track) -> dict[str, Any]:
    """One track of the summary."""
    frames = track.labels.total()
    return {
        "track": track_id,
        "frames": frames,
        "first_s": round(track.first_s, 3),
        "last_s": round(track.last_s, 3),
        "labels": _shares(track.labels),
        "uncertain": round(track.uncertain / frames, 4),
    }


def face_views(result: FrameResult, history: History | None = None) -> tuple[FaceView, ...]:
    """The faces of one frame by track id, so that a face keeps its place on the screen."""
    columns = (result.faces.track_ids, result.labels, result.smoothed, result.uncertain)
    sides = (result.faces.boxes[:, 2:] - result.faces.boxes[:, :2]).max(1, initial=0.0)
    views = [
        FaceView(
            int(track),
            label,
            tuple(zip(result.classes, row.tolist(), strict=True)),
            bool(doubt),
            why,
            float(side),
            history.of(int(track)) if history else (),
        )
        for track, label, row, doubt, why, side in zip(*columns, result.reasons, sides, strict=True)
    ]
    return tuple(sorted(views, key=lambda view: view.track_id))
