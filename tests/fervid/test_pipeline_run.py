"""Pipeline.run: every kind of source, closed at the end, nothing carried over, bounded memory."""

import gc
import itertools
import threading

import cv2
import numpy as np
import psutil
import pytest
from skimage.data import astronaut

import fervid
from fervid.capture import open_source
from fervid.config import SourceConfig
from fervid.errors import ModelLoadError, SourceOpenError, SourceReadError
from fervid.faces import FaceDetector
from tests import clips
from tests.backends import FakeBackend
from tests.fakes import FakeSource


@pytest.fixture(scope="module")
def detector():
    with FaceDetector() as opened:
        yield opened


@pytest.fixture
def pipeline(detector):
    with fervid.Pipeline(None, FakeBackend(), detector) as opened:
        yield opened


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)[:240, :320])


def threads():
    return [t for t in threading.enumerate() if t.name == "fervid-prefetch"]


def numbers(results):
    return [result.index for result in results]


def test_a_file_by_its_name_and_by_its_path(pipeline, tmp_path):
    path = clips.clip(tmp_path / "x.mp4", frames=6)
    assert numbers(pipeline.run(str(path))) == numbers(pipeline.run(path)) == list(range(6))
    assert threads() == []


def test_a_source_has_its_own_settings(detector, tmp_path):
    path, other = (clips.clip(tmp_path / f"{name}.mp4", frames=6) for name in "ab")
    own = SourceConfig(str(path), read={"every": 2})
    config = fervid.RunConfig(per_source=(own,))
    with fervid.Pipeline(config, FakeBackend(), detector) as pipeline:
        assert numbers(pipeline.run(path)) == [0, 2, 4]
        assert numbers(pipeline.run(other)) == list(range(6))


def test_an_open_source_is_closed_at_the_end(pipeline, tmp_path):
    source = FakeSource(3, size=clips.SIZE)
    assert numbers(pipeline.run(source)) == [0, 1, 2]
    assert source.closed
    with open_source(str(clips.clip(tmp_path / "x.mp4", frames=3))) as opened:
        assert numbers(pipeline.run(opened)) == [0, 1, 2]


def test_pictures_count_as_the_frames_of_a_rate(detector, portrait):
    config = fervid.RunConfig(read=fervid.ReadConfig(fps=10))
    with fervid.Pipeline(config, FakeBackend(), detector) as pipeline:
        times = [result.time_s for result in pipeline.run(itertools.repeat(portrait, 3))]
        backwards = (portrait[:, ::-1] for _ in range(1))  # a view that OpenCV would refuse
        (result,) = pipeline.run(backwards)
    assert times == [0.0, 0.1, 0.2]
    assert len(result.faces) == 1


def test_frames_keep_their_numbers_and_times(pipeline, portrait):
    given = [fervid.Frame(7, 1.5, portrait), fervid.Frame(9, 4.0, portrait)]
    found = list(pipeline.frames(given))
    assert [(r.index, r.time_s) for _, r in found] == [(7, 1.5), (9, 4.0)]
    assert all(frame is original for (frame, _), original in zip(found, given, strict=True))


def test_pictures_are_read_in_the_callers_thread(pipeline, portrait):
    seen = []

    def pictures():
        seen.append(threading.current_thread())
        yield portrait

    list(pipeline.run(pictures()))
    assert seen == [threading.current_thread()]


@pytest.mark.parametrize("live", [False, True])
def test_a_loop_left_early_closes_the_source(pipeline, live):
    source = FakeSource(10_000, live=live, size=clips.SIZE)
    for _ in pipeline.run(source):
        break
    assert source.closed
    assert threads() == []


def test_an_error_in_the_loop_closes_the_source(pipeline):
    source = FakeSource(100, size=clips.SIZE)

    def loop():
        for result in pipeline.run(source):
            1 / result.index

    with pytest.raises(ZeroDivisionError) as caught:
        loop()
    caught.value.__traceback__ = None  # it holds the loop
    gc.collect()
    assert source.closed
    assert threads() == []


