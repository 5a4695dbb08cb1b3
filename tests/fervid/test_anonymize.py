"""Nothing of a face is left: by construction, and for a detector that looks for it."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fervid.anonymize import MEMORY_S, Anonymizer, cover, head_region
from fervid.capture import open_source
from fervid.faces import FaceDetector
from fervid.records import Faces, Noise
from fervid.tracks import FaceTracker
from tests import clips
from tests.places import SAMPLE

METHODS = ("blur", "pixelate", "box")
SIZE = (120, 90)


def faces(*boxes, ids=None):
    n = len(boxes)
    return Faces(
        np.array(boxes, np.float32).reshape(n, 4),
        np.ones(n, np.float32),
        np.zeros((n, 2, 2), np.float32),
        np.array(range(n) if ids is None else ids, np.int64),
    )


def noisy(seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)


BOX = st.tuples(st.integers(-20, 119), st.integers(-20, 89), st.integers(1, 90), st.integers(1, 90))


@pytest.mark.parametrize("method", METHODS)
@given(st.lists(BOX, min_size=1, max_size=4))
def test_nothing_inside_a_region_can_change_the_picture(method, rects):
    regions = [
        (max(0, x), max(0, y), min(SIZE[0], x + w), min(SIZE[1], y + h)) for x, y, w, h in rects
    ]
    a = noisy(1)
    b = a.copy()
    for x0, y0, x1, y1 in regions:
        b[y0:y1, x0:x1] = noisy(2)[y0:y1, x0:x1]
    hidden = cover(a, regions, method)
    assert np.array_equal(hidden, cover(b, regions, method))
    outside = np.ones(a.shape[:2], bool)
    for x0, y0, x1, y1 in regions:
        outside[y0:y1, x0:x1] = False
    assert np.array_equal(hidden[outside], a[outside])


def test_a_region_holds_the_box_and_the_head_above_it():
    x0, y0, x1, y1 = head_region(np.array([40, 40, 60, 60], np.float32), (200, 200))
    assert x1 - x0 >= 1.4 * 20
    assert y0 <= 40 - 0.3 * 20
    assert y1 >= 60


def test_the_frame_stays_as_it_is_and_no_face_changes_nothing():
    bgr = noisy()
    before = bgr.copy()
    for method in METHODS:
        assert not np.array_equal(Anonymizer(method).hide(bgr, faces((30, 30, 60, 60)), 0.0), bgr)
        assert np.array_equal(Anonymizer(method).hide(bgr, faces(), 0.0), bgr)
    assert np.array_equal(bgr, before)


def hidden_px(anonymizer, found, time_s):
    bgr = np.full((90, 120, 3), 200, np.uint8)
    return int((anonymizer.hide(bgr, found, time_s) != 200).any(2).sum())


def test_a_missed_face_stays_hidden_in_a_growing_region_for_a_second():
    hider = Anonymizer("box")
    first = hidden_px(hider, faces((50, 40, 60, 50)), 0.0)
    areas = [hidden_px(hider, faces(), t) for t in (0.2, 0.6, MEMORY_S)]
    assert first < areas[0] < areas[1] < areas[2]
    assert hidden_px(hider, faces(), MEMORY_S + 0.01) == 0


def test_a_face_that_moved_is_hidden_once_and_another_does_not_replace_it():
    hider = Anonymizer("box")
    one = hidden_px(hider, faces((20, 30, 30, 40), ids=[4]), 0.0)
    assert hidden_px(hider, faces((80, 30, 90, 40), ids=[4]), 0.1) == one
    assert hidden_px(hider, faces((20, 30, 30, 40), ids=[5]), 0.1) == 2 * one


def test_faces_that_are_not_followed_are_remembered_as_well():
    hider = Anonymizer("box")
    one = hidden_px(hider, faces((20, 30, 30, 40), ids=[-1]), 0.0)
    assert hidden_px(hider, faces((80, 30, 90, 40), ids=[-1]), 0.0) == 2 * one


def test_a_step_back_in_time_uncovers_nothing():
    hider = Anonymizer("box")
    one = hidden_px(hider, faces((20, 30, 30, 40)), 50.0)
    assert hidden_px(hider, faces(), 0.0) == one
    assert hidden_px(hider, faces(), 0.9) > one


def seen_in(path, count, step):
    """Frames of a clip with the faces found in them: (frame, faces)."""
    tracker = FaceTracker()
    with open_source(str(path)) as source, FaceDetector() as detector:
        for frame in itertools.islice(source, 0, count * step, step):
            found = detector.detect(frame.bgr, Noise.clean())
            yield frame, tracker.update(found, frame.time_s)


def likeness(a, b):
    """Correlation of the detail of two pictures (what an 8 px mean does not keep), 0 to 1."""
    grey = [cv2.cvtColor(p, cv2.COLOR_BGR2GRAY) for p in (a, b)]
    a, b = (cv2.resize(g, (48, 48), interpolation=cv2.INTER_AREA).astype(float) for g in grey)
    a, b = (p - cv2.blur(p, (8, 8)) for p in (a, b))
    return abs(float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum() + 1e-9)))


def centres_in(found, boxes):
    """How many faces lie with their centre in one of some boxes."""
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    return sum(any((b[:2] <= c).all() and (c < b[2:]).all() for b in boxes) for c in centres)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["sample", "single_face.mp4", "emotion_change_occlusion.mp4"])
def test_a_detector_finds_no_face_and_no_detail_is_left(method, name):
    path = SAMPLE if name == "sample" else clips.real(name)
    hider, found_before, found_after, alike = Anonymizer(method), 0, 0, []
    with FaceDetector() as detector:
        for frame, found in seen_in(path, 12, 5):
            hidden = hider.hide(frame.bgr, found, frame.time_s)
            found_before += len(found)
            # A dark picture without its face makes the detector see some in a wooden wall.
            found_after += centres_in(detector.detect(hidden, Noise.clean()), found.boxes)
            for x0, y0, x1, y1 in found.boxes.astype(int):
                alike.append(likeness(frame.bgr[y0:y1, x0:x1], hidden[y0:y1, x0:x1]))
    print(f"{method} {name}: faces {found_before} -> {found_after}, likeness {np.mean(alike):.3f}")  # noqa: T201
    assert found_before >= 10
    assert found_after == 0
    assert np.mean(alike) < 0.15
