"""What every sink must keep to; a new one is tested by being added to SINKS below."""

from importlib import import_module

import numpy as np
import pytest

from fervid import sinks
from fervid.records import Faces, Frame, FrameResult, Noise, SourceInfo, Timings
from fervid.sinks import RunHeader
from samples.custom_sink import ChangeLog

CLASSES = ("angry", "happy")
PICTURE = np.full((48, 64, 3), 90, np.uint8)


def of_fervid(entry):
    """Opens a sink of fervid's table."""
    module, _, name = entry.partition(":")
    info = SourceInfo("a.mp4", "a.mp4", 64, 48, False)
    header = RunHeader(info, "tiny", "", CLASSES, {}, "0")
    return lambda path: getattr(import_module(module), name)(path, header)


SINKS = {name: of_fervid(entry) for name, entry in sinks.SINKS.items()}
SINKS["sample"] = ChangeLog


@pytest.fixture(params=SINKS)
def opened(request, tmp_path):
    """A sink and the place where it writes."""
    path = tmp_path / "output"
    sink = SINKS[request.param](path)
    yield sink, path
    sink.close()


def result(index, faces):
    n, k = faces, len(CLASSES)
    boxes = np.tile(np.array([10, 5, 40, 35], np.float32), (n, 1)).reshape(n, 4)
    eyes, ids = np.zeros((n, 2, 2), np.float32), np.arange(n, dtype=np.int64)
    return FrameResult(
        index=index,
        time_s=index / 25,
        faces=Faces(boxes, np.full(n, 0.9, np.float32), eyes, ids),
        noise=Noise.clean(),
        filter_name="none",
        eta=np.zeros(n, np.float32),
        classes=CLASSES,
        probabilities=np.full((n, k), 0.5, np.float32),
        smoothed=np.full((n, k), 0.5, np.float32),
        labels=("happy",) * n,
        uncertain=np.zeros(n, np.bool_),
        reasons=((),) * n,
        heatmaps=np.zeros((n, 48, 48), np.float32),
        crop_boxes=boxes,
        timings=Timings(),
        crops=np.full((n, 48, 48), 90, np.uint8),
    )


def write(sink, counts):
    """Write frames with so many faces each."""
    for index, faces in enumerate(counts):
        drawn = PICTURE.copy() if sink.wants_pixels else None
        sink.write(Frame(index, index / 25, PICTURE), result(index, faces), drawn)


def test_one_face_none_and_several(opened):
    sink, path = opened
    write(sink, [1] * 25 + [0, 3, 0])  # a second, which makes a subtitle
    sink.close()
    sink.close()  # closing twice is harmless
    assert path.is_dir() or path.stat().st_size > 0


def test_a_run_without_any_frame_can_be_closed(opened):
    sink, path = opened
    sink.close()
    assert path.exists()


def test_what_it_was_given_stays_as_it_was(opened):
    sink, _ = opened
    frame, given = Frame(0, 0.0, PICTURE.copy()), result(0, 2)
    drawn = PICTURE.copy() if sink.wants_pixels else None
    sink.write(frame, given, drawn)
    assert np.array_equal(frame.bgr, PICTURE)
    assert np.array_equal(given.smoothed, result(0, 2).smoothed)
    assert np.array_equal(given.faces.boxes, result(0, 2).faces.boxes)
