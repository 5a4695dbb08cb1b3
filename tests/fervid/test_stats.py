"""Rates and percentiles against values worked out by hand, with a clock that is told the time."""

import json
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest

from fervid.link import LinkEvent
from fervid.rate import Rate
from fervid.records import Faces, FrameResult, Noise, SourceInfo, Timings
from fervid.stats import MAX_TRACKS, WINDOW_FRAMES, Latency, RunStats

CLASSES = ("happy", "sad")
FILE = SourceInfo("a.mp4", "a.mp4", 64, 48, False, Fraction(10), 40, 4.0)
LIVE = SourceInfo("camera 0", "camera 0", 64, 48, True)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def result(index=0, tracks=(), happy=(), doubts=(), kind="clean", dropped=0, **stages):
    n = len(tracks)
    faces = Faces(
        np.zeros((n, 4), np.float32),
        np.ones(n, np.float32),
        np.zeros((n, 2, 2), np.float32),
        np.array(tracks, np.int64),
    )
    share = np.array(happy, np.float32).reshape(n, 1)
    noise = Noise(kind, np.array([0.1, 0, 0.3], np.float32), 0.05, np.zeros(3, np.float32))
    reasons = tuple(doubts) or ((),) * n
    return FrameResult(
        index=index,
        time_s=index / 10,
        faces=faces,
        noise=noise,
        filter_name="none" if kind == "clean" else "gaussian",
        eta=np.zeros(n, np.float32),
        classes=CLASSES,
        probabilities=np.hstack([share, 1 - share]),
        smoothed=np.hstack([share, 1 - share]),
        labels=tuple("happy" if p > 0.5 else "sad" for p in happy),
        uncertain=np.array([bool(r) for r in reasons], np.bool_),
        reasons=reasons,
        heatmaps=np.zeros((n, 2, 2), np.float32),
        crop_boxes=np.zeros((n, 4), np.float32),
        timings=Timings(stages),
        dropped=dropped,
    )


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stats(clock):
    return RunStats(clock, memory_mb=lambda: 512.0)


def test_n_ticks_span_n_minus_1_intervals():
    rate = Rate(window_s=5)
    assert rate.per_s(0) == 0
    rate.tick(0)
    assert rate.per_s(0) == 0
    for i in range(1, 11):
        rate.tick(i / 10)
    assert rate.per_s(1.0) == pytest.approx(10)


def test_the_rate_forgets_what_left_the_window():
    rate = Rate(window_s=1)
    for now in (0.0, 0.1, 0.2, 1.05, 1.15, 1.25):
        rate.tick(now)
    assert rate.per_s(1.25) == pytest.approx(10)  # 1.05, 1.15, 1.25 are left
    assert rate.per_s(9) == 0


def test_ticks_at_one_moment_are_no_division_by_zero():
    rate = Rate()
    rate.tick(1)
    rate.tick(1)
    assert rate.per_s(1) == 0


def test_latest_latencies_come_from_a_bounded_window_and_overall_ones_from_all():
    latency = Latency()
    for _ in range(WINDOW_FRAMES):
        latency.add(100.0)
    for ms in range(WINDOW_FRAMES):
        latency.add(float(ms))
    p50, p95 = latency.latest()
    assert p50 == pytest.approx((WINDOW_FRAMES - 1) / 2)
    assert p95 == pytest.approx((WINDOW_FRAMES - 1) * 0.95)
    values = sorted([100.0] * WINDOW_FRAMES + [float(ms) for ms in range(WINDOW_FRAMES)])
    for share in (0.5, 0.95):
        exact = values[int(share * len(values)) - 1]
        assert latency.overall(share) == pytest.approx(exact, rel=0.011)


def test_snapshot_before_the_first_frame(stats):
    shown = stats.snapshot(FILE)
    assert (shown.frames, shown.n_frames, shown.duration_s) == (0, 40, 4.0)
    assert (shown.fps, shown.faces, shown.stages, shown.noise_kind) == (0, (), (), "clean")


def test_snapshot_tells_the_last_frame_and_the_run(stats, clock):
    for i in range(5):
        clock.now = 101 + i / 4
        stats.observe(
            result(i, (7, 2), (0.75, 0.25), ((), ("small",)), "speckle", 1, detect=2.0 + i),
            {"write": 1.0},
        )
    shown = stats.snapshot(FILE)
    assert (shown.source, shown.frames, shown.dropped) == ("a.mp4", 5, 5)
    assert (shown.fps, shown.elapsed_s, shown.position_s) == (4.0, 2.0, 0.5)  # to the frame's end
    assert shown.stages[0] == ("detect", 4.0, pytest.approx(5.8))
    assert shown.stages[1] == ("write", 1.0, 1.0)
    assert shown.noise_kind == "speckle"
    assert shown.noise_level == pytest.approx(0.3)
    assert shown.noise_history == (0.05,) * 5
    assert [face.track_id for face in shown.faces] == [2, 7]
    assert shown.faces[0].label == "sad"
    assert shown.faces[0].reasons == ("small",)
    assert shown.faces[0].probabilities == (("happy", 0.25), ("sad", 0.75))
    assert (shown.faces_total, shown.tracks_total, shown.memory_mb) == (10, 2, 512.0)


