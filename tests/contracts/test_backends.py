"""What every backend must keep to; a new one is tested by being added to BACKENDS."""

import numpy as np
import pytest

from fervid.backends import open_backend
from fervid.card import ModelCard
from fervid.checkpoint import save_model
from fervid.network import ExpressionNet
from samples.custom_backend import Mirrored
from tests.backends import FakeBackend
from tests.networks import lively


def torch_backend(folder):
    card = ModelCard(name="t", classes=tuple("abcdefg"), input_px=32)
    save_model(lively(ExpressionNet()), card, folder / "m.safetensors")
    return open_backend(folder / "m.safetensors", "cpu")


BACKENDS = {
    "onnx": lambda folder: open_backend(None, "cpu", 1),
    "torch": torch_backend,
    "fake": lambda folder: FakeBackend(),
    "mirrored": lambda folder: Mirrored(open_backend(None, "cpu", 1)),
}


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request, tmp_path_factory):
    opened = BACKENDS[request.param](tmp_path_factory.mktemp("model"))
    yield opened
    opened.close()
    opened.close()  # closing twice is harmless


def faces(backend, n, seed=0):
    """Input for n faces: (images, eta)."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n, 3, backend.card.input_px, backend.card.input_px))
    return images.astype(np.float32), rng.uniform(0, 0.3, n).astype(np.float32)


@pytest.mark.parametrize("n", [1, 3])
def test_shapes_and_the_meaning_of_the_maps(backend, n):
    out = backend.run(*faces(backend, n), np.full(n, -1, np.int64))
    assert out.logits.shape == (n, len(backend.card.classes))
    assert out.maps.shape[:2] == out.logits.shape
    assert out.cams.shape[:2] == (n, 4)
    assert (out.cams >= 0).all()
    bias = out.logits - out.maps.mean((2, 3))
    assert np.allclose(bias, bias[:1], atol=1e-3)  # logits = mean(maps) + bias


def test_target_minus_1_is_the_most_probable_class(backend):
    images, eta = faces(backend, 1, seed=1)
    free = backend.run(images, eta, np.array([-1]))
    told = backend.run(images, eta, free.logits.argmax(1))
    assert np.allclose(free.cams, told.cams)


def test_a_face_does_not_depend_on_its_company(backend):
    images, eta = faces(backend, 3, seed=2)
    together = backend.run(images, eta, np.full(3, -1))
    alone = backend.run(images[1:2], eta[1:2], np.full(1, -1))
    assert np.allclose(together.logits[1:2], alone.logits, atol=1e-3 * np.abs(alone.logits).max())


def test_the_same_input_has_the_same_output_and_stays_as_it_was(backend):
    images, eta = faces(backend, 2, seed=3)
    target = np.full(2, -1)
    before = images.copy(), eta.copy(), target.copy()
    first, second = (backend.run(images, eta, target) for _ in range(2))
    assert np.array_equal(first.logits, second.logits)
    for now, then in zip((images, eta, target), before, strict=True):
        assert np.array_equal(now, then)
