"""Export: the graph says what torch says, int8 nearly, and what differs is refused."""

import dataclasses

import numpy as np
import onnx
import pytest

from export.graph import export_onnx, read_card
from export.half import halve
from export.parity import FLOAT_TOLERANCE, HALF_TOLERANCE, _correlation, compare, enforce, outputs
from export.quantize import _ranges, quantize
from export.sensitivity import errors, logits, quantized, worst
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
    quantize(folder / "m.onnx", folder / "m8.onnx", images, eta, limit=np.inf)
    halve(folder / "m.onnx", folder / "m16.onnx")
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
    # The fused maps may jump where an activation is 0 (`export.parity`); enforce() judges them.
    assert max(found.logits_error, found.maps_error, *found.cams_error[:2]) < FLOAT_TOLERANCE
    enforce(found, "float32")


@pytest.mark.slow
def test_int8_is_close_and_smaller(files):
    found = parity(files, "m8.onnx")
    assert found.logits_error < 0.1
    assert min(found.cams_correlation) > 0.9
    assert (files / "m8.onnx").stat().st_size < 0.3 * (files / "m.onnx").stat().st_size


@pytest.mark.slow
def test_weights_of_7_bits_stay_within_them(files):
    images, eta, _ = pictures()
    quantize(files / "m.onnx", files / "m7.onnx", images, eta, limit=np.inf, reduced=True)
    largest = {}
    for name in ("m7.onnx", "m8.onnx"):
        weights = [onnx.numpy_helper.to_array(t) for t in onnx.load(files / name).graph.initializer]
        largest[name] = max(np.abs(w.astype(int)).max() for w in weights if w.dtype == np.int8)
    assert largest == {"m7.onnx": 64, "m8.onnx": 127}
    assert parity(files, "m7.onnx").logits_error < 0.1


@pytest.mark.slow
def test_float16_is_closer_than_int8_and_half_as_large(files):
    found = parity(files, "m16.onnx")
    enforce(found, "float16")
    assert FLOAT_TOLERANCE < found.logits_error < HALF_TOLERANCE
    assert (files / "m16.onnx").stat().st_size < 0.55 * (files / "m.onnx").stat().st_size


@pytest.mark.slow
def test_the_card_travels_and_says_the_precision(files):
    hashes = set()
    for name, precision in (("m", "float32"), ("m8", "int8"), ("m16", "float16")):
        card = read_card(files / f"{name}.onnx")
        hashes.add(card.content_sha256)
        assert card.replace(content_sha256="") == CARD.replace(precision=precision)
    assert len(hashes) == 3
    assert "" not in hashes


@pytest.mark.slow
def test_no_trace_of_the_machine_in_the_graph(files):
    assert b"site-packages" not in (files / "m8.onnx").read_bytes()