def test_frames_that_are_done_in_one_moment_have_the_rate_of_the_time_they_took(stats, clock):
    for i in range(6):  # while the first was written, the others were analysed
        clock.now = 103 + i / 1e5
        stats.observe(result(i, network=400.0), {"wait": 900.0, "draw": 100.0, "write": 1500.0})
    assert stats.snapshot(FILE).fps == pytest.approx(3, rel=1e-4)
    assert stats.summary()["fps"] == 3.0
    for i in range(6, 106):
        clock.now = 103 + (i - 5) / 10
        stats.observe(result(i, network=400.0), {"write": 1500.0})
    assert stats.snapshot(FILE).fps == pytest.approx(10, rel=0.01)
    assert stats.summary()["fps"] == pytest.approx(106 / 12, abs=0.01)


def test_one_picture_has_the_rate_of_its_own_time(stats):
    stats.observe(result(0, network=200.0), {"wait": 900.0, "write": 50.0})
    assert stats.summary()["fps"] == stats.snapshot(FILE).fps == pytest.approx(4)


def test_a_live_source_has_no_end(stats):
    shown = stats.snapshot(LIVE)
    assert shown.live
    assert shown.n_frames is None
    assert shown.duration_s is None


def test_summary_of_nothing_is_json_of_zeros(stats):
    summary = json.loads(json.dumps(stats.summary(), allow_nan=False))
    assert summary["frames"] == summary["fps"] == summary["faces"] == 0
    assert summary["labels"] == summary["noise"] == {}
    assert summary["uncertain"] == {"share": 0, "reasons": {}}


def test_summary_by_hand(stats, clock):
    stats.observe(result(0, (1,), (0.9,), dropped=2, detect=10.0))
    clock.now += 1
    stats.observe(result(1, (1, 2), (0.8, 0.1), ((), ("small", "dark")), "gaussian", detect=20.0))
    clock.now += 1
    stats.observe(result(2, (1, -1), (0.3, 0.6), (("dark",), ()), "gaussian", detect=20.0))
    clock.now += 2
    stats.observe(result(3, detect=20.0))
    summary = json.loads(json.dumps(stats.summary(), allow_nan=False))
    assert summary["frames"] == 4
    assert summary["dropped"] == 2
    assert (summary["duration_s"], summary["elapsed_s"], summary["fps"]) == (0.3, 4.0, 0.75)
    assert (summary["faces"], summary["frames_with_faces"], summary["tracks"]) == (5, 3, 2)
    assert summary["labels"] == {"happy": 0.6, "sad": 0.4}
    assert summary["noise"] == {"clean": 0.5, "gaussian": 0.5}
    assert summary["filters"] == {"none": 0.5, "gaussian": 0.5}
    assert summary["uncertain"] == {"share": 0.4, "reasons": {"dark": 0.4, "small": 0.2}}
    assert summary["per_track"][0] == {
        "track": 1,
        "frames": 3,
        "first_s": 0.0,
        "last_s": 0.2,
        "labels": {"happy": 0.6667, "sad": 0.3333},
        "uncertain": 0.3333,
    }
    assert [t["track"] for t in summary["per_track"]] == [1, 2]
    assert summary["stages_ms"]["detect"]["p50"] == pytest.approx(20, rel=0.011)


def test_faces_that_come_together_after_many_others_are_kept(stats):
    for i in range(2 * MAX_TRACKS):
        stats.observe(result(i, (i // 2,), (0.9,)))
    for i in range(50):
        stats.observe(result(9999 + i, (MAX_TRACKS, MAX_TRACKS + 1), (0.9, 0.1)))
    tracks = stats.summary()["per_track"]
    assert len(tracks) == MAX_TRACKS
    found = [(t["track"], t["frames"]) for t in tracks[-2:]]
    assert found == [(MAX_TRACKS, 50), (MAX_TRACKS + 1, 50)]


def test_tracks_stay_bounded_and_are_counted_once(stats):
    stats.observe(result(0, (0,), (0.9,)))
    stats.observe(result(1, (0,), (0.9,)))
    for i in range(1, MAX_TRACKS + 50):
        stats.observe(result(i, (i,), (0.9,)))
    stats.observe(result(9999, (1,), (0.9,)))  # forgotten meanwhile, and back
    summary = stats.summary()
    assert summary["tracks"] == MAX_TRACKS + 50
    assert len(summary["per_track"]) == MAX_TRACKS
    assert summary["per_track"][0]["frames"] == 2  # the longest is kept


def test_losses_of_a_live_source_are_counted_by_their_cause(stats):
    at = datetime(2026, 1, 31, tzinfo=UTC)
    stats.observe(result(0, dropped=2))
    for event in (
        LinkEvent("offline", 1.0, at, "gone"),
        LinkEvent("online", 5.0, at, "gone", attempts=3, offline_s=4.0, missed=100),
        LinkEvent("offline", 8.0, at, "gone"),
        LinkEvent("gave_up", 9.5, at, "gone", attempts=2, offline_s=1.5, missed=38),
    ):
        stats.note(event)
    summary = stats.summary()
    assert summary["drops"] == {"late": 2, "offline": 138}
    assert summary["outages"] == {"count": 2, "offline_s": 5.5, "attempts": 5}
    assert stats.snapshot(SourceInfo("x", "x", 8, 6, True)).missed == 138
