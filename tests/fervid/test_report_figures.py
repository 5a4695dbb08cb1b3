"""What a report sums up while a run goes on, against values worked out by hand."""

import dataclasses

import numpy as np
import pytest

from fervid.report.moments import HOLD_S, Moments, cut
from fervid.report.regions import REGIONS, Attention, in_crop, weights
from fervid.report.timeline import FACE_SUMS, FRAME_SUMS, Rows, Timeline
from tests.results import CLASSES, face, result


def frames(*labels, rate=25.0, track=0, levels=None):
    """A frame each of one face with these labels."""
    for n, label in enumerate(labels):
        level = 0.5 if levels is None else levels[n]
        yield result(n, face(label, track), time_s=n / rate, level=level)


def test_rows_sum_up_and_keep_the_largest():
    rows = Rows(2)
    assert rows.add(3, np.array([1.0, 2.0, 5.0]))
    assert not rows.add(3, np.array([1.0, 4.0, 1.0]))
    assert rows.add(2, np.array([1.0, 1.0, 7.0]))
    assert rows.table().tolist() == [[1, 1, 7], [2, 6, 5]]
    rows.halve()  # 2 and 3 become 1
    assert rows.table().tolist() == [[3, 7, 7]]


def test_buckets_become_wider_and_lose_nothing():
    timeline = Timeline(CLASSES, most_buckets=4)
    for n in range(10):
        timeline.observe(result(n, face("happy", 0), time_s=100 + n / 50, level=0.5 + n / 100))
    assert timeline.width_s == pytest.approx(0.08)  # .02 is full after 4 frames, .04 after 8
    table = timeline.frames.table()
    assert table[:, 0].tolist() == [4, 4, 2]
    times = table[:, FRAME_SUMS.index("time_s")] / table[:, 0]
    assert times == pytest.approx([100.03, 100.11, 100.17])
    track = timeline.tracks[0].table()
    happy = track[:, len(FACE_SUMS) + CLASSES.index("happy")] / track[:, 0]
    assert happy == pytest.approx([0.515, 0.555, 0.585])
    assert track[:, -2] == pytest.approx([0.53, 0.57, 0.59])  # highest
    assert -track[:, -1] == pytest.approx([0.5, 0.54, 0.58])  # lowest


def test_a_long_pause_fits_in():
    timeline = Timeline(CLASSES)
    for t in (0.0, 86_400.0):
        timeline.observe(result(0, face("happy", 0), time_s=t))
    assert len(timeline.frames) == 2


def test_the_rows_of_all_tracks_are_limited():
    timeline = Timeline(CLASSES, most_rows=20)
    for n in range(40):
        timeline.observe(result(n, face("happy", 0), face("angry", 1), time_s=n / 50))
    assert sum(map(len, timeline.tracks.values())) <= 22
    assert timeline.tracks[1].table()[:, 0].sum() == 40


def test_of_too_many_tracks_the_shortest_is_forgotten():
    timeline = Timeline(CLASSES, most_tracks=2)
    for n, tracks in enumerate(([0], [0, 1], [0, 1], [0, 2], [0, 3], [0, 3])):
        timeline.observe(result(n, *(face("happy", t) for t in tracks), time_s=5.0 * n))
    assert sorted(timeline.tracks) == [0, 3]
    assert timeline.forgotten == 2


def test_a_track_of_more_frames_is_longer_where_buckets_are_wide():
    timeline = Timeline(CLASSES, most_buckets=4, most_tracks=2)
    for n, (track, time_s) in enumerate([(0, 0), (0, 1), (0, 2), (1, 500), (2, 1000), (3, 1500)]):
        timeline.observe(result(n, face("happy", track), time_s=time_s))
    assert len(timeline.tracks[0]) == len(timeline.tracks[3]) == 1
    assert sorted(timeline.tracks) == [0, 3]


def test_tracks_that_have_just_begun_do_not_push_each_other_out():
    timeline = Timeline(CLASSES, most_tracks=2)
    for n in range(100):
        tracks = (0, 1) if n < 50 else (2, 3)
        timeline.observe(result(n, *(face("happy", t) for t in tracks), time_s=n / 10))
    assert {t: len(rows) for t, rows in timeline.tracks.items()} == {0: 50, 1: 50, 2: 50, 3: 50}
    timeline.observe(result(100, face("happy", 4), time_s=30.0))
    assert len(timeline.tracks) == 2
    assert timeline.forgotten == 3


def test_a_face_that_is_not_followed_has_no_row():
    timeline = Timeline(CLASSES)
    timeline.observe(result(0, face("happy", -1)))
    assert timeline.tracks == {}
    assert timeline.frames.table()[0, FRAME_SUMS.index("faces")] == 1


def test_a_change_counts_once_it_has_held():
    moments = Moments(pictures=False)
    held = int(HOLD_S * 25) + 1
    labels = ["happy"] * 10 + ["angry"] * 3 + ["happy"] * 10 + ["neutral"] * held + ["happy"] * 5
    for item in frames(*labels):
        moments.observe(item)
    told = [(m.before, m.label, round(m.time_s, 2)) for m in moments.changes]
    assert told == [("", "happy", 0.0), ("happy", "neutral", round(23 / 25 + HOLD_S, 2))]


