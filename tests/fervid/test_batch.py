"""Faces of several frames in one call of the network."""

import dataclasses
from contextlib import closing
from threading import Condition, Event

import numpy as np
import pytest
from skimage.data import astronaut

import fervid
from fervid.batch import Network, infer
from fervid.controls import View
from fervid.errors import ModelError, ModelLoadError
from fervid.faces import FaceDetector
from tests import clips, servers
from tests.backends import FakeBackend, Sparing
from tests.places import DEFAULT_MODEL


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(astronaut()[:240, :320, ::-1])


@pytest.fixture(scope="module")
def frames(portrait):
    """Frames of four sources with 1, 2, 0 and 1 faces; the last asks for another class's maps."""
    both = np.hstack([portrait, (portrait * 0.6).astype(np.uint8)])
    pictures = [portrait, both, np.full_like(portrait, 90), portrait[:, ::-1].copy()]
    views = [None, None, None, View("gaussian", "gradcam", 2)]
    found = []
    with FaceDetector() as detector:
        for picture, view in zip(pictures, views, strict=True):
            pipeline = fervid.Pipeline(None, FakeBackend(), detector)
            sought = pipeline.seek(fervid.Frame(0, 0.0, picture), 0, view)
            found.append(pipeline.prepare(sought))
    assert [len(frame.faces) for frame in found] == [1, 2, 0, 1]
    return found


def test_one_call_for_all_and_each_gets_its_own(frames):
    backend = FakeBackend()
    outputs = infer(backend, frames)
    assert [len(output.logits) for output in outputs] == [1, 2, 0, 1]
    ((images, eta, target),) = backend.seen
    assert (len(images), len(eta), target.tolist()) == (4, 4, [-1, -1, -1, 2])
    for frame, output in zip(frames, outputs, strict=True):
        (alone,) = infer(FakeBackend(), [frame])
        assert np.array_equal(output.logits, alone.logits)
        assert frame.watch.stages_ms["network"] >= 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused_and_not_taken_for_a_class(frames, value):
    class Broken(FakeBackend):
        def run(self, images, eta, target):
            out = super().run(images, eta, target)
            out.logits[-1, 2] = value
            return out

    with pytest.raises(ModelError, match="fake gives values that are no numbers"):
        infer(Broken(), frames)


def test_frames_without_faces_and_no_frames_call_nothing(frames):
    backend = FakeBackend()
    (output,) = infer(backend, [frames[2]])
    assert (output.logits.shape, output.cams.shape[:2]) == ((0, 7), (0, 4))
    assert infer(backend, []) == []
    assert backend.seen == []


def test_the_real_network_says_the_same_of_a_face_in_any_company(frames):
    with closing(fervid.open_backend(DEFAULT_MODEL)) as backend:
        together = infer(backend, frames)
        alone = [infer(backend, [frame])[0] for frame in frames]
    for one, other in zip(together, alone, strict=True):
        for name in ("logits", "maps", "cams"):
            # Sums in another order differ in the last bits of float32.
            np.testing.assert_allclose(
                getattr(one, name), getattr(other, name), rtol=1e-4, atol=1e-4
            )


def test_maps_are_left_out_where_no_frame_wants_them(frames):
    without = [dataclasses.replace(frame, maps=False) for frame in frames]
    with closing(fervid.open_backend(DEFAULT_MODEL)) as backend:
        every, none = infer(backend, frames), infer(backend, without)
        some = infer(backend, [without[0], frames[1]])
    for full, bare in zip(every, none, strict=True):
        np.testing.assert_allclose(bare.logits, full.logits, rtol=1e-4, atol=1e-4)
        assert bare.maps.shape == full.maps.shape
        assert bare.cams.size == 0
    assert all(output.cams.size for output in some)  # one call, and one of the two wants them
    (fake,) = infer(FakeBackend(), without[:1])  # it knows of no such choice
    assert fake.cams.size


@pytest.fixture
def pair(tmp_path, portrait):
    pictures = [np.roll(portrait, n, axis=1) for n in range(6)]
    return [
        clips.clip(tmp_path / f"{name}.mp4", pictures=shown, size=(320, 240))
        for name, shown in (("a", pictures), ("b", pictures[::-1]))
    ]


def test_rows_alone_need_no_maps_and_pictures_do(tmp_path, pair):
    for output, wanted in (
        (fervid.OutputConfig(jsonl=tmp_path / "rows.jsonl"), {False}),
        (fervid.OutputConfig(video=tmp_path / "seen.mp4"), {True}),
    ):
        backend = Sparing()
        fervid.analyse(pair[0], config=fervid.RunConfig(output=output), backend=backend)
        assert set(backend.made) == wanted


class Kept:
    wants_pixels = False

    def __init__(self):
        self.found = {}

    def write(self, frame, result, drawn):
        self.found.setdefault(result.index, []).append(result)

    def close(self):
        pass


def test_sources_at_once_share_calls_and_find_what_each_finds_alone(pair):
    backend, together, alone = FakeBackend(), Kept(), Kept()
    with servers.served(*pair) as addresses:
        fervid.analyse(*addresses, sinks=[together], backend=backend)
    fervid.analyse(*pair, sinks=[alone], backend=FakeBackend())
    sizes = [len(images) for images, _, _ in backend.seen]
    assert sum(sizes) == 12
    for index, expected in alone.found.items():
        found = sorted(together.found[index], key=lambda r: float(r.faces.boxes[0, 0]))
        for one, other in zip(
            found, sorted(expected, key=lambda r: float(r.faces.boxes[0, 0])), strict=True
        ):
            assert one.faces.track_ids.tolist() == other.faces.track_ids.tolist()
            assert np.array_equal(one.smoothed, other.smoothed)
            assert np.array_equal(one.heatmaps, other.heatmaps)


def test_what_is_begun_during_a_call_shares_the_next_one(frames):
    class Held(FakeBackend):
        entered, go_on = Event(), Event()

        def run(self, images, eta, target):
            self.entered.set()
            assert self.go_on.wait(10)
            return super().run(images, eta, target)

    backend, news = Held(), Condition()
    with Network(backend, news) as network:
        first = network.begin(frames[0])
        assert backend.entered.wait(10)
        rest = [network.begin(frame) for frame in frames[1:]]
        assert not first.done()
        with news:
            backend.go_on.set()
            assert news.wait_for(first.done, 10)
        counts = [len(answer.result(10).logits) for answer in (first, *rest)]
    assert counts == [1, 2, 0, 1]
    assert [len(images) for images, _, _ in backend.seen] == [1, 3]


def test_a_network_that_fails_fails_every_source_that_waits_for_it(pair):
    class Gone(FakeBackend):
        def run(self, images, eta, target):
            raise ModelLoadError("The model was closed.")

    with (
        servers.served(*pair) as addresses,
        pytest.raises(fervid.FervidError, match="2 of 2 sources failed"),
    ):
        fervid.analyse(*addresses, backend=Gone())
    with pytest.raises(ModelLoadError, match="was closed"):
        fervid.analyse(pair[0], backend=Gone())
