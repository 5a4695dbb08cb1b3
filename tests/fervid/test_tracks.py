import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.records import Faces
from fervid.tracks import FaceTracker, match


def faces(*centres, size=40):
    half = size / 2
    boxes = [[x - half, y - half, x + half, y + half] for x, y in centres]
    n = len(centres)
    return Faces(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(n, np.float32),
        np.zeros((n, 2, 2), np.float32),
        np.full(n, -1, np.int64),
    )


def ids(tracker, time_s, *centres):
    return tracker.update(faces(*centres), time_s).track_ids.tolist()


def test_ids_follow_faces_whatever_their_order():
    tracker = FaceTracker()
    assert ids(tracker, 0.0, (50, 50), (200, 50)) == [0, 1]
    assert ids(tracker, 0.1, (205, 52), (55, 51)) == [1, 0]


def test_a_face_that_moved_by_half_its_size_is_the_same_one():
    tracker = FaceTracker()
    ids(tracker, 0.0, (50, 50))
    assert ids(tracker, 0.1, (72, 50)) == [0]


def test_a_gap_is_survived_within_memory_and_not_beyond():
    tracker = FaceTracker(memory_s=1.0)
    ids(tracker, 0.0, (50, 50))
    assert ids(tracker, 0.5) == []
    assert ids(tracker, 1.0, (50, 50)) == [0]
    assert ids(tracker, 2.5, (50, 50)) == [1]


def test_a_cut_gives_new_ids():
    tracker = FaceTracker()
    ids(tracker, 0.0, (50, 50), (200, 50))
    assert ids(tracker, 0.04, (120, 200), (330, 210)) == [2, 3]


def test_a_face_of_another_size_beside_it_is_another_face():
    tracker = FaceTracker()
    tracker.update(faces((50, 50), size=30), 0.0)
    assert tracker.update(faces((60, 50), size=120), 0.1).track_ids.tolist() == [1]


def test_a_step_back_in_time_forgets_all():
    tracker = FaceTracker()
    ids(tracker, 5.0, (50, 50))
    assert ids(tracker, 0.0, (50, 50)) == [1]


def test_the_best_overlap_wins():
    known = np.array([[0, 0, 40, 40], [30, 0, 70, 40]], np.float32)
    found = np.array([[28, 0, 68, 40]], np.float32)
    assert match(known, found) == [(1, 0)]


def test_memory_is_finite():
    tracker = FaceTracker(memory_s=1.0)
    for k in range(100):
        ids(tracker, float(k) * 2, (50, 50))
    assert len(tracker._tracks) == 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=5), max_size=8)
)
def test_ids_are_distinct_in_a_frame_and_never_below_zero(frames):
    tracker = FaceTracker()
    for k, centres in enumerate(frames):
        out = ids(tracker, k / 10, *centres)
        assert len(set(out)) == len(out) == len(centres)
        assert all(track >= 0 for track in out)
