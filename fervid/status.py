"""The state of a run at one moment, as the dashboard and the pages show it: frozen records."""

from dataclasses import dataclass
from typing import Literal

from fervid.link import Outage
from fervid.records import FilterReason

SourceState = Literal["running", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class FaceView:
    """One face as the dashboard shows it.

    `width_px` is the longer side of its box; `history` holds the probabilities of the last frames,
    a tuple a class in the order of `probabilities`, oldest first.
    """

    track_id: int
    label: str
    probabilities: tuple[tuple[str, float], ...]
    uncertain: bool
    reasons: tuple[str, ...]
    width_px: float = 0.0
    history: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a run at one moment: all that the dashboard may show.

    `stages` maps a stage to its p50 and p95 in ms; `noise_history` is severity over the last
    frames, oldest first, and `history_s` says how many seconds they are; `n_frames` is None for a
    live source. `offline` is None while the source is there, `missed` counts pictures that were not
    sent while it was not, `damaged` those that could not be decoded. `quality` is that of `Noise`,
    `state` says whether frames still come, `window` whether there is one with keys.
    """

    source: str
    live: bool
    frames: int
    n_frames: int | None
    position_s: float
    duration_s: float | None
    dropped: int
    fps: float
    elapsed_s: float
    stages: tuple[tuple[str, float, float], ...]
    noise_kind: str
    noise_level: float
    severity: float
    noise_history: tuple[float, ...]
    filter_name: str
    faces: tuple[FaceView, ...]
    memory_mb: float
    faces_total: int
    tracks_total: int
    offline: Outage | None = None
    missed: int = 0
    damaged: int = 0
    history_s: float = 0.0
    quality: tuple[float, float, float] = (0.0, 0.0, 0.0)
    filter_reason: FilterReason = "clean"
    state: SourceState = "running"
    window: bool = False
