import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.records import Faces
from fervid.tracks import FaceTracker

SKIN, PALE = (120, 150, 200), (190, 190, 195)


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


def stay(tracker, *centres, until_s=0.5, bgr=None):
    """Show these faces, unmoved, 30 times a second from 0 s on."""
    for k in range(round(until_s * 30)):
        out = tracker.update(faces(*centres), k / 30, bgr)
    return out.track_ids.tolist()


def painted(*people, height=120, width=400):
    """A picture with faces of 40 px, each (x, y, colour)."""
    rng = np.random.default_rng(0)
    out = np.full((height, width, 3), 90, np.uint8)
    for x, y, colour in people:
        face = np.array(colour) + rng.normal(0, 8, (40, 40, 1))
        out[y - 20 : y + 20, x - 20 : x + 20] = face.clip(0, 255)
    return out


def test_ids_follow_faces_whatever_their_order():
    tracker = FaceTracker()
    assert ids(tracker, 0.0, (50, 50), (200, 50)) == [0, 1]
    assert ids(tracker, 0.1, (205, 52), (55, 51)) == [1, 0]


def test_a_face_that_moved_by_half_its_size_is_the_same_one():
    tracker = FaceTracker()
    ids(tracker, 0.0, (50, 50))
    assert ids(tracker, 0.1, (72, 50)) == [0]


@pytest.mark.parametrize("gap_s", [0.1, 0.5, 1.0, 1.9])
def test_a_hand_over_the_face_does_not_change_its_id(gap_s):
    tracker, bgr = FaceTracker(), painted((50, 50, SKIN))
    stay(tracker, (50, 50), bgr=bgr)
    for k in range(15, 15 + round(gap_s * 30)):
        assert ids(tracker, k / 30) == []
    assert tracker.update(faces((52, 51)), 0.5 + gap_s, bgr).track_ids.tolist() == [0]


def test_a_face_is_forgotten_after_memory():
    tracker = FaceTracker(memory_s=1.0)
    ids(tracker, 0.0, (50, 50))
    assert ids(tracker, 1.1, (50, 50)) == [1]


@pytest.mark.parametrize("rate", [8, 15, 30])
@pytest.mark.parametrize("sides_per_s", [1, 2, 4])
@pytest.mark.parametrize("hidden", [True, False])
def test_two_people_cross(rate, sides_per_s, hidden):
    tracker = FaceTracker()
    for k in range(round(5 / sides_per_s * rate)):
        x = (k / rate * sides_per_s - 2.5) * 40
        behind, front = (200 + x, 60), (200 - x, 64)
        if hidden and abs(x) < 12:  # the one in front covers the other
            assert ids(tracker, k / rate, front) == [1]
        else:
            assert ids(tracker, k / rate, behind, front) == [0, 1]


def test_who_turns_back_is_not_taken_for_who_did_not():
    """They meet, the second hides the first for .2 s, and both go back where they came from."""
    tracker = FaceTracker()
    looks = (SKIN, PALE)
    for k in range(90):
        gap = max(abs(k - 45) * 2, 8)
        centres = [(200 - gap, 60), (200 + gap, 60)]
        bgr = painted(*((*c, look) for c, look in zip(centres, looks, strict=True)))
        hidden = abs(k - 45) < 3
        out = tracker.update(faces(*centres[hidden:]), k / 30, bgr)
        assert out.track_ids.tolist() == [0, 1][hidden:]


def test_a_lost_detection_now_and_then_changes_nothing():
    rng = np.random.default_rng(0)
    tracker, seen = FaceTracker(), set()
    for k in range(300):
        x = 200 + 60 * np.sin(k / 20)
        centres = [(x, 60), (x + 90, 62)]
        kept = np.flatnonzero(rng.random(2) >= 0.3)
        out = ids(tracker, k / 15, *(centres[i] for i in kept))
        seen.update(zip(kept.tolist(), out, strict=True))
    assert len(seen) == 2


