import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fervid.config import ExplainConfig, LabelConfig
from fervid.explain import (
    FORGOTTEN,
    HeatmapStream,
    MapBudget,
    ProbabilityStream,
    TrackAverage,
)
from fervid.tracks import MEMORY_S


def one(*values):
    return np.array([values], np.float32)


def ids(*values):
    return np.array(values, np.int64)


def test_first_observation_is_itself():
    out = ProbabilityStream().update(one(0.2, 0.8), ids(3), 7.0)
    np.testing.assert_array_equal(out, one(0.2, 0.8))


def test_after_one_time_constant_the_past_weighs_1_by_e():
    stream = ProbabilityStream(time_constant_s=0.5)
    stream.update(one(1, 0), ids(3), 0.0)
    np.testing.assert_allclose(
        stream.update(one(0, 1), ids(3), 0.5), one(math.exp(-1), 1 - math.exp(-1)), rtol=1e-6
    )


def test_the_frame_rate_does_not_matter():
    slow, fast = ProbabilityStream(0.5, 2.0), ProbabilityStream(0.5, 2.0)
    for stream in (slow, fast):
        stream.update(one(1, 0), ids(1), 0.0)
    for t in (0.1, 0.13, 0.7):
        fast.update(one(0, 1), ids(1), t)
    np.testing.assert_allclose(
        fast.update(one(0, 1), ids(1), 1.0), slow.update(one(0, 1), ids(1), 1.0), atol=1e-6
    )


def test_another_track_a_long_gap_and_a_jump_back_start_anew():
    stream = ProbabilityStream(0.5, memory_s=1.0)
    stream.update(one(1, 0), ids(1), 10.0)
    for track, time_s in ((2, 10.1), (1, 11.5), (1, 3.0)):
        np.testing.assert_array_equal(stream.update(one(0, 1), ids(track), time_s), one(0, 1))


def test_a_face_is_remembered_for_as_long_as_its_id():
    stream, away_s = ProbabilityStream(5.0), MEMORY_S - 0.1
    stream.update(one(1, 0), ids(1), 0.0)
    share = np.exp(-away_s / 5.0)
    back = stream.update(one(0, 1), ids(1), away_s)
    np.testing.assert_allclose(back, one(share, 1 - share), atol=1e-6)


def test_what_lies_some_time_constants_back_is_forgotten():
    """As the module says, in seconds: 1 for a heatmap and 2.5 for probabilities, by default."""
    for tau_s, memory_s in (
        (ExplainConfig().heatmap_smooth_s, 1.0),
        (LabelConfig().smooth_s, 2.5),
    ):
        assert tau_s * FORGOTTEN == pytest.approx(memory_s)
        one_past, other_past = TrackAverage(tau_s, 2.0), TrackAverage(tau_s, 2.0)
        one_past.update(one(1, 0), ids(1), 0.0)
        other_past.update(one(0, 1), ids(1), 0.0)
        for k in range(1, 31):
            time_s = memory_s * k / 30
            ends = [s.update(one(0.5, 0.5), ids(1), time_s) for s in (one_past, other_past)]
        assert np.abs(ends[0] - ends[1]).max() < 0.01


def test_the_default_heatmap_is_smoothed_as_the_configuration_says():
    plain, told = HeatmapStream(), HeatmapStream(ExplainConfig().heatmap_smooth_s)
    rng = np.random.default_rng(0)
    for k in range(5):
        cams = blob(rng)
        a, b = (s.update(cams, ids(0), k / 30) for s in (plain, told))
        np.testing.assert_array_equal(a, b)


def test_a_face_that_is_not_followed_passes_through():
    stream = ProbabilityStream()
    stream.update(one(1, 0), ids(-1), 0.0)
    np.testing.assert_array_equal(stream.update(one(0, 1), ids(-1), 0.01), one(0, 1))


def test_no_faces_and_finite_memory():
    stream = ProbabilityStream(memory_s=1.0)
    for k in range(50):
        stream.update(one(1, 0), ids(k), float(k))
    assert stream.update(np.zeros((0, 2), np.float32), ids(), 100.0).shape == (0, 2)
    assert len(stream._tracks) == 0
    heat = HeatmapStream().update(np.zeros((0, 6, 6), np.float32), ids(), 0.0)
    assert heat.shape == (0, 6, 6)


def test_a_face_keeps_its_heatmap_where_no_new_one_is_made():
    stream, rng = HeatmapStream(memory_s=1.0), np.random.default_rng(0)
    assert stream.held(ids(3), 0.0).tolist() == [[[0.0]]]  # none yet
    shown = stream.update(blob(rng), ids(3), 0.1)
    both = stream.held(ids(3, 4), 0.2)
    np.testing.assert_array_equal(both[0], shown[0])
    assert not both[1].any()
    assert not stream.held(ids(3), 1.2).any()  # forgotten


