"""Training that is stopped and goes on must end where one that was never stopped ends."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fervid.card import ModelCard
from fervid.checkpoint import save_model
from fervid.errors import DataError
from fervid.network import ExpressionNet
from train import fit as fitting
from train.augment import AugmentConfig
from train.data import CLASSES
from train.fit import Session, fit
from train.recipe import Recipe, Stage
from train.resume import save, start
from train.state import build

SLIM = Stage(passes=0.5, px=16, blocks=(1, 2, 1, 1), slim=True, adaptive=False, last_stride=2)
FULL = Stage(passes=0.5, px=16, blocks=(1, 2, 1, 1), last_stride=2)


@pytest.fixture(scope="module")
def data():
    """Sixteen training pictures: with a batch of 4, half a pass is 2 steps."""
    rng = np.random.default_rng(0)

    def split(n):
        return rng.integers(0, 256, (n, 48, 48)).astype(np.uint8), rng.integers(0, 7, n)

    return {"train": split(16), "public": split(8), "private": split(4)}


def recipe(*stages):
    return Recipe("tiny", stages, seed=5, batch=4, lr=0.01, precision="float32")


def sit(plan, data, folder, steps=None):
    """One sitting, without worker processes; the resume file is written at its end only."""
    return fit(plan, data, Session(Path(folder), 60, 3600, 0, time.monotonic, steps))


def test_a_sitting_may_validate_at_the_end_alone(tmp_path, data):
    plan = recipe(Stage(2.0, 16, (1, 1, 1, 1)))
    histories = []
    for every in (True, False):
        session = Session(tmp_path / str(every), 60, 3600, 0, time.monotonic, every_pass=every)
        state, done = fit(plan, data, session)
        assert done
        histories.append(state.history)
    assert [row["step"] for row in histories[0]] == [4, 8]
    assert histories[1] == histories[0][-1:]


def same(one, other):
    """Whether two states hold the same numbers: weights, average, momenta, place in the run."""
    assert (one.stage, one.step) == (other.stage, other.step)
    for part in ("net", "ema"):
        a, b = (getattr(state, part).state_dict() for state in (one, other))
        assert a.keys() == b.keys()
        for name in a:
            assert torch.equal(a[name], b[name]), f"{part} {name}"
    momenta = [state.optimizer.state_dict()["state"] for state in (one, other)]
    for key, values in momenta[0].items():
        for name, value in values.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(momenta[1][key][name]))
    assert one.history == other.history


def interrupted(plan, data, tmp_path, stops):
    whole, done = sit(plan, data, tmp_path / "whole")
    assert done
    for stop in stops:
        part, done = sit(plan, data, tmp_path / "parts", stop)
        assert not done
        assert part.step == stop
    rest, done = sit(plan, data, tmp_path / "parts")
    assert done
    same(whole, rest)
    return whole


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_run_stopped_half_way_ends_the_same(data, tmp_path, optimizer):
    import dataclasses

    stage = dataclasses.replace(SLIM, passes=1)
    plan = dataclasses.replace(recipe(stage), optimizer=optimizer)
    whole = interrupted(plan, data, tmp_path, [2])
    assert whole.step == 4
    first = start(plan, tmp_path / "none.pt", None).net.state_dict()
    trained = whole.net.state_dict()
    assert not torch.equal(first["stem.conv.weight"], trained["stem.conv.weight"])


@pytest.mark.slow
def test_a_resnet_stopped_before_at_and_after_its_growth_ends_the_same(data, tmp_path):
    whole = interrupted(recipe(SLIM, FULL), data, tmp_path, [1, 2, 3])
    assert (whole.stage, whole.step) == (1, 4)
    assert [round(row["step"]) for row in whole.history] == [4]


@pytest.mark.slow
def test_stages_with_pictures_of_their_own_end_the_same(data, tmp_path):
    import dataclasses

    harder = AugmentConfig(noise=0, faults=0, erase=1.0)
    plans = [
        recipe(SLIM, dataclasses.replace(SLIM, mixup=mixup, augment=config))
        for mixup, config in ((None, None), (1.0, None), (None, harder))
    ]
    ends = [interrupted(plan, data, tmp_path / str(n), [3]) for n, plan in enumerate(plans)]
    heads = [end.net.state_dict()["stem.conv.weight"] for end in ends]
    assert not torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.slow
def test_a_run_with_dropout_ends_the_same(data, tmp_path):
    import dataclasses

    plan = dataclasses.replace(recipe(dataclasses.replace(SLIM, passes=1)), dropout=0.5)
    interrupted(plan, data, tmp_path, [2])


@pytest.mark.slow
def test_a_run_with_a_fixed_teacher_ends_the_same(data, tmp_path):
    import dataclasses

    kinds = ("average", "fixed", "both")
    stages = (dataclasses.replace(SLIM, teacher=kind) for kind in kinds)
    heard = dataclasses.replace(
        recipe(*stages, FULL), distil=0.6, distil_clean=0.5, distil_maps=1.0
    )
    whole = interrupted(heard, data, tmp_path, [3, 5])
    assert whole.taught_from == 1
    assert not torch.equal(whole.teacher.head.weight, whole.ema.module.head.weight[:, :512])
    part, _ = sit(heard, data, tmp_path / "stage", 2)
    learner = part.ema.module.state_dict()
    assert all(torch.equal(learner[n], t) for n, t in whole.teacher.state_dict().items())


def test_a_stages_own_values_hold_in_it_alone():
    import dataclasses

    own = dataclasses.replace(SLIM, lr=0.5, dropout=0.4, mixup=0.2, augment=AugmentConfig(flip=0))
    plan = recipe(SLIM, own)
    assert plan.at(0) == plan
    there = plan.at(1)
    assert (there.lr, there.dropout, there.mixup, there.augment.flip) == (0.5, 0.4, 0.2, 0)
    assert build(plan, plan.stages[0]).drop.p == 0
    assert build(plan, own).drop.p == 0.4


@pytest.mark.slow
def test_a_run_at_its_last_step_is_taken_no_further(data, tmp_path):
    plan = recipe(SLIM, SLIM)
    states = [sit(plan, data, tmp_path, steps) for steps in (1, 1, 2, 2)]
    assert [(state.step, done) for state, done in states] == [
        (1, False),
        (1, False),
        (2, False),
        (2, False),
    ]


@pytest.mark.slow
def test_a_finished_run_is_left_as_it_is(data, tmp_path):
    plan = recipe(SLIM)
    first, _ = sit(plan, data, tmp_path)
    again, done = sit(plan, data, tmp_path)
    assert done
    same(first, again)


def test_pretrained_weights_must_be_named(tmp_path):
    plan = Recipe("paper", (FULL,), pretrained=True)
    with pytest.raises(DataError, match="--weights FILE"):
        start(plan, tmp_path / "none.pt", None)


def test_a_slim_stage_starts_from_a_released_network(tmp_path):
    import dataclasses

    fixed = dataclasses.replace(SLIM, teacher="fixed")
    plan = dataclasses.replace(recipe(fixed), pretrained=True)
    with pytest.raises(DataError, match=r"a \.safetensors of `python -m train release`"):
        start(plan, tmp_path / "none.pt", None)
    torch.manual_seed(9)
    net = ExpressionNet(7)
    card = ModelCard(name="x", classes=CLASSES, input_px=48)
    save_model(net, card, tmp_path / "grown.safetensors")
    state = start(plan, tmp_path / "none.pt", tmp_path / "grown.safetensors")
    wanted = net.conv1.weight.half().float()
    for got in (state.net, state.ema.module, state.teacher):
        assert torch.equal(got.stem.conv.weight, wanted)
    large = dataclasses.replace(card, stem="torchvision")
    save_model(ExpressionNet.from_card(large), large, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="did not grow from a slim network"):
        start(plan, tmp_path / "none.pt", tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="cannot start a slim stage"):
        start(plan, tmp_path / "none.pt", tmp_path / "resnet50.pth")


def test_a_kill_while_writing_leaves_the_previous_resume_file(tmp_path, monkeypatch):
    plan, path = recipe(SLIM), tmp_path / "resume.pt"
    state = start(plan, path, None)
    save(state, path, plan)
    before = path.read_bytes()

    def killed(content, file):
        Path(file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        save(state, path, plan)
    assert path.read_bytes() == before


def test_a_full_disk_is_one_sentence_and_leaves_the_previous_resume_file(tmp_path):
    resource = pytest.importorskip("resource")  # which Windows lacks
    plan, path = recipe(SLIM), tmp_path / "resume.pt"
    state = start(plan, path, None)
    save(state, path, plan)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(DataError, match=r"resume\.pt cannot be written .* make room"):
            save(state, path, plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["resume.pt"]


def test_resume_brings_back_place_and_history(tmp_path):
    plan, path = recipe(SLIM), tmp_path / "resume.pt"
    state = start(plan, path, None)
    state.step, state.history = 7, [{"step": 7, "clean": 0.5}]
    save(state, path, plan)
    same(start(plan, path, None), state)
