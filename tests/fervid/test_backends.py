"""Opening backends, and what is refused; what each must do is in tests/contracts."""

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