def test_errors_of_a_source_arrive_as_they_are(pipeline, tmp_path):
    with pytest.raises(SourceOpenError, match="gone"):
        list(pipeline.run(tmp_path / "gone.mp4"))
    source, seen = FakeSource(2, error=SourceReadError("torn"), size=clips.SIZE), []
    with pytest.raises(SourceReadError, match="torn"):
        seen.extend(pipeline.run(source))
    assert numbers(seen) == [0, 1]


def test_what_is_no_picture_is_refused(pipeline):
    with pytest.raises(ValueError, match="uint8"):
        list(pipeline.run([np.zeros((48, 64, 3), np.float32)]))


def test_each_run_starts_anew(pipeline, portrait):
    noisy = fervid.corruptions.gaussian(portrait, 0.2, np.random.default_rng(0))
    for picture, kind in ((noisy, "gaussian"), (portrait, "clean")):
        results = list(pipeline.run([picture] * 2))
        assert [r.noise.kind for r in results] == [kind] * 2
        assert [r.faces.track_ids.tolist() for r in results] == [[0], [0]]


def test_two_runs_at_once_are_refused(pipeline, portrait):
    first, second = pipeline.run([portrait] * 3), pipeline.run([portrait] * 3)
    next(first)
    next(second)
    with pytest.raises(RuntimeError, match="Another run"):
        next(first)
    assert len(list(second)) == 2


def test_without_a_backend_the_model_of_the_config_is_opened_and_closed(tmp_path, portrait):
    wrong = fervid.RunConfig(model=fervid.ModelConfig(model=tmp_path / "gone.onnx"))
    with pytest.raises(ModelLoadError, match=r"gone\.onnx"):
        fervid.Pipeline(wrong)
    with fervid.Pipeline() as pipeline:
        (result,) = pipeline.run([portrait])
        backend = pipeline._backend
    assert result.labels[0] in pipeline.classes
    with pytest.raises(ModelLoadError, match="was closed"):
        backend.run(np.zeros((1, 3, 48, 48), np.float32), np.zeros(1, np.float32), np.zeros(1, int))
    with pytest.raises(ValueError, match="pipeline is closed"):
        pipeline.process(fervid.Frame(0, 0.0, portrait))


def test_what_was_given_stays_open(detector, portrait):
    backend = FakeBackend()
    with fervid.Pipeline(None, backend, detector) as pipeline:
        list(pipeline.run([portrait]))
    assert backend.closed == 0
    assert len(detector.detect(portrait)) == 1


def test_a_closed_detector_says_so(portrait):
    detector = FaceDetector()
    detector.close()
    detector.close()
    with pytest.raises(ValueError, match="detector is closed"):
        detector.detect(portrait)


class Lean(FakeBackend):
    """Does not keep what it saw."""

    def run(self, images, eta, target):
        output = super().run(images, eta, target)
        self.seen.clear()
        return output


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_a_source(detector, portrait):
    """Faces come and go, so that tracks begin and end; a frame has 230 kB."""
    blank = np.full_like(portrait, 90)

    def walk(n):
        for index in range(n):
            seen = index % 80 < 20  # then gone for longer than a track is remembered
            yield np.roll(portrait, index % 7, axis=1) if seen else blank.copy()

    def state():
        gc.collect()
        frames = sum(type(o) in (fervid.Frame, fervid.FrameResult) for o in gc.get_objects())
        return psutil.Process().memory_info().rss / 1e6, len(gc.get_objects()), frames

    tracks, states = set(), []
    *_, others = state()  # of other tests
    config = fervid.RunConfig(read=fervid.ReadConfig(fps=15))
    with fervid.Pipeline(config, Lean(), detector) as pipeline:
        for result in pipeline.run(walk(481)):
            tracks.update(result.faces.track_ids.tolist())
            if result.index % 160 == 159:
                states.append(state())
    (_, _, _), (rss_1, objects_1, frames_1), (rss_2, objects_2, frames_2) = states
    assert len(tracks) >= 6
    assert rss_2 - rss_1 < 10  # 160 frames have 37 MB
    assert abs(objects_2 - objects_1) < 100
    # Read ahead, and the one that could be looked at again.
    assert max(frames_1, frames_2) - others <= 6
