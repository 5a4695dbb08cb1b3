"""Opening backends, and what is refused; what each must do is in tests/contracts."""

import numpy as np
import pytest

from fervid.backends import open_backend
from fervid.card import ModelCard
from fervid.errors import CardError, ModelLoadError
from tests.places import DEFAULT_MODEL


def test_the_model_that_comes_with_fervid_needs_no_path():
    named, own = open_backend(str(DEFAULT_MODEL)), open_backend()
    assert named.card == own.card
    assert own.card.classes[3] == "happy"
    own.close()
    named.close()


def test_missing_and_wrong_files(tmp_path):
    with pytest.raises(ModelLoadError, match=r"gone\.onnx does not exist"):
        open_backend(tmp_path / "gone.onnx")
    pickle = tmp_path / "model.pt"
    pickle.write_bytes(b"\x80\x04")
    with pytest.raises(ModelLoadError, match=r"is not \.onnx or \.safetensors"):
        open_backend(pickle)
    text = tmp_path / "text.onnx"
    text.write_text("no model at all")
    with pytest.raises(ModelLoadError, match=r"text\.onnx cannot be loaded"):
        open_backend(text)


def test_a_model_without_a_card_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "bare.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    with pytest.raises(CardError, match="no fervid card"):
        open_backend(path)


def test_a_card_that_lies_is_refused():
    for text in (
        "{}",
        "no json",
        '{"name": "t"}',
        '{"name": "t", "classes": ["a"], "input_px": 48}',
    ):
        with pytest.raises(CardError):
            ModelCard.from_json(text, "here")
    card = ModelCard(name="t", classes=("a", "b"), input_px=48)
    assert ModelCard.from_json(card.to_json(), "here") == card


def test_int8_sums_do_not_saturate_where_there_is_no_vnni():
    """A convolution of full-scale bytes: pairs of products pass 2^15 on such processors."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    from fervid.backends.onnx_backend import session_options

    def constant(name, value, dtype):
        return numpy_helper.from_array(np.array(value, dtype), name)

    weights = np.full((16, 64, 3, 3), 127, np.int8)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["dq"]),
        helper.make_node("DequantizeLinear", ["w", "w_step", "w_zero"], ["dw"]),
        helper.make_node("Conv", ["dq", "dw"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("QuantizeLinear", ["c", "c_step", "zero"], ["qc"]),
        helper.make_node("DequantizeLinear", ["qc", "c_step", "zero"], ["y"]),
    ]
    values = [
        constant("step", 1 / 255, np.float32),
        constant("zero", 0, np.uint8),
        numpy_helper.from_array(weights, "w"),
        constant("w_step", 1 / 127, np.float32),
        constant("w_zero", 0, np.int8),
        constant("c_step", 64 * 9 / 255, np.float32),
    ]
    shape = [1, 64, 8, 8]
    graph = helper.make_graph(
        nodes,
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16, 8, 8])],
        values,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    import onnxruntime as ort

    session = ort.InferenceSession(
        model.SerializeToString(), session_options(2), providers=["CPUExecutionProvider"]
    )
    y = session.run(None, {"x": np.ones(shape, np.float32)})[0]
    assert y[0, :, 4, 4] == pytest.approx(64 * 9, rel=0.01)