def test_changes_are_limited_and_the_soonest_goes():
    moments = Moments(pictures=False, most_changes=3)
    for n, t in enumerate((0.0, 10.0, 11.0, 20.0)):  # from 9.6 s on another label, and so on
        label = CLASSES[n % 2]
        for dt in (-HOLD_S, 0.0) if t else (0.0,):
            moments.observe(result(0, face(label, 0), time_s=t + dt))
    assert [m.time_s for m in moments.changes] == [0.0, 10.0, 20.0]
    assert moments.n_changes == 4


def test_the_least_certain_moments_lie_apart():
    moments = Moments(pictures=False, most_doubts=2)
    levels = [0.9] * 200
    levels[10], levels[20], levels[100], levels[180] = 0.4, 0.3, 0.5, 0.6
    for item in frames(*["happy"] * 200, levels=levels):
        moments.observe(item)
    assert sorted(m.time_s for m in moments.doubts) == [20 / 25, 100 / 25]


def test_a_moment_has_the_picture_of_its_face():
    moments = Moments(pictures=True)
    bgr = np.zeros((48, 64, 3), np.uint8)
    bgr[6:26, 5:25] = (10, 20, 30)  # where `result` puts the box of a face
    moments.observe(result(0, face("happy", 0)), bgr)
    assert (moments.changes[0].picture == (10, 20, 30)).all()
    moments = Moments(pictures=False)
    moments.observe(result(0, face("happy", 0)), bgr)
    assert moments.changes[0].picture is None


def test_a_picture_is_grey_beyond_the_frame():
    picture = cut(np.zeros((10, 10, 3), np.uint8), np.array([5, 0, 15, 10], np.float32))
    assert (picture[:, :50] == 0).all()
    assert (picture[:, 62:] == 128).all()
    assert (cut(np.zeros((4, 4, 3), np.uint8), np.array([9, 9, 12, 12], np.float32)) == 128).all()


BOX = np.array([0, 0, 100, 100], np.float32)


def test_the_template_lies_in_the_box_wherever_the_crop_is():
    assert in_crop(BOX, BOX)[1] == pytest.approx((0.10, 0.20, 0.90, 0.36))
    wide = np.array([-50, -100, 150, 100], np.float32)  # the box is its lower middle quarter
    assert in_crop(BOX, wide)[1] == pytest.approx((0.30, 0.60, 0.70, 0.68))
    clipped = np.array([0, 0, 60, 100], np.float32)  # its longer side counts
    assert in_crop(clipped, BOX)[1][0] == pytest.approx(-0.20 + 0.10)
    assert in_crop(BOX, np.zeros(4, np.float32)) == ()


def test_regions_share_each_cell_by_area():
    parts = weights(in_crop(BOX, BOX), 10, 10).reshape(len(REGIONS), 10, 10)
    assert parts.sum(0) == pytest.approx(np.ones((10, 10)))
    eyes = parts[REGIONS.index("eyes")]
    assert eyes[2, 1] == pytest.approx(1)  # y .2-.3, x .1-.2: wholly inside
    assert eyes[3, 1] == pytest.approx(0.6)  # y .3-.4, of which .3-.36
    assert eyes[2, 0] == 0
    assert eyes.mean() == pytest.approx(0.16 * 0.80)


def warm(item, heat):
    return dataclasses.replace(
        item,
        heatmaps=heat[None].astype(np.float32),
        faces=dataclasses.replace(item.faces, boxes=BOX[None]),
        crop_boxes=BOX[None],
    )


def test_shares_are_means_over_faces_by_class():
    attention = Attention(CLASSES)
    nose, mouth = np.zeros((10, 10)), np.zeros((10, 10))
    nose[4, 4] = 0.2  # however warm, a map counts as one
    mouth[7, 4] = 1.0
    for label, heat in (("happy", nose), ("happy", mouth), ("angry", mouth)):
        attention.observe(warm(result(0, face(label)), heat))
    told = attention.record()
    by_region = dict(zip(told["regions"], told["classes"]["happy"]["shares"], strict=True))
    assert by_region == {"brows": 0, "eyes": 0, "nose": 0.5, "mouth": 0.5, "elsewhere": 0}
    assert told["all"]["shares"][REGIONS.index("mouth")] == pytest.approx(2 / 3, abs=1e-4)
    assert told["area"][REGIONS.index("nose")] == pytest.approx(0.32 * 0.24, abs=1e-4)
    assert sum(told["area"]) == pytest.approx(1, abs=1e-3)
    assert max(told["classes"]["angry"]["map"]) > 60  # one cell of ten, enlarged
    assert "neutral" not in told["classes"]


def test_maps_without_heat_do_not_count():
    attention = Attention(CLASSES)
    attention.observe(result(0, face("happy")))
    assert attention.record() is None
