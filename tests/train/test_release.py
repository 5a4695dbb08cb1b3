"""What a released model is used with: filters, temperature, and the threshold of doubt."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from fervid.card import ModelCard
from fervid.checkpoint import load_model, save_model
from fervid.errors import ConfigError, DataError
from fervid.network import ExpressionNet
from train.choices import Answers, calibrated_card, preferred
from train.data import CLASSES, Data
from train.recipe import Recipe, Stage
from train.release import calibrate, release
from train.resume import same_data, save, start


def flags(n_right, n=400):
    return np.arange(n) < n_right


def test_a_difference_that_chance_makes_leaves_the_papers_filter():
    rng = np.random.default_rng(0)
    almost = flags(208).copy()
    swapped = rng.permutation(400)[:60]
    almost[swapped] = ~almost[swapped]
    right = {"none": almost, "gaussian": flags(200)}
    assert preferred(right, "gaussian") == "gaussian"


def test_a_clearly_better_filter_is_taken():
    right = {"none": flags(200), "median": flags(260), "gaussian": flags(210)}
    assert preferred(right, "gaussian") == "median"


def test_equal_filters_leave_the_papers():
    right = {"none": flags(200), "gaussian": flags(200)}
    assert preferred(right, "gaussian") == "gaussian"


def test_the_threshold_leaves_a_fifth_of_the_answers_in_doubt():
    rng = np.random.default_rng(1)
    n, k = 4000, len(CLASSES)
    logits = rng.normal(0, 2, (n, k)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (p.cumsum(1) < rng.random((n, 1))).sum(1)  # the logits are exactly true
    nothing = np.zeros(n, np.float32)
    card = ModelCard(name="test", classes=CLASSES, input_px=48)
    card = calibrated_card(card, Answers(2 * logits, labels, nothing, nothing))
    assert card.temperature[0] == pytest.approx(np.log(2), abs=0.1)
    sure = p.max(1) >= card.uncertain_below
    assert sure.mean() == pytest.approx(0.8, abs=0.04)
    assert (p.argmax(1) == labels)[sure].mean() > (p.argmax(1) == labels)[~sure].mean() + 0.2


def test_weights_stay_and_the_card_is_chosen_anew(tmp_path):
    rng = np.random.default_rng(2)
    split = rng.integers(0, 256, (6, 48, 48), np.uint8), np.arange(6)
    old = ModelCard("test", CLASSES, 48, temperature=(5.0, 0.0, 0.0), uncertain_below=0.9)
    save_model(ExpressionNet.from_card(old), old, tmp_path / "old.safetensors")
    data = Data(CLASSES, {"public": split}, "", "")  # nothing else is looked at
    new = calibrate(tmp_path / "old.safetensors", data, tmp_path / "new.safetensors", 4)
    before, after = (load_file(tmp_path / f"{name}.safetensors") for name in ("old", "new"))
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert load_model(tmp_path / "new.safetensors")[1] == new.replace(precision="float16")
    assert new.temperature[0] < 5
    assert set(new.filters) == {"clean", "gaussian", "salt_pepper", "speckle"}


def test_a_run_is_released_with_the_very_pictures_that_it_learnt_from(tmp_path):
    stage = Stage(passes=1, px=16, blocks=(1, 1, 1, 1), slim=True, adaptive=False)
    plan, resume = Recipe("tiny", (stage,)), tmp_path / "resume.pt"
    state = start(plan, resume, None)
    pictures = np.zeros((7, 48, 48), np.uint8), np.arange(7)
    same_data(state, pictures, resume)
    save(state, resume, plan)
    more = np.ones((9, 48, 48), np.uint8), np.arange(9) % 7
    grown = Data(CLASSES, {"train": more, "public": pictures}, "", "")  # learnt, now held out
    with pytest.raises(DataError, match="began with other training pictures"):
        release(plan, resume, grown, tmp_path / "out.safetensors", None)
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("classes", [CLASSES[::-1], CLASSES[:3], (*CLASSES, "bored")])
def test_a_model_is_calibrated_on_its_own_classes_alone(tmp_path, classes):
    card, model = ModelCard("test", CLASSES, 48), tmp_path / "old.safetensors"
    save_model(ExpressionNet.from_card(card), card, model)
    split = np.zeros((3, 48, 48), np.uint8), np.arange(3)
    data = Data(classes, {"public": split}, "", "")
    with pytest.raises(DataError, match="give the data that it was trained on"):
        calibrate(model, data, tmp_path / "new.safetensors", None)


@pytest.mark.parametrize("n", [0, -1])
def test_fewer_than_one_picture_chooses_nothing(tmp_path, n):
    card, model = ModelCard("test", CLASSES, 48), tmp_path / "old.safetensors"
    save_model(ExpressionNet.from_card(card), card, model)
    split = np.zeros((7, 48, 48), np.uint8), np.arange(7)
    with pytest.raises(ConfigError, match="--images must be at least 1"):
        calibrate(model, Data(CLASSES, {"public": split}, "", ""), tmp_path / "new", n)


@pytest.mark.parametrize("out", ["nowhere/m.safetensors", "folder"])
def test_an_output_without_a_place_is_refused_before_the_work(tmp_path, out):
    card, model = ModelCard("test", CLASSES, 48), tmp_path / "old.safetensors"
    save_model(ExpressionNet.from_card(card), card, model)
    (tmp_path / "folder").mkdir()
    data = Data(CLASSES, {"public": (np.zeros((7, 48, 48), np.uint8), np.arange(7))}, "", "")
    with pytest.raises(DataError, match="cannot be written; name a file"):
        calibrate(model, data, tmp_path / out, None)
