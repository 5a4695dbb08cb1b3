"""Where a run starts: its own resume file, weights that fit, and nothing else."""

import dataclasses
import logging
import time

import numpy as np
import pytest
import torch

from fervid.card import ModelCard
from fervid.checkpoint import save_model
from fervid.errors import DataError
from fervid.network import ExpressionNet
from train.data import CLASSES
from train.fit import Session, fit
from train.recipe import Recipe, Stage
from train.resume import load_weights, save, start
from train.state import build

SLIM = Stage(passes=0.5, px=16, blocks=(1, 1, 1, 1), slim=True, adaptive=False, last_stride=2)
SMALL = Stage(passes=0.5, px=16, blocks=(1, 1, 1, 1))
PLAN = Recipe("tiny", (SLIM,), seed=5, batch=4, lr=0.01, precision="float32")


@pytest.fixture
def resume(tmp_path):
    path = tmp_path / "resume.pt"
    save(start(PLAN, path, None), path, PLAN, 2)
    return path


def test_a_resume_file_goes_on_with_its_own_recipe_and_processes(resume):
    assert start(PLAN, resume, None, 2).step == 0
    assert start(PLAN, resume, None).step == 0  # nothing is trained: any number will do


def test_another_recipe_is_refused_with_the_way_out(resume):
    other = dataclasses.replace(PLAN, lr=0.02)
    with pytest.raises(DataError, match=r"resume\.pt is of a recipe tiny with other .* --runs"):
        start(other, resume, None, 2)


def test_another_number_of_processes_is_refused_with_the_way_out(resume):
    with pytest.raises(DataError, match=r"by 2 processes and cannot go on with 1; .* --runs"):
        start(PLAN, resume, None, 1)


def test_an_older_file_says_neither_and_is_accepted(resume):
    content = torch.load(resume, weights_only=True)
    del content["recipe"], content["processes"]
    torch.save(content, resume)
    assert start(dataclasses.replace(PLAN, lr=0.02), resume, None, 1).step == 0


@pytest.mark.parametrize("content", [b"", b"no pickle", {"stage": 0}, [1], {"net": 1, "stage": 9}])
def test_a_damaged_resume_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "resume.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(DataError, match=r"resume\.pt is damaged.*--runs") as raised:
        start(PLAN, path, None, 1)
    assert "\n" not in str(raised.value)


def test_weights_that_are_not_used_are_said_so(resume, tmp_path, caplog):
    rng = np.random.default_rng(0)
    split = rng.integers(0, 256, (8, 48, 48)).astype(np.uint8), rng.integers(0, 7, 8)
    data = {"train": split, "public": split, "private": split}
    save(start(PLAN, resume.with_name("none"), None), resume, PLAN, 1)
    with caplog.at_level(logging.WARNING):
        fit(PLAN, data, Session(tmp_path, 60, 3600, 0, time.monotonic), tmp_path / "w.pth")
    assert len(caplog.messages) == 1
    assert "w.pth is not used: the run goes on from" in caplog.messages[0]


# --- weights -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net():
    return build(dataclasses.replace(PLAN, stages=(SMALL,)), SMALL)


def torchvisions(net):
    """The keys that torchvision's network of the same shape has, without its fc."""
    own = net.state_dict()
    return {k: v for k, v in own.items() if not k.startswith("head.") and ".eta_" not in k}


def test_torchvisions_state_dict_is_taken(net, tmp_path):
    state = torchvisions(net) | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    state["conv1.weight"] = torch.full_like(state["conv1.weight"], 0.25)
    torch.save(state, tmp_path / "w.pth")
    load_weights(net, tmp_path / "w.pth")
    assert (net.conv1.weight == 0.25).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"fc.weight": torch.zeros(7, 2048)},
        [torch.zeros(3)],
        torch.zeros(3),
        {1: torch.zeros(3)},
        {"state_dict": {}},
        b"",
        b"text",
    ],
    ids=str,
)
def test_what_is_no_resnet_is_refused_in_one_sentence(net, tmp_path, wrong):
    path = tmp_path / "w.pth"
    if isinstance(wrong, bytes):
        path.write_bytes(wrong)
    else:
        torch.save(wrong, path)
    with pytest.raises(DataError, match=r"w\.pth .*ResNet-50") as raised:
        load_weights(net, path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", ["conv1.weight", "layer4.0.bn3.running_var"])
def test_a_state_dict_that_lacks_a_layer_is_refused(net, tmp_path, key):
    state = torchvisions(net)
    del state[key]
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(DataError, match=key):
        load_weights(net, tmp_path / "w.pth")


@pytest.mark.slow
def test_a_model_of_fervids_is_taken_where_it_fits(net, tmp_path):
    path = tmp_path / "m.safetensors"
    card = ModelCard(name="t", classes=CLASSES, input_px=16)
    save_model(ExpressionNet(), card, path)
    whole = Stage(passes=1, px=16)
    load_weights(build(dataclasses.replace(PLAN, stages=(whole,)), whole), path)
    with pytest.raises(DataError, match="does not fit"):
        load_weights(net, path)
