"""The search for faces beside the rest: in order, in one thread, never in a closed detector."""

import json
import threading
from concurrent.futures import Future
from threading import Condition, Event

import numpy as np
import pytest

import fervid
from fervid.controls import View
from fervid.errors import ModelLoadError
from fervid.passage import Passage, Seeker
from fervid.records import Faces
from tests import clips
from tests.backends import FakeBackend

PICTURE = np.full((48, 64, 3), 90, np.uint8)
VIEW = View("auto", "gradcam")


class Detector:
    """Finds nothing, once it is allowed to; knows what it was asked and whether it was closed."""

    def __init__(self):
        self.may, self.begun = Event(), Event()
        self.asked, self.threads, self.closed_inside = [], set(), False
        self._inside = self.closed = False

    def detect(self, bgr, noise=None, search=None):
        self._inside = True
        self.begun.set()
        assert self.may.wait(10)
        self.asked.append(int(bgr[0, 0, 0]))
        self.threads.add(threading.current_thread().name)
        self._inside = False
        return Faces.empty()

    def close(self):
        self.closed, self.closed_inside = True, self._inside


@pytest.fixture
def detector(monkeypatch):
    made = Detector()
    monkeypatch.setattr("fervid.pipeline.FaceDetector", lambda *_: made)
    return made


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [t for t in threading.enumerate() if t.name.startswith("fervid-seeker")]


def frame(index, grey=90):
    return fervid.Frame(index, index / 25, np.full_like(PICTURE, grey))


def test_frames_enter_while_one_is_searched_and_leave_in_their_order(detector):
    news = Condition()
    with Seeker(news) as seeker, fervid.Pipeline(backend=FakeBackend()) as pipeline:
        way = Passage(pipeline, seeker.begin)
        for n in range(3):
            way.enter(frame(n, grey=10 + n), n, VIEW, wait_s=n / 8)
        assert (len(way), way.found, way.answered) == (3, False, False)
        detector.may.set()
        for n in range(3):
            with news:
                assert news.wait_for(lambda: way.found, 10)
            answer = Future()
            way.ask(lambda prepared, answer=answer: answer)
            assert not way.answered
            answer.set_result(nothing(pipeline))
            assert way.answered
            left, result, wait_s = way.conclude()
            assert (left.index, result.index, result.dropped, wait_s) == (n, n, n, n / 8)
            assert result.timings.stages_ms.keys() >= {"noise", "faces", "crops", "explain"}
    assert detector.asked == [10, 11, 12]
    assert {name.rpartition("_")[0] for name in detector.threads} == {"fervid-seeker"}
    assert not way


def nothing(pipeline):
    """The network's output for a frame without faces."""
    n = len(pipeline.classes)
    return fervid.ModelOutput(
        np.zeros((0, n), np.float32),
        np.zeros((0, n, 1, 1), np.float32),
        np.zeros((0, 4, 1, 1), np.float32),
    )


def test_a_detector_in_use_is_not_closed(detector):
    with Seeker(Condition()) as seeker:
        pipeline = fervid.Pipeline(backend=FakeBackend())
        way = Passage(pipeline, seeker.begin)
        way.enter(frame(0), 0, VIEW, 0.0)
        assert detector.begun.wait(10)
        closing = threading.Thread(target=pipeline.close)
        closing.start()
        closing.join(0.2)
        assert closing.is_alive()
        assert not detector.closed
        detector.may.set()
        closing.join(10)
    assert detector.closed
    assert not detector.closed_inside


def test_a_search_that_fails_ends_its_source_and_not_the_others(tmp_path, monkeypatch):
    class Picky:
        def __init__(self, *_):
            pass

        def detect(self, bgr, noise=None, search=None):
            if bgr.shape[1] == 96:
                raise ModelLoadError("the detector is gone")
            return Faces.empty()

        def close(self):
            pass

    monkeypatch.setattr("fervid.pipeline.FaceDetector", Picky)
    names = [
        clips.clip(tmp_path / f"{width}.mp4", frames=8, size=(width, 48)) for width in (96, 64)
    ]
    with pytest.raises(fervid.FervidError, match="1 of 2 sources failed"):
        fervid.analyse(*names, out=tmp_path / "out", backend=FakeBackend())
    failed, other = (
        json.loads((tmp_path / "out" / name / "summary.json").read_text()) for name in ("96", "64")
    )
    assert (failed["frames"], failed["error"]) == (0, "the detector is gone")
    assert (other["frames"], other["error"]) == (8, None)