def two_convolutions():
    """A tiny graph after the contract: a fine convolution, then one that a large weight spoils."""
    helper = onnx.helper
    rng = np.random.default_rng(0)
    fine = rng.normal(size=(8, 3, 1, 1)).astype(np.float32)
    spoilt = rng.normal(size=(7, 8, 1, 1)).astype(np.float32) * 0.01
    spoilt[:, 0] = 1
    map_, twin = rng.normal(size=(4, 8, 1, 1)), rng.normal(size=(7, 8, 1, 1))
    named = {"w1": fine, "w2": spoilt, "w3": map_, "w4": twin}
    weights = [
        onnx.numpy_helper.from_array(w.astype(np.float32), name) for name, w in named.items()
    ]
    nodes = [
        helper.make_node("Conv", ["images", "w1"], ["a"], "fine"),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "w2"], ["c"], "spoilt"),
        helper.make_node("Conv", ["b", "w4"], ["c2"], "twin"),
        helper.make_node("Add", ["c", "c2"], ["c3"], "sum"),
        helper.make_node("GlobalAveragePool", ["c3"], ["d"], "mean"),
        helper.make_node("Flatten", ["d"], ["logits"], "flat"),
        helper.make_node("Abs", ["a"], ["e"], "abs"),
        helper.make_node("Conv", ["e", "w3"], ["cams"], "map"),
    ]
    floats = onnx.TensorProto.FLOAT
    inputs = [
        helper.make_tensor_value_info("images", floats, ["n", 3, 8, 8]),
        helper.make_tensor_value_info("eta", floats, ["n"]),
        helper.make_tensor_value_info("target", onnx.TensorProto.INT64, ["n"]),
    ]
    outs = [helper.make_tensor_value_info(name, floats, None) for name in ("logits", "cams")]
    graph = helper.make_graph(nodes, "g", inputs, outs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_each_convolution_before_the_logits_is_measured_and_the_worst_stays_float(tmp_path):
    model = two_convolutions()
    onnx.save(model, tmp_path / "m.onnx")
    images = np.random.default_rng(1).normal(size=(64, 3, 8, 8)).astype(np.float32)
    eta = np.zeros(64, np.float32)
    ranges = _ranges(tmp_path / "m.onnx", images, eta)
    found = errors(model, ranges, images, eta)
    assert set(found) == {("fine",), ("spoilt", "twin")}  # "map" has no part in the logits
    kept = worst(found, 0.9 * sum(found.values()) ** 0.5)
    largest = max(found, key=found.__getitem__)
    assert kept == list(largest)
    left = quantized(model, ranges, kept)
    error = np.square(logits(left, images, eta) - logits(model, images, eta)).mean()
    assert error == pytest.approx(sum(found.values()) - found[largest], rel=0.3)


def test_the_fewest_stay_float():
    found = {("c",): 0.5, ("a", "a2"): 4.0, ("b",): 1.0}
    assert worst(found, 9) == []
    assert worst(found, 1.3) == ["a", "a2"]
    assert worst(found, 0) == ["a", "a2", "b", "c"]


def outputs_of(logits):
    n = len(logits)
    maps = np.ones((n, 2, 3, 3), np.float32)
    cams = np.random.default_rng(0).random((n, 4, 3, 3)).astype(np.float32)
    return ModelOutput(np.array(logits, np.float32), maps, cams)


def test_a_map_that_is_constant_on_one_side_counts_as_0():
    rng = np.random.default_rng(0)
    live = rng.random((3, 3, 3)).astype(np.float32)
    dead = np.full_like(live, 0.7)
    half = np.concatenate([live[:1], dead[1:]])
    assert _correlation(live, live) == pytest.approx(1)
    assert _correlation(live, dead) == _correlation(dead, live) == _correlation(live, half) == 0
    assert _correlation(half, half) == pytest.approx(1)  # constant on both sides says nothing
    assert _correlation(live, np.full_like(live, np.nan)) == 0
    assert _correlation(live[:0], dead[:0]) == 1


@pytest.mark.parametrize("part", ["logits", "maps", "cams"])
@pytest.mark.parametrize("precision", ["int8", "float16", "float32"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_model_with_nan_or_infinity_is_refused(part, precision, bad):
    same = outputs_of([[2, 0], [0, 4]])
    spoilt = np.array(getattr(same, part))
    spoilt[0].flat[0] = bad
    broken = ModelOutput(
        **{"logits": same.logits, "maps": same.maps, "cams": same.cams, part: spoilt}
    )
    for pair in ((same, broken), (broken, same)):
        with pytest.raises(ExportError, match="NaN or infinite"):
            enforce(compare(*pair, np.array([0, 1])), precision)


def test_a_model_with_dead_heatmaps_is_refused():
    live = outputs_of([[2, 0], [0, 4]])
    dead = ModelOutput(live.logits, live.maps, np.zeros_like(live.cams))
    with pytest.raises(ExportError, match=r"correlation of 0\.000"):
        enforce(compare(live, dead, np.array([0, 1])), "int8")


@pytest.mark.parametrize(
    ("figure", "precision"),
    [
        ({"agreement": np.nan}, "int8"),
        ({"cams_correlation": (1, np.nan, 1, 1)}, "int8"),
        ({"logits_error": np.nan}, "float32"),
        ({"cams_error": (0, np.nan, 0, 0)}, "float32"),
    ],
)
def test_a_figure_that_is_no_number_is_out_of_every_tolerance(figure, precision):
    same = compare(outputs_of([[2, 0]]), outputs_of([[2, 0]]), np.array([0]))
    with pytest.raises(ExportError, match="nan"):
        enforce(dataclasses.replace(same, **figure), precision)


def test_a_fused_map_may_jump_on_few_pictures_and_no_other_map_on_any():
    def one_off(variant, n):
        a = outputs_of([[2, 0]] * n)
        cams = a.cams.copy()
        cams[0, variant] += 0.1
        return compare(a, dataclasses.replace(a, cams=cams), np.zeros(n, np.int64))

    enforce(one_off(3, 40), "float32")
    with pytest.raises(ExportError, match=r"only 90\.0%"):
        enforce(one_off(3, 10), "float32")
    with pytest.raises(ExportError, match="differs from torch"):
        enforce(one_off(0, 40), "float32")


def test_noisy_pictures_have_their_own_tolerances():
    same = compare(outputs_of([[2, 0]]), outputs_of([[2, 0]]), np.array([0]))
    enforce(dataclasses.replace(same, agreement=0.96), "int8", "noisy")
    enforce(dataclasses.replace(same, cams_correlation=(1, 0.92, 1, 1)), "int8", "noisy")
    with pytest.raises(ExportError, match=r"noisy pictures .* 94\.00%"):
        enforce(dataclasses.replace(same, agreement=0.94), "int8", "noisy")
    with pytest.raises(ExportError, match="noisy pictures one of int8's heatmaps"):
        enforce(dataclasses.replace(same, cams_correlation=(1, 0.88, 1, 1)), "int8", "noisy")
    with pytest.raises(ExportError, match="noisy pictures the graph differs"):
        enforce(dataclasses.replace(same, logits_error=1e-3), "float32", "noisy")


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
    enforce(dataclasses.replace(same, maps_error=1e-3, cams_close=(0, 0, 0, 0)), "float16")
    with pytest.raises(ExportError, match="more than 5e-03"):
        enforce(dataclasses.replace(same, maps_error=1e-2), "float16")
    with pytest.raises(ExportError, match=r"float16 and torch agree on 98\.00%.*float32 file"):
        enforce(dataclasses.replace(same, agreement=0.98), "float16")
