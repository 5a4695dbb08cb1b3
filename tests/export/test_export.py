"""Export: the graph says what torch says, int8 nearly, and what differs is refused."""

import dataclasses

import numpy as np
import pytest

from export.graph import export_onnx, read_card
from export.parity import FLOAT_TOLERANCE, compare, enforce, outputs
from export.quantize import quantize
from fervid.backends import open_backend
from fervid.card import ModelCard
from fervid.checkpoint import save_model
from fervid.errors import ExportError
from fervid.network import ExpressionNet
from fervid.records import ModelOutput
from tests.networks import lively

CARD = ModelCard(name="t", classes=tuple("abcdefg"), input_px=32, weights_sha256="0" * 64)
N = 24


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same random network as safetensors, float32 and int8."""
    folder = tmp_path_factory.mktemp("models")
    net = lively(ExpressionNet())
    net.head.weight.data.normal_(0, 0.1)
    save_model(net, CARD, folder / "m.safetensors", half=False)
    export_onnx(net, CARD, folder / "m.onnx")
    images, eta, _ = pictures()
    quantize(folder / "m.onnx", folder / "m8.onnx", images, eta, reduce_range=True)
    return folder


def pictures():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(N, 3, 32, 32)).astype(np.float32)
    return images, rng.uniform(0, 0.3, N).astype(np.float32), rng.integers(0, 7, N)


def parity(files, name):
    images, eta, labels = pictures()
    models = [open_backend(files / n, "cpu", 1) for n in ("m.safetensors", name)]
    return compare(*(outputs(model, images, eta) for model in models), labels)


@pytest.mark.slow
def test_the_float_graph_equals_torch(files):
    found = parity(files, "m.onnx")
    assert found.agreement == 1
    assert max(found.logits_error, found.maps_error, *found.cams_error) < FLOAT_TOLERANCE
    enforce(found, "float32")


@pytest.mark.slow
def test_int8_is_close_and_smaller(files):
    found = parity(files, "m8.onnx")
    assert found.logits_error < 0.1
    assert min(found.cams_correlation) > 0.9
    assert (files / "m8.onnx").stat().st_size < 0.3 * (files / "m.onnx").stat().st_size


@pytest.mark.slow
def test_the_card_travels_and_says_the_precision(files):
    assert read_card(files / "m.onnx") == CARD
    assert read_card(files / "m8.onnx") == CARD.replace(precision="int8")


@pytest.mark.slow
def test_no_trace_of_the_machine_in_the_graph(files):
    assert b"site-packages" not in (files / "m8.onnx").read_bytes()


def outputs_of(logits):
    n = len(logits)
    maps = np.ones((n, 2, 3, 3), np.float32)
    cams = np.random.default_rng(0).random((n, 4, 3, 3)).astype(np.float32)
    return ModelOutput(np.array(logits, np.float32), maps, cams)


def test_compare_by_hand():
    a, b = outputs_of([[2, 0], [0, 4]]), outputs_of([[2, 0], [1, 0]])
    found = compare(a, b, np.array([0, 1]))
    assert (found.agreement, found.reference_accuracy, found.accuracy) == (0.5, 1.0, 0.5)
    assert found.logits_error == pytest.approx(1.0)  # |4 - 0| of 4
    assert found.cams_correlation == pytest.approx((1.0,) * 4)


def test_a_model_that_differs_is_refused():
    same = compare(outputs_of([[2, 0]]), outputs_of([[2, 0]]), np.array([0]))
    enforce(same, "int8")
    enforce(same, "float32")
    with pytest.raises(ExportError, match=r"97\.00%"):
        enforce(dataclasses.replace(same, agreement=0.97), "int8")
    with pytest.raises(ExportError, match="correlation"):
        enforce(dataclasses.replace(same, cams_correlation=(1, 1, 0.5, 1)), "int8")
    with pytest.raises(ExportError, match="differs from torch"):
        enforce(dataclasses.replace(same, maps_error=1e-3), "float32")