@pytest.mark.parametrize(
    ("every", "wanted"), [(1, [1] * 7), (3, [1, 0, 0, 1, 0, 0, 1]), (0, [1, 0, 0, 0, 0, 0, 0])]
)
def test_heatmaps_are_made_as_often_as_asked(every, wanted):
    budget, found = MapBudget(every), []
    for _ in wanted:
        found.append(budget.wants(ids(0)))
        budget.saw(ids(0), ["happy"])
    assert found == [bool(w) for w in wanted]


def test_a_new_face_and_a_changed_label_get_heatmaps():
    budget = MapBudget(0)
    steps = [
        (ids(0), ["sad"], True),
        (ids(0), ["sad"], False),
        (ids(0, 1), ["sad", "sad"], True),  # a second face
        (ids(0, 1), ["sad", "fear"], False),
        (ids(0, 1), ["sad", "fear"], True),  # of the change just seen
        (ids(0, 1), ["sad", "fear"], False),
        (ids(), [], False),
        (ids(0), ["sad"], True),  # it was away
        (ids(-1), ["sad"], True),  # nobody knows whose it is
    ]
    for track_ids, labels, wanted in steps:
        assert budget.wants(track_ids) is wanted
        budget.saw(track_ids, labels)


def test_negative_time_constants_are_refused():
    with pytest.raises(ValueError, match="negative"):
        TrackAverage(-1, 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.4), st.integers(0, 6)), min_size=1, max_size=8))
def test_probabilities_still_sum_to_1(steps):
    stream, time_s = ProbabilityStream(), 0.0
    for dt, k in steps:
        time_s += dt
        out = stream.update(np.eye(7, dtype=np.float32)[[k]], ids(0), time_s)
        assert out.sum() == pytest.approx(1, abs=1e-5)
        assert (out >= 0).all()


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(np.float32, (3, 2, 6, 6), elements=st.floats(0, 100, width=32)),
)
def test_heatmaps_stay_between_0_and_1(frames):
    stream = HeatmapStream()
    for k, cams in enumerate(frames):
        heat = stream.update(cams, ids(0, 1), k / 10)
        assert heat.dtype == np.float32
        assert heat.shape == cams.shape
        assert heat.min() >= 0
        assert heat.max() <= 1


def blob(rng=None):
    yy, xx = np.mgrid[0:6, 0:6]
    cam = np.exp(-((yy - 3) ** 2 + (xx - 2) ** 2) / 4)
    return (cam if rng is None else cam + 0.02 * rng.random((6, 6))).astype(np.float32)[None]


def test_one_hot_cell_in_one_frame_does_not_dim_the_rest():
    stream = HeatmapStream(time_constant_s=0.3)
    for k in range(30):
        before = stream.update(blob(), ids(0), k / 30)
    hot = blob()
    hot[0, 0, 5] = 10 * hot.max()
    after = stream.update(hot, ids(0), 1.0)
    rest = np.ones((1, 6, 6), bool)
    rest[0, 0, 5] = False
    assert np.abs(after - before)[rest].max() < 0.1
    # Division by the maximum, for comparison, takes nine tenths away.
    assert np.abs(hot / hot.max() - blob())[rest].max() > 0.8


def test_the_hot_place_is_hot_and_the_scale_of_the_map_does_not_matter():
    heat = HeatmapStream().update(blob(), ids(0), 0.0)
    assert heat[0, 3, 2] == 1
    assert heat[0, 0, 5] == 0
    np.testing.assert_allclose(HeatmapStream().update(50 * blob(), ids(0), 0.0), heat, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_a_flat_map_is_cold(value):
    cams = np.full((1, 6, 6), value, np.float32)
    assert HeatmapStream().update(cams, ids(0), 0.0).max() == 0


def test_a_single_hot_cell_is_shown():
    cams = np.zeros((1, 6, 6), np.float32)
    cams[0, 2, 2] = 5
    heat = HeatmapStream().update(cams, ids(0), 0.0)
    assert heat[0, 2, 2] == 1
    assert heat.sum() == 1


def test_a_second_value_for_the_same_time_takes_the_firsts_place():
    twice, once = TrackAverage(0.5, 1.0), TrackAverage(0.5, 1.0)
    for stream in (twice, once):
        stream.update(one(1, 0), ids(3), 0.0)
    twice.update(one(0.7, 0.3), ids(3), 0.2)
    for time_s in (0.2, 0.4):
        np.testing.assert_array_equal(
            twice.update(one(0, 1), ids(3), time_s), once.update(one(0, 1), ids(3), time_s)
        )
