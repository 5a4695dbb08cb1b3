"""Faces of one's own: any folders are classes, and what a network knew of them it keeps."""

import dataclasses
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fervid.card import ModelCard
from fervid.checkpoint import save_model
from fervid.errors import ConfigError, DataError
from fervid.network import ExpressionNet
from train.__main__ import _plan
from train.choices import Answers, calibrated_card
from train.class_folders import is_class_folders
from train.cut import cut_faces
from train.data import CLASSES, OWN_LICENCE, load_data
from train.fit import Session, fit
from train.outputs import rename_outputs
from train.recipe import Recipe, Stage, load_recipe
from train.resume import save, start

NAMES = ("calm", "happiness", "tense 2", "tense 10")


def drawn(folder, names=NAMES, each=10, side=64, seed=0):
    """A folder of class folders of grey noise, a level of grey for each class."""
    rng = np.random.default_rng(seed)
    for k, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for n in range(each):
            face = rng.integers(0, 60, (side, side)) + 40 * k
            cv2.imwrite(str(folder / name / f"{n}.png"), face.astype(np.uint8))
    return folder


def test_folders_are_classes_and_one_in_five_is_held_out(tmp_path):
    data = load_data(drawn(tmp_path / "faces"))
    assert data.classes == NAMES  # in natural order
    assert data.licence == OWN_LICENCE
    (seen, labels), (kept, known) = data.splits["train"], data.splits["public"]
    assert seen.shape == (32, 48, 48)
    assert kept.shape == (8, 48, 48)
    assert np.bincount(labels).tolist() == [8] * 4
    assert np.bincount(known).tolist() == [2] * 4
    for faces, of in ((seen, labels), (kept, known)):
        assert (np.abs(faces.mean((1, 2)) - (29.5 + 40 * of)) < 3).all()
    assert not {f.tobytes() for f in seen} & {f.tobytes() for f in kept}
    again = load_data(tmp_path / "faces")
    np.testing.assert_array_equal(again.splits["public"][0], kept)


def test_names_that_are_no_utf8_and_names_that_sort_alike(tmp_path, monkeypatch):
    folder = drawn(tmp_path, ("a", "b"), each=6)
    (folder / "a" / "0.png").rename(folder / "a" / "00.png")
    (folder / "a" / "1.png").rename(folder / "a" / "0.png")
    (folder / "b" / "0.png").rename(folder / "b" / os.fsdecode(b"caf\xe9.png"))
    found = load_data(folder).splits["train"][0]
    inside = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: sorted(inside(path), reverse=True))
    np.testing.assert_array_equal(load_data(folder).splits["train"][0], found)
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(sorted(inside(path))))
    np.testing.assert_array_equal(load_data(folder).splits["train"][0], found)


def test_fer2013_unpacked_is_no_folder_of_ones_own(tmp_path):
    folder = tmp_path / "happy"
    folder.mkdir()
    cv2.imwrite(str(folder / "Training_1.jpg"), np.zeros((48, 48), np.uint8))
    assert not is_class_folders(tmp_path)
    cv2.imwrite(str(folder / "me.jpg"), np.zeros((48, 48), np.uint8))
    (folder / "Training_1.jpg").unlink()
    assert is_class_folders(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda at: drawn(at, NAMES[:1]), "holds 1 folders with names of their own"),
        (lambda at: drawn(drawn(at), ["few"], each=4), "few holds 4 pictures and a class needs 5"),
        (lambda at: drawn(drawn(at), ["x" * 61]), "is no name for a class"),
        (
            lambda at: cv2.imwrite(str(drawn(at) / "calm" / "w.png"), np.zeros((30, 90), np.uint8)),
            "is square",
        ),
        (lambda at: (drawn(at) / "calm" / "x.png").write_text("letter"), "Mend the picture"),
    ],
)
def test_what_no_network_can_learn_from_is_named(tmp_path, spoil, said):
    spoil(tmp_path / "faces")
    with pytest.raises(DataError, match=said):
        load_data(tmp_path / "faces")


