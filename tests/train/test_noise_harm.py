"""Filter auto against filter none: the paths, the comparison by hand, the command."""

import json

import cv2
import numpy as np
import pytest
from rich.console import Console

from fervid.errors import CardError, ConfigError
from fervid.records import Noise
from tests.backends import FakeBackend
from train import noise_harm, robustness
from train.data import CLASSES
from train.noise_faults import AS_ADDED, FAULTS, MIXED, NO_NOISE, SINGLE, spoiled
from train.robustness import NOISY, Plan, Prepared, corrupt, prepare, prepare_pictures

HAPPY, SAD = CLASSES.index("happy"), CLASSES.index("sad")
DARK = next(fault for fault in FAULTS if "light" in fault.name)


@pytest.fixture(scope="module")
def split():
    """Twelve soft pictures: bright ones labelled happy, dark ones sad."""
    rng = np.random.default_rng(0)
    small = rng.uniform(-25, 25, (12, 6, 6)).astype(np.float32)
    light = np.where(np.arange(12) % 2 == 0, 180, 75)[:, None, None]
    images = np.stack([cv2.resize(s, (48, 48), interpolation=cv2.INTER_CUBIC) for s in small])
    labels = np.where(np.arange(12) % 2 == 0, HAPPY, SAD).astype(np.int64)
    return (images + light).clip(0, 255).astype(np.uint8), labels


@pytest.fixture
def backend():
    return FakeBackend()


def test_pictures_that_were_corrupted_elsewhere_take_the_same_path(split, backend):
    at, plan = np.array([2, 7]), Plan(backend.card)
    ours = prepare(split[0], at, NOISY[1], plan)
    noisy = [corrupt(split[0][i], NOISY[1], 0, int(i)) for i in at]
    theirs = prepare_pictures(noisy, plan)
    np.testing.assert_array_equal(ours.crops, theirs.crops)
    np.testing.assert_array_equal(ours.eta, theirs.eta)
    assert ours.kinds == theirs.kinds


def test_the_comparison_by_hand():
    """Of ten, auto alone is right on one and none alone on three: .6 against .8."""
    auto = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0], np.bool_)
    none = np.array([1, 1, 1, 1, 1, 0, 1, 1, 1, 0], np.bool_)
    found = noise_harm.compared(auto, none, np.random.default_rng(0))
    assert (found["accuracy_auto"], found["accuracy_none"]) == (0.6, 0.8)
    assert found["gain"] == pytest.approx(-0.2)
    low, high = found["gain_95"]
    assert low < -0.2 < high
    # McNemar: of 4 that differ, 1 or fewer on one side, both tails: 2 (1 + 4) / 16.
    assert found["mcnemar_p"] == pytest.approx(10 / 16)


def test_only_pictures_that_differ_are_run_twice(backend):
    crops = np.full((40, 48, 48), 200, np.uint8)
    eta = np.zeros(40, np.float32)
    none = Prepared(crops, eta, ("clean",) * 40)
    other = crops.copy()
    other[[3, 35]] = 20
    auto = Prepared(other, eta, ("clean",) * 40)
    says, without, changed = noise_harm.both_answers(backend, auto, none)
    assert np.flatnonzero(changed).tolist() == [3, 35]
    assert np.flatnonzero(says != without).tolist() == [3, 35]
    assert [len(call[0]) for call in backend.seen] == [32, 8, 2]
    backend.seen.clear()
    louder = Prepared(crops, np.where(np.arange(40) == 1, 0.1, 0).astype(np.float32), none.kinds)
    assert np.flatnonzero(noise_harm.both_answers(backend, louder, none)[2]).tolist() == [1]
    backend.seen.clear()
    assert not noise_harm.both_answers(backend, none, none)[2].any()
    assert len(backend.seen) == 2


