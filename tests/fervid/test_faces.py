import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from fervid import corruptions
from fervid.errors import ModelLoadError
from fervid.faces import FaceDetector, _stderr_to_log
from fervid.looks import (
    CLEAN_HEIGHT,
    CLOSE_UP_PX,
    NOISY_HEIGHT,
    close_up,
    detector_picture,
    look_picture,
    suppressed,
)
from fervid.records import Faces, Noise
from fervid.search import FaceSearch

GROUPS = Path(__file__).parents[3] / "shared" / "data" / "groups"
FACE = (176, 82, 272, 178)  # of skimage's astronaut


@pytest.fixture(scope="module")
def detector():
    with FaceDetector() as detector:
        yield detector


@pytest.fixture(scope="module")
def astronaut():
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def noise_of(kind, level, noisy, clean):
    severity = float(np.sqrt(np.mean((noisy.astype(np.float32) - clean) ** 2)) / 255)
    levels = np.zeros(3, np.float32)
    levels[("gaussian", "salt_pepper", "speckle").index(kind)] = level
    return Noise(kind, levels, severity, np.zeros(3, np.float32))


def iou(box, other):
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    common = np.prod(np.maximum(high - low, 0))
    return common / (
        np.prod(box[2:] - box[:2]) + np.prod(np.subtract(other[2:], other[:2])) - common
    )


def test_one_face_with_its_eyes_in_it(detector, astronaut):
    faces = detector.detect(astronaut, Noise.clean())
    assert len(faces) == 1
    assert iou(faces.boxes[0], FACE) > 0.8
    right, left = faces.eyes[0]
    assert right[0] < left[0]  # the person's right eye is on the left
    assert faces.track_ids.tolist() == [-1]
    for eye in (right, left):
        assert (faces.boxes[0, :2] < eye).all()
        assert (eye < faces.boxes[0, 2:]).all()


@pytest.mark.parametrize(
    ("kind", "level"), [("gaussian", 0.3), ("salt_pepper", 0.08), ("speckle", 0.08)]
)
def test_noise_at_the_papers_strongest_level_does_not_hide_it(detector, astronaut, kind, level):
    noisy = corruptions.CORRUPTIONS[kind](astronaut, level, np.random.default_rng(0))
    faces = detector.detect(noisy, noise_of(kind, level, noisy, astronaut))
    assert max(iou(box, FACE) for box in faces.boxes) > 0.6


def test_no_face_is_a_normal_value(detector):
    assert isinstance(detector.detect(np.zeros((90, 160, 3), np.uint8), Noise.clean()), Faces)
    assert len(detector.detect(np.zeros((90, 160, 3), np.uint8), Noise.clean())) == 0
    assert len(detector.detect(np.zeros((1, 1, 3), np.uint8), Noise.clean())) == 0


def test_boxes_are_clipped_to_the_frame(detector, astronaut):
    cut = astronaut[100:, 190:]
    faces = detector.detect(cut, Noise.clean())
    assert len(faces) >= 1
    assert (faces.boxes >= 0).all()
    assert (faces.boxes[:, 2:] <= (cut.shape[1], cut.shape[0])).all()


def test_a_face_below_the_least_size_is_left_out(astronaut):
    with FaceDetector(min_face_px=150) as detector:
        assert len(detector.detect(astronaut, Noise.clean())) == 0


def test_full_range_finds_every_face_of_a_group():
    if not GROUPS.exists():
        pytest.skip("the group photographs are not in ../shared/data")
    with FaceDetector("full") as detector:
        found = {
            name: len(detector.detect(cv2.imread(str(GROUPS / name)), Noise.clean()))
            for name in ("2007_007763.jpg", "2008_002079.jpg", "no_face_dogs.jpg")
        }
    assert found == {"2007_007763.jpg": 7, "2008_002079.jpg": 6, "no_face_dogs.jpg": 0}


def test_closing_twice_is_harmless():
    detector = FaceDetector()
    detector.close()
    detector.close()


def test_unknown_model_is_named():
    with pytest.raises(ModelLoadError, match="'long'"):
        FaceDetector("long")


