"""Model files that somebody made to do harm, and files that are not what their card says."""

import json
import pickle
import struct

import numpy as np
import pytest

from fervid.backends import open_backend
from fervid.card import CARD_KEY, ModelCard
from fervid.errors import CardError, ModelError, ModelLoadError
from fervid.onnx_file import contents
from tests.places import DEFAULT_MODEL

CARD = ModelCard(name="t", classes=("a", "b"), input_px=48)


class Bomb:
    """A pickle that leaves a mark when it is loaded."""

    def __init__(self, mark):
        self._mark = mark

    def __reduce__(self):
        return (open, (str(self._mark), "w"))


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.pkl", "a.bin", "a.onnx", "a.safetensors"])
def test_a_pickle_is_never_loaded_whatever_its_name(tmp_path, name):
    mark, path = tmp_path / "mark", tmp_path / name
    path.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ModelLoadError):
        open_backend(path)
    assert not mark.exists()


def saved(tmp_path, change, card=CARD):
    """A small ONNX model, changed by a function of its message."""
    onnx = pytest.importorskip("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    value = helper.make_tensor_value_info("images", float32, [4])
    out = helper.make_tensor_value_info("logits", float32, [4])
    weights = onnx.numpy_helper.from_array(np.ones(4, np.float32), "w")
    node = helper.make_node("Add", ["images", "w"], ["logits"])
    graph = helper.make_graph([node], "g", [value], [out], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if card is not None:
        model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    change(onnx, model)
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def external(onnx, model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def external_in_an_attribute(onnx, model):
    tensor = onnx.numpy_helper.from_array(np.ones(4, np.float32), "c")
    node = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    node.attribute[0].t.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.insert(0, node)


def loop(onnx, model):
    inner = onnx.helper.make_graph([], "body", [], [])
    model.graph.node.append(onnx.helper.make_node("Loop", ["", ""], [], body=inner))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (external, "keeps weights in other files"),
        (external_in_an_attribute, "keeps weights in other files"),
        (loop, "branches or loops"),
    ],
)
def test_an_onnx_file_that_reads_files_or_may_not_end_is_refused(tmp_path, change, says):
    with pytest.raises(ModelLoadError, match=says):
        open_backend(saved(tmp_path, change))


def test_a_network_that_is_not_the_one_of_its_card_is_refused(tmp_path):
    good = saved(tmp_path, lambda onnx, model: None)
    digest = contents(good.read_bytes(), "a.onnx").graph_sha256
    card = CARD.replace(content_sha256=digest)
    with pytest.raises(ModelLoadError, match="has the outputs"):  # it gets past its card
        open_backend(saved(tmp_path, lambda onnx, model: None, card))

    def poison(onnx, model):
        weights = np.array([1, 1, 1, 9], np.float32)
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))

    with pytest.raises(CardError, match="is not the one of its card"):
        open_backend(saved(tmp_path, poison, card))


def test_what_is_read_of_a_file_is_what_onnx_reads(tmp_path):
    onnx = pytest.importorskip("onnx")
    found = contents(DEFAULT_MODEL.read_bytes(), "x")
    model = onnx.load(str(DEFAULT_MODEL))
    assert found.metadata == {entry.key: entry.value for entry in model.metadata_props}
    assert not found.external
    assert not found.controlled


def test_damaged_onnx_files_are_refused_with_a_sentence(tmp_path):
    """Every cut of a small file, and many flipped bits: nothing but fervid's own errors."""
    content = saved(tmp_path, lambda onnx, model: None).read_bytes()
    chance = np.random.default_rng(0)
    path = tmp_path / "b.onnx"
    for n in range(300):
        new = bytearray(content[: n % len(content)] if n % 2 else content)
        for place in chance.integers(0, len(new), 3) if new else ():
            new[place] ^= 1 << int(chance.integers(8))
        path.write_bytes(new)
        with pytest.raises(ModelError):
            open_backend(path)


def test_messages_within_each_other_without_end_are_refused():
    data = b""
    for _ in range(50_000):
        size, length = len(data), b""
        while True:
            length += bytes((size & 0x7F | (0x80 if size > 0x7F else 0),))
            size >>= 7
            if not size:
                break
        data = bytes((6 << 3 | 2,)) + length + data
        if len(data) > 200_000:
            break
    with pytest.raises(ModelLoadError, match=r"too deep|no protobuf"):
        contents(bytes((7 << 3 | 2, 0)) + _nested(60), "x")


def _nested(depth):
    """A graph in an attribute of a node of a graph, and so on."""
    data = b""
    for _ in range(depth):
        for number in (6, 5, 1):  # graph of an attribute, attribute of a node, node of a graph
            assert len(data) < 2**14
            size = bytes((len(data) & 0x7F | 0x80, len(data) >> 7))
            data = bytes((number << 3 | 2,)) + size + data
    size = bytes((len(data) & 0x7F | 0x80, len(data) >> 7))
    return bytes((7 << 3 | 2,)) + size + data


@pytest.mark.parametrize(
    "change",
    [
        {"input_px": 10**9},
        {"input_px": 10**400},
        {"mean": 10**400},
        {"crop_scale": 1000.0},
        {"crop_shift": -1e300},
        {"temperature": [-1e4, 0, 0]},
        {"last_dilation": 10**9},
        {"last_stride": 0},
        {"classes": ["a", "\x1b[31mb"]},
        {"classes": ["a", ""]},
        {"classes": ["a", "b" * 1000]},
        {"classes": [f"c{n}" for n in range(2000)]},
        {"content_sha256": 7},
    ],
)
def test_a_card_that_asks_for_too_much_is_refused(change):
    fields = json.loads(CARD.to_json()) | change
    with pytest.raises(CardError):
        ModelCard.from_json(json.dumps(fields), "x")


def test_a_card_of_brackets_is_refused():
    with pytest.raises(CardError):
        ModelCard.from_json("[" * 100_000, "x")


def head(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"{}",
    ],
)
def test_a_safetensors_file_with_a_hostile_head_is_refused(tmp_path, content):
    pytest.importorskip("torch")
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError):
        open_backend(path)


@pytest.mark.parametrize(
    "offsets", [[0, 2**60], [-4, 0], [8, 4], [0, 16]], ids=["beyond", "before", "back", "short"]
)
def test_tensors_that_lie_outside_the_file_are_refused(tmp_path, offsets):
    pytest.importorskip("torch")
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": offsets}
    meta = {CARD_KEY: CARD.to_json()}
    path = head(tmp_path / "a.safetensors", {"__metadata__": meta, "w": tensor}, bytes(8))
    with pytest.raises(ModelLoadError):
        open_backend(path)


def test_weights_of_another_network_are_refused_before_they_are_loaded(tmp_path):
    pytest.importorskip("torch")
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    meta = {CARD_KEY: CARD.to_json()}
    path = head(tmp_path / "a.safetensors", {"__metadata__": meta, "w": tensor}, bytes(16))
    with pytest.raises(ModelLoadError, match="weights of another network"):
        open_backend(path)


def test_changed_weights_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    from fervid.checkpoint import load_model, save_model
    from fervid.network import ExpressionNet

    torch.manual_seed(0)
    card = ModelCard(name="t", classes=("a", "b"), input_px=32)
    path = tmp_path / "a.safetensors"
    save_model(ExpressionNet.from_card(card), card, path)
    assert load_model(path)[1].content_sha256
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(CardError, match="is not the one of its card"):
        load_model(path)