def test_a_filter_for_noise_that_is_not_there_is_seen_as_harm(split, backend, monkeypatch):
    """A filter that blackens whatever is called speckle makes the happy ones wrong."""
    wrong = Noise("speckle", np.array([0, 0, 0.2], np.float32), 0.1, np.zeros(3, np.float32))
    monkeypatch.setattr(robustness, "estimate_noise", lambda image: wrong)
    monkeypatch.setattr(
        robustness,
        "get_filter",
        lambda name, filter_set: lambda image, level: image * np.uint8(name == "none"),
    )
    # The fake's eta is of no importance here, and it knows no gains of such a filter.
    monkeypatch.setattr(robustness, "residual_noise", lambda *args, **kwargs: 0.0)
    rows = noise_harm.harm_rows(
        backend, split, np.arange(12), Plan(backend.card), ((AS_ADDED, NO_NOISE),)
    )
    assert rows[0]["accuracy_none"] == 1
    assert rows[0]["accuracy_auto"] == 0.5
    assert rows[0]["gain"] == -0.5
    assert rows[0]["filtered"] == 1
    assert rows[0]["answers"]["speckle"] == 1
    said = noise_harm.said(rows, 12)
    assert "below none in 1 of 1 conditions, with p < .05 in 1 (as added, clean)" in said


def test_the_pictures_are_those_of_the_condition(split, backend, monkeypatch):
    seen = []

    def spy(pictures, plan):
        seen.append((pictures, plan.choice))
        return prepare_pictures(pictures, plan)

    monkeypatch.setattr(noise_harm, "prepare_pictures", spy)
    at = np.array([1, 4])
    plan = Plan(backend.card, seed=5)
    rows = noise_harm.harm_rows(backend, split, at, plan, ((DARK, SINGLE[0]),))
    want = [spoiled(split[0][i], DARK, SINGLE[0], 5, int(i))[1] for i in at]
    assert len(seen) == 2
    for pictures, _ in seen:
        np.testing.assert_array_equal(pictures, want)
    assert [set(choice.values()) for _, choice in seen] == [
        {"none", "gaussian", "median", "bilateral"},
        {"none"},
    ]
    assert (rows[0]["fault"], rows[0]["noise"]) == (DARK.name, "gaussian 0.2")


def test_nothing_lost_is_said_too():
    row = {"fault": "a", "noise": "b", "gain": 0.0, "mcnemar_p": 1.0}
    slight = row | {"gain": -0.01, "mcnemar_p": 0.4}
    said = noise_harm.said([row, slight], 3589)
    assert said.startswith("3,589 PrivateTest images. Auto is below none in 1 of 2 conditions")
    assert "with p < .05 in 0;" in said


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, backend, split, monkeypatch):
    model = tmp_path / "fake.onnx"
    model.write_bytes(b"weights")
    monkeypatch.setattr("train.evaluate.open_backend", lambda path: backend)
    monkeypatch.setattr(noise_harm, "load_fer2013", lambda path: {"private": split})
    every = noise_harm.harm_rows
    some = ((FAULTS[3], SINGLE[1]), (AS_ADDED, MIXED[0]))
    monkeypatch.setattr(noise_harm, "harm_rows", lambda *args: every(*args, some))

    def run(**options):
        out = tmp_path / "results"
        return noise_harm.noise_harm(model, tmp_path, Console(quiet=True), out=out, **options)

    return run


def test_results_are_written_and_the_model_is_closed(command, backend):
    files = command()
    assert [file.name for file in files] == ["noise-harm-fake.json", "noise-harm-fake.md"]
    figures = json.loads(files[0].read_text())
    assert figures["images"] == 12
    assert [row["fault"] for row in figures["conditions"]] == ["half size", "as added"]
    assert figures["model"]["filters"]["salt_pepper"] == "median"
    text = files[1].read_text()
    assert "salt_pepper -> median" in text
    assert "| as added | gaussian 0.1 + salt_pepper 0.05 |" in text
    assert backend.closed == 1
    assert command(limit=4)[0].name == "noise-harm-fake-4.json"
    assert command(limit=4, seed=1)[0].name == "noise-harm-fake-4-seed1.json"


def test_what_cannot_be_is_refused(command, backend):
    with pytest.raises(ConfigError, match="--limit"):
        command(limit=0)
    backend.card = backend.card.replace(classes=("cat", "dog"))
    with pytest.raises(CardError, match="cat, dog"):
        command()
    assert backend.closed == 1