def test_known_classes_keep_their_outputs_and_new_ones_start_at_0():
    torch.manual_seed(0)
    net = ExpressionNet(7).eval()
    torch.nn.init.normal_(net.head.weight)
    torch.nn.init.normal_(net.head.bias)
    x = torch.randn(2, 3, 48, 48)
    before = net(x)[0]
    rename_outputs(net, CLASSES, ("tense", "happiness", "sad"))
    after = net(x)[0]
    wanted = before[:, [CLASSES.index("happy"), CLASSES.index("sad")]]
    torch.testing.assert_close(after[:, 1:], wanted)
    assert (after[:, 0] == 0).all()


def plan(classes, **changes):
    stage = Stage(passes=1, px=16, blocks=(1, 2, 1, 1), slim=True, adaptive=False, last_stride=2)
    fields = {"seed": 5, "batch": 4, "lr": 0.01, "precision": "float32", "classes": classes}
    return Recipe("tiny", (stage,), **(fields | changes))


def test_a_run_remembers_its_classes_and_its_pictures(tmp_path):
    session = Session(tmp_path / "run", 60, 3600, 0, time.monotonic, 1)
    data = load_data(drawn(tmp_path / "faces", NAMES[:2], each=5))
    state, _ = fit(plan(data.classes), data.splits, session)
    assert state.net.head.out_channels == 2
    other = load_data(drawn(tmp_path / "others", NAMES[:2], each=5, seed=1))
    with pytest.raises(DataError, match="began with other training pictures"):
        fit(plan(data.classes), other.splits, session)
    with pytest.raises(DataError, match="of the classes calm, happiness, and the data have"):
        start(plan(NAMES), tmp_path / "run" / "resume.pt", None)
    again, _ = fit(plan(data.classes), data.splits, dataclasses.replace(session, max_steps=2))
    assert again.data == state.data
    assert (state.step, again.step) == (1, 2)


def test_the_licence_of_the_weights_stays_with_the_run(tmp_path):
    card = ModelCard(name="x", classes=CLASSES, input_px=48)
    save_model(ExpressionNet(7), card, tmp_path / "grown.safetensors")
    own = plan(NAMES, pretrained=True)
    state = start(own, tmp_path / "none", tmp_path / "grown.safetensors")
    assert state.licence == card.licence
    save(state, tmp_path / "resume.pt", own)
    assert start(own, tmp_path / "resume.pt", None).licence == card.licence


def test_a_name_of_its_own_and_classes_from_the_data_alone(tmp_path):
    data = load_data(drawn(tmp_path / "faces", NAMES[:2], each=5))
    recipe = _plan("own", data, "mine")
    assert (recipe.name, recipe.classes) == ("mine", NAMES[:2])
    for name in ("../mine", ".."):
        with pytest.raises(ConfigError, match="--name must be the name of a folder"):
            _plan("own", data, name)
    text = (Path(__file__).parents[2] / "train" / "recipes" / "own.toml").read_text()
    (tmp_path / "bad.toml").write_text('classes = ["a", "b"]\n' + text)
    with pytest.raises(ConfigError, match="unknown key classes"):
        load_recipe(str(tmp_path / "bad.toml"))
    assert dataclasses.replace(recipe, classes=CLASSES).to_text() == recipe.to_text()


@pytest.mark.parametrize(
    ("wrong", "found"), [(0, (0, 0)), (19, (0, 0)), (60, (1, 0)), (200, (1, 1))]
)
def test_few_errors_calibrate_nothing(wrong, found):
    rng = np.random.default_rng(0)
    logits = np.zeros((400, 3), np.float32)
    logits[:, 0] = rng.uniform(1, 9, 400)
    labels = np.zeros(400, np.int64)
    labels[:wrong] = 1
    eta = np.linspace(0.3, 0, 400, dtype=np.float32)
    card = ModelCard(name="t", classes=("a", "b", "c"), input_px=48)
    new = calibrated_card(card, Answers(logits, labels, eta, np.zeros(400, np.float32)))
    assert tuple(int(t != 0) for t in new.temperature[:2]) == found


def test_the_folder_of_faces_must_be_new(tmp_path):
    from rich.console import Console

    pictures = drawn(tmp_path / "pictures", NAMES[:2], each=1)
    with pytest.raises(DataError, match="holds files already"):
        cut_faces(pictures, pictures, "auto", Console(stderr=True))
    with pytest.raises(DataError, match="holds no pictures in folders"):
        cut_faces(pictures / "calm", tmp_path / "out", "auto", Console(stderr=True))
