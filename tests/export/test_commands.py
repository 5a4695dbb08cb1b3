"""`python -m export`: noisy pictures are verified too, and what goes wrong is one sentence."""

import dataclasses

import cv2
import numpy as np
import pytest

from export import __main__ as program
from export import graph, parity, pictures
from fervid import corruptions
from fervid.errors import ConfigError, ExportError
from tests.backends import FakeBackend
from train.data import Data

CARD = FakeBackend().card.replace(eta_max=0.07)


@pytest.fixture
def faces(monkeypatch):
    """Sixty soft pictures in the place of FER2013."""
    rng = np.random.default_rng(0)
    small = rng.integers(60, 200, (60, 6, 6)).astype(np.uint8)
    images = np.stack([cv2.resize(s, (48, 48), interpolation=cv2.INTER_CUBIC) for s in small])
    split = images, rng.integers(0, 7, 60)
    data = Data(CARD.classes, {"train": split, "public": split}, "", "")
    monkeypatch.setattr(pictures, "load_data", lambda _: data)
    return split


def test_noisy_pictures_are_those_of_the_nine_settings_with_eta_above_0(
    faces, tmp_path, monkeypatch
):
    drawn = set()
    for kind, spoil in list(corruptions.CORRUPTIONS.items()):

        def kept(image, level, rng, kind=kind, spoil=spoil):
            drawn.add((kind, level))
            return spoil(image, level, rng)

        monkeypatch.setitem(corruptions.CORRUPTIONS, kind, kept)
    seen, eta, labels = pictures.noisy_validation(tmp_path, CARD)
    assert drawn == {
        (k, level) for k, levels in corruptions.PAPER_LEVELS.items() for level in levels
    }
    assert (eta > 0).all()
    assert eta.max() == np.float32(CARD.eta_max)
    clean, zero, same = pictures.validation(tmp_path, CARD)
    assert (zero == 0).all()
    np.testing.assert_array_equal(labels, same)
    assert (np.abs(seen - clean).mean((1, 2, 3)) > 0).all()
    again = pictures.noisy_validation(tmp_path, CARD)
    for one, other in zip((seen, eta), again, strict=False):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_1_is_refused(faces, tmp_path, limit):
    with pytest.raises(ConfigError, match="--limit must be at least 1"):
        pictures.validation(tmp_path, CARD, limit)


@pytest.mark.parametrize("n", [0, 61])
def test_more_calibration_pictures_than_there_are_are_refused(faces, tmp_path, n):
    with pytest.raises(ConfigError, match="--images must be from 1 to 60"):
        pictures.calibration(tmp_path, CARD, n)


def test_fewer_pictures_than_usual_all_calibrate(faces, tmp_path):
    assert len(pictures.calibration(tmp_path, CARD)[1]) == 60


class DeadUnderNoise(FakeBackend):
    """Says NaN as soon as there is noise."""

    def run(self, images, eta, target):
        out = super().run(images, eta, target)
        logits = np.where(eta[:, None] > 0, np.nan, out.logits).astype(np.float32)
        return dataclasses.replace(out, logits=logits)


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["export", *map(str, arguments)])
    code = program.main()
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("backend", [FakeBackend, DeadUnderNoise])
def test_verify_looks_at_noisy_pictures_too(faces, tmp_path, monkeypatch, capsys, backend):
    def opened(path, *_):
        return FakeBackend() if path.suffix == ".safetensors" else backend()

    monkeypatch.setattr(program, "open_backend", opened)
    monkeypatch.setattr(parity, "open_backend", opened)
    code, out, err = run(
        monkeypatch, capsys, "verify", "m.safetensors", "m.onnx", "--data", tmp_path
    )
    assert "clean" in out
    assert "noisy" in out
    if backend is FakeBackend:
        assert (code, err) == (0, "")
    else:
        assert code == 1
        assert err.startswith("export: On noisy pictures an output is NaN")


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"no model at all", b"", bytes(range(256)) * 40])
def test_a_file_that_is_no_onnx_model_is_one_sentence(tmp_path, monkeypatch, capsys, content):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"m\.onnx .*python -m export onnx"):
        graph.read_card(path)
    code, _, err = run(
        monkeypatch, capsys, "quantize", path, tmp_path / "out.onnx", "--data", tmp_path
    )
    assert code == 1
    assert err.startswith(f"export: {path} ")
    assert "Traceback" not in err


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(ExportError, match=r"none\.onnx cannot be read"):
        graph.read_card(tmp_path / "none.onnx")


@pytest.mark.parametrize("out", ["nowhere/m.onnx", "folder"])
@pytest.mark.parametrize("command", ["onnx", "half", "quantize"])
def test_an_output_without_a_place_is_refused_before_the_work(
    tmp_path, monkeypatch, capsys, command, out
):
    (tmp_path / "folder").mkdir()
    more = ("--data", tmp_path) if command == "quantize" else ()
    code, _, err = run(monkeypatch, capsys, command, "m", tmp_path / out, *more)
    assert code == 1
    assert (
        err
        == f"export: {tmp_path / out} cannot be written; name a file in a folder that is there.\n"
    )


def test_a_graph_that_cannot_be_saved_is_one_sentence(tmp_path):
    import onnx

    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    tiny = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:]))
    with pytest.raises(ExportError, match="cannot be written"):
        graph.write(tiny, CARD, tmp_path / "nowhere" / "m.onnx")


@pytest.mark.parametrize("change", [{"classes": ("a", "b")}, {"input_px": 64}])
def test_models_of_different_networks_are_not_compared(change):
    parity.check_comparable(CARD, CARD)
    with pytest.raises(ExportError, match=r"different networks .* give the weights"):
        parity.check_comparable(CARD, CARD.replace(**change))
