"""Filter, map and class changed between frames, and a frame that is analysed again."""

from contextlib import closing
from itertools import pairwise

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from fervid.backends import open_backend
from fervid.config import RunConfig
from fervid.controls import View
from fervid.pipeline import Pipeline
from fervid.records import Frame
from tests.backends import FakeBackend
from tests.places import DEFAULT_MODEL

START = View("auto", "adaptive")


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)[:360, :480])


@pytest.fixture
def pipeline():
    with Pipeline(RunConfig(("x",)), FakeBackend()) as found:
        yield found


def test_the_view_decides_filter_map_and_target(pipeline, portrait):
    first = pipeline.process(Frame(0, 0.0, portrait))
    other = pipeline.process(Frame(1, 0.1, portrait), 0, View("bilateral", "gradcam", 3))
    last = pipeline.process(Frame(2, 0.2, portrait))
    seen = [call[2].tolist() for call in pipeline._backend.seen]
    assert seen == [[-1], [3], [-1]]
    assert (first.filter_name, first.cam, first.target) == ("none", "adaptive", "")
    assert (other.filter_name, other.cam, other.target) == ("bilateral", "gradcam", "happy")
    assert (last.filter_name, last.cam, last.target) == ("none", "adaptive", "")


def test_again_says_what_process_would_have_said(portrait):
    dark, view = (portrait * 0.5).astype(np.uint8), View("gaussian", "gradcam", 2)
    results = []
    for views in ([START, view], [view]):
        with Pipeline(RunConfig(("x",)), FakeBackend()) as pipeline:
            pipeline.process(Frame(0, 0.0, portrait))
            results.append(pipeline.process(Frame(1, 0.1, dark), 0, views[0]))
            results += [pipeline.again(v) for v in views[1:]]
            results.append(pipeline.process(Frame(2, 0.2, dark), 0, view))
    _, again, after, straight, straight_after = results
    for a, b in ((again, straight), (after, straight_after)):
        assert (a.index, a.cam, a.labels) == (b.index, b.cam, b.labels)
        np.testing.assert_allclose(a.smoothed, b.smoothed, atol=1e-6)
        np.testing.assert_allclose(a.heatmaps, b.heatmaps, atol=1e-5)
        assert a.faces.track_ids.tolist() == b.faces.track_ids.tolist()


def test_there_must_be_a_frame_to_analyse_again(pipeline):
    with pytest.raises(ValueError, match="no frame"):
        pipeline.again(START)


def test_maps_of_two_kinds_are_never_blended(portrait):
    view = View("auto", "gradcam", 4)
    with open_backend_of_fervid() as backend:
        with Pipeline(RunConfig(("x",)), backend) as pipeline:
            pipeline.process(Frame(0, 0.0, portrait))
            changed = pipeline.process(Frame(1, 0.04, portrait), 0, view)
        with Pipeline(RunConfig(("x",)), backend) as pipeline:
            fresh = pipeline.process(Frame(1, 0.04, portrait), 0, view)
    np.testing.assert_allclose(changed.heatmaps, fresh.heatmaps, atol=1e-5)


def test_the_real_networks_maps_differ_by_kind_and_class(portrait):
    with (
        open_backend_of_fervid() as backend,
        Pipeline(RunConfig(("x",)), backend) as pipeline,
    ):
        first = pipeline.process(Frame(0, 0.0, portrait))
        views = [View("auto", cam) for cam in ("gradcam", "adaptive", "gradcam_fused")]  # type: ignore[arg-type]
        views += [View("auto", "gradcam", k) for k in range(7)]
        maps = [first.heatmaps, *(pipeline.again(view).heatmaps for view in views)]
        spread = [np.abs(a - b).mean() for a, b in pairwise(maps)]
    assert sum(value > 0.01 for value in spread) >= 7  # one class is the most probable one


def open_backend_of_fervid():
    return closing(open_backend(DEFAULT_MODEL))
