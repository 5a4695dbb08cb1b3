"""The ablation: its norms, its arms, and a whole small run that goes on where it stopped."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from fervid.errors import ConfigError
from train import ablate as ablation
from train import arms
from train.__main__ import ablate
from train.ablation_report import tables, write_ablation
from train.arms import ARMS, COMPARED, TRAININGS, Training
from train.norms import CONDITIONS, NORMS, BlendNorm2d, LevelNorm2d
from train.recipe import load_recipe
from train.slim import SlimNet


@pytest.fixture(scope="module")
def maps():
    return torch.randn(24, 6, 5, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("training", [True, False])
def test_without_noise_every_norm_is_batch_normalization(maps, name, training):
    plain = nn.BatchNorm2d(6)
    nn.init.uniform_(plain.weight)
    nn.init.uniform_(plain.bias)
    norm = NORMS[name](6)
    norm.load_state_dict(plain.state_dict(), strict=False)
    if isinstance(norm, BlendNorm2d):
        norm.strength = 0.5
    plain.train(training)
    norm.train(training)
    expected = plain(maps)
    calls = [(), (torch.zeros(24, CONDITIONS),)] if name != "plain" else [()]
    if isinstance(norm, LevelNorm2d) and not training:
        calls = calls[:1]  # its own statistics are those of no training yet
    if isinstance(norm, BlendNorm2d) and training:
        calls = calls[:1]  # not made to be trained
    for conditions in calls:
        torch.testing.assert_close(norm(maps, *conditions), expected, atol=1e-5, rtol=1e-5)


def test_groups_are_normalised_by_themselves(maps):
    """Noisy pictures shifted by 10 come out as the clean ones do."""
    norm = LevelNorm2d(6).train()
    conditions = torch.zeros(24, CONDITIONS)
    conditions[12:, 0] = 0.1
    x = maps.clone()
    x[12:] += 10
    y = norm(x, conditions)
    assert y[:12].mean().abs() < 1e-5
    assert y[12:].mean().abs() < 1e-5
    for _ in range(200):
        norm(x, conditions)
    torch.testing.assert_close(norm.eval()(x, conditions), y.detach(), atol=1e-2, rtol=1e-2)


def test_a_blend_leans_on_the_picture(maps):
    norm = BlendNorm2d(6).eval()
    norm.strength = 1.0
    conditions = torch.zeros(24, CONDITIONS)
    conditions[:, 0] = 10  # w = 1: instance normalization
    expected = nn.functional.instance_norm(maps)
    torch.testing.assert_close(norm(maps, conditions), expected, atol=1e-4, rtol=1e-4)


def test_a_slim_net_with_conditions_learns_from_them():
    net = SlimNet(7, blocks=(1, 1, 1, 1), last_stride=1, mean=0.5, std=0.25, norm="vector")
    logits, _ = net(torch.randn(4, 3, 16, 16), torch.rand(4, CONDITIONS))
    logits.square().sum().backward()
    assert net.stem.norm.eta_beta.grad.abs().sum() > 0


def test_arms_are_of_trainings_and_compared_by_their_titles():
    titles = [arm.title for arm in ARMS]
    assert len(set(titles)) == len(titles)
    assert {arm.training for arm in ARMS} == set(TRAININGS)
    assert {title for pair in COMPARED for title in pair} <= set(titles)
    recipe = TRAININGS["noise-filters-window"].recipe("noise-filters-window", 2)
    assert (recipe.seed, recipe.stages[0].norm, recipe.stages[0].adaptive) == (2, "window", True)
    assert TRAININGS["clean"].recipe("clean", 1).augment.noise == 0
    assert set(load_recipe("ablation").augment.kinds) == {"gaussian", "salt_pepper", "speckle"}


@pytest.fixture
def small(monkeypatch):
    """Two trainings of two steps each, and 8 pictures a split."""
    some = {"clean": Training(noise=False), "noise-filters-window": TRAININGS["noise-window"]}
    monkeypatch.setattr(ablation, "TRAININGS", some)
    base = load_recipe("ablation")
    stage = arms.dataclasses.replace(base.stages[0], passes=1.0, blocks=(1, 1, 1, 1))
    base = arms.dataclasses.replace(base, stages=(stage,), batch=8, precision="float32")
    monkeypatch.setattr(arms, "load_recipe", lambda _: base)
    rng = np.random.default_rng(0)
    names = ("train", "public", "private")
    return {n: (rng.integers(0, 256, (8, 48, 48), np.uint8), rng.integers(0, 7, 8)) for n in names}


def test_each_process_takes_its_own_seeds():
    first, others = ablation.order([1]), ablation.order([2, 3])
    assert [name for name, _ in first] == list(TRAININGS)
    assert others == [(n, s) for s in (2, 3) for n, t in TRAININGS.items() if t.seeds == 3]


def test_further_seeds_measure_the_first_arm_alone(monkeypatch):
    monkeypatch.setattr(ablation, "choose_strength", lambda *_: 0.5)
    monkeypatch.setattr(ablation, "measure_arm", lambda *_: {})
    net = SlimNet(7, blocks=(1, 1, 1, 1), last_stride=1, mean=0.5, std=0.25)
    splits = [SimpleNamespace(name="public"), SimpleNamespace(name="private")]
    every, first = (list(ablation.measure_all(net, "clean", splits, seed)) for seed in (1, 2))
    assert every == [arm.title for arm in ARMS if arm.training == "clean"]
    assert first == every[:1]


def test_a_seed_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="--seed"):
        ablate(data=Path("nowhere.zip"), seed=[1, 9])


@pytest.mark.slow
def test_a_run_is_measured_and_goes_on(small, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "STRENGTHS", (0.5,))
    assert not ablation.ablate(small, tmp_path / "runs", tmp_path / "out", 0)
    assert write_ablation(tmp_path / "out") == []
    assert ablation.ablate(small, tmp_path / "runs", tmp_path / "out", 60)
    file = tmp_path / "out" / "ablation.json"
    known = json.loads(file.read_text())
    assert set(known) == {"clean-1", "noise-filters-window-1"}
    clean = known["clean-1"]["arms"]
    assert set(clean) == {arm.title for arm in ARMS if arm.training == "clean"}
    assert clean["+ blend w(eta)"]["strength"] == 0.5
    rows = clean["+ filters"]["private"]["settings"]
    assert len(rows) == 10
    assert 0 <= rows[3]["dc"] <= 2
    before = file.stat().st_mtime_ns
    assert ablation.ablate(small, tmp_path / "runs", tmp_path / "out", 60)  # nothing is left to do
    assert file.stat().st_mtime_ns == before
    (page,) = write_ablation(tmp_path / "out")
    text = page.read_text()
    assert "not measured yet" in text  # the arms of other trainings
    assert "clean-trained (baseline) -> + filters" in text
    assert all(table.rows for table in tables(known))