def test_nothing_reaches_descriptor_2_and_it_still_works_afterwards():
    code = (
        "import sys, numpy as np\n"
        "from fervid.faces import FaceDetector\n"
        "from fervid.records import Noise\n"
        "with FaceDetector() as d:\n"
        "    d.detect(np.zeros((90, 160, 3), np.uint8), Noise.clean())\n"
        "print('still here', file=sys.stderr)\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert run.stderr == "still here\n"
    assert run.stdout == ""


def test_descriptor_2_comes_back_after_an_error(capfd, caplog):
    def fail():
        with _stderr_to_log():
            os.write(2, b"from C++\n")
            raise RuntimeError

    with caplog.at_level("DEBUG"), pytest.raises(RuntimeError):
        fail()
    os.write(2, b"for people\n")
    assert capfd.readouterr().err.endswith("for people\n")
    assert "mediapipe: from C++" in caplog.messages


def test_descriptor_2_comes_back_from_two_threads_at_once(capfd):
    inside, leave = threading.Event(), threading.Event()

    def first():
        with _stderr_to_log():
            inside.set()
            leave.wait(10)

    def second():
        inside.wait(10)
        with _stderr_to_log():
            threads[0].join(10)  # has left already where they take turns

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    time.sleep(0.2)  # the second one has come as far as it may
    leave.set()
    for thread in threads:
        thread.join(10)
    os.write(2, b"for people\n")
    assert capfd.readouterr().err.endswith("for people\n")


@pytest.mark.parametrize("corner", [(0, 0), (3838, 2158)])
def test_a_close_up_of_the_last_pixels_of_a_face_is_no_error(corner):
    noise = Noise("gaussian", np.array([0.3, 0, 0], np.float32), 0.3, np.zeros(3, np.float32))
    look = close_up("short", np.array([*corner, corner[0] + 2, corner[1] + 2], np.float32), 2.0)
    frame = np.zeros((2160, 3840, 3), np.uint8)
    assert look_picture(look, frame, noise).shape == (CLOSE_UP_PX, CLOSE_UP_PX, 3)


def test_picture_is_reduced_and_smoother_the_more_noise_there_is():
    clean = np.full((720, 1280, 3), 128, np.uint8)
    assert detector_picture(clean, Noise.clean())[0].shape == (CLEAN_HEIGHT, 640, 3)
    heights = []
    for sigma in (0.05, 0.2, 0.4, 0.8):
        noisy = corruptions.gaussian(clean, sigma, np.random.default_rng(0))
        picture, scale = detector_picture(noisy, noise_of("gaussian", sigma, noisy, clean))
        heights.append(picture.shape[0])
        assert scale == pytest.approx(picture.shape[0] / 720)
        assert np.std(picture[..., 1]) < 0.5 * np.std(noisy[..., 1])
    assert heights == sorted(heights, reverse=True)
    assert heights[0] == CLEAN_HEIGHT
    assert heights[-1] == NOISY_HEIGHT


def test_a_small_clean_frame_is_taken_as_it_is(astronaut):
    small = astronaut[:200, :200]
    picture, scale = detector_picture(small, Noise.clean())
    assert scale == 1
    assert picture is small


def test_of_boxes_that_cover_each_other_the_first_stays():
    boxes = np.array([[0, 0, 100, 100], [200, 0, 300, 100], [0, 0, 50, 50]], np.float32)
    scores = np.array([0.9, 0.7, 0.6], np.float32)
    faces = Faces(boxes, scores, np.zeros((3, 2, 2), np.float32), np.full(3, -1, np.int64))
    assert suppressed(faces).scores.tolist() == scores[:2].tolist()


@pytest.fixture(scope="module")
def auto():
    with FaceDetector("auto") as detector:
        yield detector


@pytest.fixture
def small_face(astronaut):
    """A frame in which the astronaut's face is 32 px wide, and its box."""
    frame = np.full((480, 640, 3), 118, np.uint8)
    third = cv2.resize(astronaut, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
    frame[280 : 280 + len(third), 30 : 30 + len(third)] = third
    return frame, np.array(FACE) / 3 + (30, 280, 30, 280)


def test_auto_finds_a_small_face_that_short_does_not(detector, auto, small_face):
    frame, box = small_face
    assert len(detector.detect(frame, Noise.clean())) == 0
    faces = auto.detect(frame, Noise.clean())
    assert len(faces) == 1
    assert iou(faces.boxes[0], box) > 0.5
    for eye in faces.eyes[0]:
        assert (faces.boxes[0, :2] < eye).all()
        assert (eye < faces.boxes[0, 2:]).all()


def test_auto_finds_the_same_in_the_same_frames(auto, small_face, astronaut):
    frames = [small_face[0]] * 4 + [np.ascontiguousarray(astronaut[:480])] * 3
    runs = []
    for _ in range(2):
        search = FaceSearch()
        found = [auto.detect(frame, Noise.clean(), search) for frame in frames]
        assert [len(faces) for faces in found] == [1] * 7
        runs.append(np.concatenate([faces.boxes for faces in found]))
    assert (runs[0] == runs[1]).all()


def test_auto_finds_nearly_every_face_of_a_group_and_none_in_dogs(auto):
    if not GROUPS.exists():
        pytest.skip("the group photographs are not in ../shared/data")
    seven, six, none = (
        len(auto.detect(cv2.imread(str(GROUPS / name)), Noise.clean()))
        for name in ("2007_007763.jpg", "2008_002079.jpg", "no_face_dogs.jpg")
    )
    assert (seven, none) == (7, 0)
    assert six >= 5


@pytest.mark.parametrize(
    ("kind", "level"), [("gaussian", 0.3), ("salt_pepper", 0.08), ("speckle", 0.08)]
)
def test_auto_finds_it_in_noise_and_nothing_else(auto, astronaut, kind, level):
    noisy = corruptions.CORRUPTIONS[kind](astronaut, level, np.random.default_rng(0))
    faces = auto.detect(noisy, noise_of(kind, level, noisy, astronaut))
    assert [iou(box, FACE) > 0.6 for box in faces.boxes] == [True]
