"""The graph without heatmaps: fewer nodes, the same logits and class maps."""

from contextlib import closing

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from fervid.backends import onnx_backend, open_backend
from fervid.backends.pruned import pruned
from fervid.errors import ModelLoadError
from fervid.protobuf import as_varint, varint
from tests.places import DEFAULT_MODEL


def two_ways():
    """y = x + 1 and z = (x * x) - 1, with the weights of both."""
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    nodes = [
        helper.make_node("Add", ["x", "one"], ["y"]),
        helper.make_node("Mul", ["x", "x"], ["square"]),
        helper.make_node("Sub", ["square", "one"], ["z"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xyz"]
    graph = helper.make_graph(nodes, "two", ends[:1], ends[1:], [one])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize(("wanted", "kinds"), [("y", ["Add"]), ("z", ["Mul", "Sub"])])
def test_only_what_is_needed_stays(wanted, kinds):
    model = onnx.load_from_string(pruned(two_ways().SerializeToString(), [wanted]))
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == kinds
    assert [output.name for output in model.graph.output] == [wanted]


def test_all_outputs_leave_the_model_as_it_is():
    whole = two_ways().SerializeToString()
    assert pruned(whole, ["y", "z"]) == whole


def test_the_embedded_model_says_the_same_with_less():
    whole = DEFAULT_MODEL.read_bytes()
    bare = pruned(whole, ["logits", "maps"])
    counts = [len(onnx.load_from_string(model).graph.node) for model in (whole, bare)]
    assert counts[1] < 0.8 * counts[0]
    rng = np.random.default_rng(0)
    feeds = {
        "images": rng.standard_normal((3, 3, 48, 48), np.float32),
        "eta": np.array([0, 0.1, 0.3], np.float32),
        "target": np.full(3, -1, np.int64),
    }
    sessions = [ort.InferenceSession(model) for model in (whole, bare)]
    found = [
        session.run(["logits", "maps"], {i.name: feeds[i.name] for i in session.get_inputs()})
        for session in sessions
    ]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 2**62))
def test_numbers_survive(value):
    coded = as_varint(value)
    assert varint(coded, 0) == (value, len(coded))


@pytest.mark.parametrize("damaged", [b"\x07", b"\x3a\x05ab", b"\x3a\xff", b"\x3b"])
def test_other_files_are_refused(damaged):
    with pytest.raises(ValueError, match="no protobuf message"):
        pruned(damaged, ["y"])


def test_a_model_that_is_nothing_without_its_heatmaps_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(onnx_backend, "pruned", lambda model, outputs: b"junk")
    one = np.zeros(1, np.float32)
    with closing(open_backend()) as backend, pytest.raises(ModelLoadError, match="its heatmaps"):
        backend.run(np.zeros((1, 3, 48, 48), np.float32), one, np.full(1, -1), maps=False)