def test_another_person_at_the_same_place_gets_another_id():
    tracker = FaceTracker()
    stay(tracker, (50, 50), bgr=painted((50, 50, SKIN)))
    other = tracker.update(faces((50, 50)), 1.5, painted((50, 50, PALE)))
    assert other.track_ids.tolist() == [1]


def test_a_cut_to_another_person_gives_another_id_at_once():
    tracker = FaceTracker()
    stay(tracker, (50, 50), bgr=painted((50, 50, SKIN)))
    other = tracker.update(faces((50, 50)), 0.5, painted((50, 50, PALE)))
    assert other.track_ids.tolist() == [1]


def test_a_face_that_was_hidden_by_another_box_is_known_afterwards():
    """While boxes share most of their pixels nothing is learned of either one's looks."""
    tracker, bgr = FaceTracker(), painted((60, 60, SKIN))
    for k in range(30):
        doubled = [(60, 60), (66, 60)] if k >= 15 else [(60, 60)]
        out = tracker.update(faces(*doubled), k / 30, bgr).track_ids.tolist()
    moved = painted((66, 62, SKIN))
    assert tracker.update(faces((66, 62)), 2.4, moved).track_ids.tolist() == out[:1]


def test_a_lamp_that_goes_out_changes_no_id():
    tracker, bgr = FaceTracker(), painted((50, 50, SKIN))
    stay(tracker, (50, 50), bgr=bgr)
    darker = tracker.update(faces((50, 50)), 0.5, (bgr * 0.5).astype(np.uint8))
    assert darker.track_ids.tolist() == [0]


def test_a_false_detection_steals_no_id():
    tracker = FaceTracker()
    stay(tracker, (50, 50), (200, 50))
    assert ids(tracker, 0.5, (92, 80), (200, 50)) == [2, 1]  # the first face is missed meanwhile
    assert ids(tracker, 0.54, (50, 50), (200, 50)) == [0, 1]


def test_a_cut_gives_new_ids():
    tracker = FaceTracker()
    stay(tracker, (50, 50), (200, 50))
    assert ids(tracker, 0.5, (120, 200), (330, 210)) == [2, 3]


def test_a_face_of_another_size_beside_it_is_another_face():
    tracker = FaceTracker()
    tracker.update(faces((50, 50), size=30), 0.0)
    assert tracker.update(faces((60, 50), size=120), 0.1).track_ids.tolist() == [1]


def test_a_step_back_in_time_forgets_all():
    tracker = FaceTracker()
    ids(tracker, 5.0, (50, 50))
    assert ids(tracker, 0.0, (50, 50)) == [1]


def test_memory_is_finite():
    tracker = FaceTracker(memory_s=1.0)
    for k in range(100):
        ids(tracker, float(k) * 2, (50, 50))
    assert len(tracker._tracks) == 1


def test_memory_may_not_be_negative():
    with pytest.raises(ValueError, match="memory_s"):
        FaceTracker(memory_s=-1)


def test_the_same_frame_twice_keeps_ids():
    tracker = FaceTracker()
    for _ in range(3):
        assert ids(tracker, 1.0, (50, 50), (200, 50)) == [0, 1]


def test_four_faces_cost_little():
    rng = np.random.default_rng(0)
    bgr = rng.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    found = faces((200, 200), (500, 200), (800, 200), (1100, 200), size=200)
    tracker, spent = FaceTracker(), []
    for k in range(100):
        start = time.perf_counter()
        tracker.update(found, k / 30, bgr)
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.001  # .2 ms when nothing else runs


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=5), max_size=8),
    st.floats(0, 3),
)
def test_ids_are_distinct_never_negative_never_reused_and_repeatable(frames, step_s):
    trackers, gone, last = (FaceTracker(), FaceTracker()), set(), set()
    for k, centres in enumerate(frames):
        out, again = (ids(tracker, k * step_s, *centres) for tracker in trackers)
        assert out == again
        assert len(set(out)) == len(out) == len(centres)
        assert all(track >= 0 for track in out)
        if step_s > 2:  # longer than memory: every frame begins anew
            gone |= last
            assert not gone & set(out)
        last = set(out)
