"""Which weights give an ONNX model its SNR, and what the files of an evaluation are called."""

from pathlib import Path

import pytest
from rich.console import Console

from fervid.card import ModelCard, sha256
from tests.backends import FakeBackend
from train import evaluate as evaluation
from train import results
from train.data import CLASSES
from train.options import EvaluateOptions
from train.robustness_tables import snr_table

CARD = ModelCard(name="t", classes=CLASSES, input_px=48)


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    (tmp_path / "model-int8.onnx").write_bytes(b"onnx")
    return tmp_path


def test_the_weights_an_onnx_was_made_from_are_found_by_their_hash(folder):
    card = CARD.replace(weights_sha256=sha256(folder / "b.safetensors"))
    found = evaluation._own_weights(folder / "model-int8.onnx", card)
    assert found == folder / "b.safetensors"


def test_other_weights_beside_an_onnx_are_not_taken(folder):
    for known in ("", "0" * 64):
        card = CARD.replace(weights_sha256=known)
        assert evaluation._own_weights(folder / "model-int8.onnx", card) is None


def test_weights_are_their_own(folder):
    assert evaluation._own_weights(folder / "a.safetensors", CARD) == folder / "a.safetensors"


def test_the_probe_says_whose_features_it_has(folder, monkeypatch):
    seen = {}
    card = CARD.replace(weights_sha256=sha256(folder / "c.safetensors"))
    monkeypatch.setattr(evaluation, "load_model", lambda path: (path, card))
    monkeypatch.setattr(evaluation, "work", lambda chosen, probe: 1)
    monkeypatch.setattr(
        evaluation, "measure_thumbnails", lambda *a: seen.update(probe=a[4]) or ({}, [])
    )

    backend = FakeBackend()
    backend.card = card
    options, data = EvaluateOptions(split="public"), {"public": ([], [])}
    evaluation._thumbnails(folder / "model-int8.onnx", backend, data, options, Console(quiet=True))
    assert seen["probe"].net == folder / "c.safetensors"
    said = "c.safetensors, the fp16 weights that model-int8.onnx was made from"
    assert seen["probe"].of == said
    values = dict.fromkeys(("layer3", "layer3_centred", "layer4", "layer4_centred"), 1.0)
    snr = {"images": 5, "features_of": said, "settings": {"gaussian 0.1": values}}
    assert said in snr_table("public", {"snr": snr}).note


def test_what_is_measured_otherwise_has_its_own_name():
    model = Path("fervid-int8.onnx")
    for options, name in (
        ({}, "evaluate-fervid-int8"),
        ({"seed": 3}, "evaluate-fervid-int8-seed3"),
        ({"limit": 4, "seed": 3, "split": "public"}, "evaluate-fervid-int8-public-4-seed3"),
        ({"snr_images": 9}, "evaluate-fervid-int8-snr9"),
        ({"in_frame": True, "detector": "full"}, "in-frame-fervid-int8-full"),
    ):
        assert results.stem(model, EvaluateOptions(**options)) == name
