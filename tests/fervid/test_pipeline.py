"""One frame through all stages, with a real detector and a fake network."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from fervid import corruptions
from fervid.config import ExplainConfig, FaceConfig, FilterConfig, RunConfig
from fervid.cropper import Cropper
from fervid.faces import FaceDetector
from fervid.pipeline import Pipeline, largest
from fervid.records import Faces, Frame, Noise
from tests.backends import FakeBackend, Sparing

STAGES = ["noise", "faces", "crops", "network", "explain"]


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)[:360, :480])


def process(config, bgr, n=1, backend=None):
    with Pipeline(config, backend or FakeBackend()) as pipeline:
        return [pipeline.process(Frame(i, i / 25, bgr)) for i in range(n)]


def test_a_clean_portrait(portrait):
    backend = FakeBackend()
    first, second = process(RunConfig(("x",)), portrait, 2, backend)
    assert len(first.faces) == 1
    assert (first.noise.kind, first.filter_name) == ("clean", "none")
    assert first.eta.tolist() == [0.0]
    assert list(first.timings.stages_ms) == STAGES
    assert first.probabilities.sum(1) == pytest.approx([1])
    assert first.faces.track_ids.tolist() == second.faces.track_ids.tolist() == [0]
    assert first.heatmaps.min() >= 0
    assert first.heatmaps.max() <= 1
    images, eta, target = backend.seen[0]
    assert images.shape == (1, 3, 48, 48)
    assert (eta.dtype, target.tolist()) == (np.float32, [-1])


@pytest.mark.parametrize(
    ("kind", "level", "expected"),
    [
        ("gaussian", 0.15, "gaussian"),
        ("salt_pepper", 0.05, "median"),
        ("speckle", 0.06, "bilateral"),
    ],
)
def test_the_filter_follows_the_noise(portrait, kind, level, expected):
    noisy = corruptions.CORRUPTIONS[kind](portrait, level, np.random.default_rng(0))
    result = process(RunConfig(("x",)), noisy)[0]
    assert (result.noise.kind, result.filter_name) == (kind, expected)
    assert len(result.faces) == 1
    assert 0 < result.eta[0] < result.noise.severity


def test_a_filter_that_was_named_is_used_whatever_the_noise(portrait):
    config = RunConfig(("x",), filter=FilterConfig(filter="bilateral"))
    assert process(config, portrait)[0].filter_name == "bilateral"


def test_the_cards_table_overrides_the_papers(portrait):
    backend = FakeBackend()
    backend.card = backend.card.replace(filters={"gaussian": "none"})
    noisy = corruptions.gaussian(portrait, 0.1, np.random.default_rng(0))
    assert process(RunConfig(("x",)), noisy, 1, backend)[0].filter_name == "none"


class OneFace:
    """Stands in for the detector: one face of a given size in every frame."""

    def __init__(self, px):
        self.px = px

    def detect(self, bgr, noise, search):
        box = np.array([[100, 100, 100 + self.px, 100 + self.px]], np.float32)
        one = (np.ones(1, np.float32), np.zeros((1, 2, 2), np.float32), np.zeros(1, np.int64))
        return Faces(box, *one)


@pytest.mark.parametrize(("px", "expected"), [(40, "deblock"), (80, "none")])
def test_small_faces_in_blocks_are_smoothed(portrait, px, expected):
    coded = corruptions.jpeg(portrait, 5, np.random.default_rng(0))
    with Pipeline(RunConfig(("x",)), FakeBackend(), OneFace(px)) as pipeline:
        result = pipeline.process(Frame(0, 0.0, coded))
    assert result.noise.quality[0] > 0.5
    assert (result.noise.kind, result.filter_name) == ("clean", expected)


def test_without_faces_the_reason_does_not_speak_of_large_ones():
    quality = np.array([0.9, 0, 0], np.float32)
    blocked = Noise("clean", np.zeros(3, np.float32), 0.0, quality)
    cropper = Cropper(FakeBackend().card, "tuned")
    name = cropper.filter_name("auto", blocked, Faces.empty())
    assert (name, cropper.reason(name, "auto", blocked)) == ("deblock", "blocks")


def test_heatmaps_are_held_between_those_that_are_made(portrait):
    config = RunConfig(explain=ExplainConfig(map_every=3))
    backend = Sparing()
    first, second, third, fourth = process(config, portrait, 4, backend)
    assert backend.made == [True, False, False, True]
    np.testing.assert_array_equal(second.heatmaps, first.heatmaps)
    np.testing.assert_array_equal(third.heatmaps, first.heatmaps)
    assert first.heatmaps.any()
    assert fourth.heatmaps.any()


def test_nobody_looks_and_no_heatmap_is_made(portrait):
    backend = Sparing()
    with Pipeline(RunConfig(), backend, maps=False) as pipeline:
        result = pipeline.process(Frame(0, 0.0, portrait))
    assert backend.made == [False]
    assert result.heatmaps.shape == (1, 48, 48)
    assert not result.heatmaps.any()


def test_no_face_is_a_normal_value():
    backend = FakeBackend()
    sky = np.full((240, 320, 3), 180, np.uint8)
    result = process(RunConfig(("x",)), sky, 1, backend)[0]
    assert len(result.faces) == 0
    assert result.probabilities.shape == (0, 7)
    assert result.labels == ()
    assert backend.seen == []


def test_at_most_max_faces_and_the_largest_stay():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 40, 40], [0, 0, 20, 20]], np.float32)
    faces = Faces(
        boxes, np.ones(3, np.float32), np.zeros((3, 2, 2), np.float32), np.arange(3, dtype=np.int64)
    )
    assert largest(faces, 2).track_ids.tolist() == [1, 2]
    assert largest(faces, 3) is faces


def test_probabilities_are_smoothed_and_the_raw_ones_kept(portrait):
    with Pipeline(RunConfig(("x",)), FakeBackend()) as pipeline:
        pipeline.process(Frame(0, 0.0, portrait))
        darker = pipeline.process(Frame(1, 0.1, (portrait * 0.6).astype(np.uint8)))
    assert len(darker.faces) == 1
    change = np.abs(darker.smoothed - darker.probabilities).max()
    assert change > 1e-3


def test_closing_twice_is_harmless_and_the_backend_stays_open(portrait):
    backend = FakeBackend()
    pipeline = Pipeline(RunConfig(("x",), explain=ExplainConfig(cam="gradcam")), backend)
    pipeline.close()
    pipeline.close()
    assert backend.closed == 0


def test_a_detector_can_be_given(portrait):
    with FaceDetector("short", 0.5, 20) as detector:
        pipeline = Pipeline(
            RunConfig(("x",), faces=FaceConfig(max_faces=1)), FakeBackend(), detector
        )
        assert len(pipeline.process(Frame(0, 0.0, portrait)).faces) == 1


def test_what_counts_in_frames_does_not_reach_over_a_loss_of_the_source(portrait):
    """Five noisy frames vote; after a loss the first clean one speaks for itself."""
    noisy = corruptions.gaussian(portrait, 0.2, np.random.default_rng(0))

    def kinds(*connections):
        with Pipeline(backend=FakeBackend()) as pipeline:
            return [
                pipeline.process(
                    Frame(n, n / 25, noisy if n < 5 else portrait, connection)
                ).noise.kind
                for n, connection in enumerate(connections)
            ]

    assert kinds(*[0] * 6) == ["gaussian"] * 6
    assert kinds(*[0] * 5, 1) == ["gaussian"] * 5 + ["clean"]


def test_faces_are_looked_for_anew_after_a_loss(portrait):
    def looks(connection):
        with Pipeline(backend=FakeBackend()) as pipeline:
            pipeline.process(Frame(0, 0.0, portrait))
            before = pipeline._search
            ids = pipeline.process(Frame(1, 0.1, portrait, connection)).faces.track_ids.tolist()
            return pipeline._search is before, ids

    assert looks(0) == (True, [0])
    assert looks(1) == (False, [0])  # within the seconds that a track is remembered
