"""Every number of threads reaches the library that it is for."""

import cv2
import pytest

import fervid
from fervid.capture import open_source
from fervid.silence import silent_opencv
from fervid.sinks.video import VideoSink
from fervid.threads import opencv_threads
from tests import clips
from tests.backends import FakeBackend
from tests.results import header


def test_opencv_gets_its_number_back():
    before = cv2.getNumThreads()

    def fails():
        with opencv_threads(before + 1):
            assert cv2.getNumThreads() == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert cv2.getNumThreads() == before
    with opencv_threads(0):
        assert cv2.getNumThreads() == before


def test_opencv_gets_its_number_back_from_runs_that_overlap():
    before = cv2.getNumThreads()
    first, second = opencv_threads(before + 1), opencv_threads(before + 2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert cv2.getNumThreads() == before + 2
    second.__exit__(None, None, None)
    assert cv2.getNumThreads() == before


def test_opencv_gets_its_voice_back_from_cameras_that_are_opened_at_once():
    before = cv2.utils.logging.getLogLevel()
    first, second = silent_opencv(), silent_opencv()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT
    second.__exit__(None, None, None)
    assert cv2.utils.logging.getLogLevel() == before


@pytest.mark.parametrize("number", [1, 3])
def test_a_run_has_the_threads_of_its_configuration(tmp_path, number):
    class Count:
        wants_pixels, counted = False, 0

        def write(self, frame, result, drawn):
            self.counted = cv2.getNumThreads()

        def close(self):
            pass

    count, before = Count(), cv2.getNumThreads()
    config = fervid.RunConfig(cores=fervid.ThreadConfig(filter_threads=number))
    clip = clips.clip(tmp_path / "a.mp4", frames=2)
    fervid.analyse(clip, config=config, sinks=[count], backend=FakeBackend())
    assert count.counted == number
    assert cv2.getNumThreads() == before


@pytest.mark.parametrize("number", [1, 3])
def test_decoder_and_encoder_get_theirs(tmp_path, number):
    clip = clips.clip(tmp_path / "a.mp4", frames=5)
    with open_source(str(clip), threads=number) as source:
        assert source._stream.codec_context.thread_count == number
        assert len(list(source)) == 5
    sink = VideoSink(tmp_path / "b.mp4", header("a.mp4"), threads=number)
    assert sink._stream.codec_context.thread_count == number
    sink.close()


@pytest.mark.parametrize("spin", [False, True])
def test_idle_threads_of_the_network_wait_as_told(spin):
    from fervid.backends.onnx_backend import session_options

    options = session_options(2, spin)
    assert options.intra_op_num_threads == 2
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == str(int(spin))
