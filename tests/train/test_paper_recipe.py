"""The paper's recipe runs: twenty of its steps, smaller, from a state dict of torchvision's."""

import dataclasses
import time

import numpy as np
import pytest
import torch

from train.fit import Session, fit
from train.recipe import load_recipe
from train.resume import start

STEPS, BATCH, IMAGES = 20, 4, 16


def test_the_recipe_adds_nothing_to_what_the_paper_says():
    plan = load_recipe("paper")
    assert (plan.optimizer, plan.lr, plan.batch, plan.schedule) == ("adam", 1e-4, 64, "constant")
    assert (plan.precision, plan.stem, plan.pretrained) == ("float32", "torchvision", True)
    off = ("clip", "ema", "warmup", "label_smoothing", "weight_decay", "eta_jitter")
    assert not any(getattr(plan, name) for name in off)
    assert (plan.stages[0].passes, plan.stages[0].px) == (30, 224)


@pytest.mark.slow
def test_twenty_steps_of_the_papers_recipe(tmp_path):
    from torchvision.models import resnet50

    torch.manual_seed(0)
    weights = tmp_path / "resnet50.pth"
    torch.save(resnet50(weights=None).state_dict(), weights)
    whole = load_recipe("paper")
    stage = dataclasses.replace(whole.stages[0], px=32, passes=STEPS * BATCH / IMAGES)
    plan = dataclasses.replace(whole, stages=(stage,), batch=BATCH)
    rng = np.random.default_rng(0)
    split = rng.integers(0, 256, (IMAGES, 48, 48)).astype(np.uint8), rng.integers(0, 7, IMAGES)
    data = {"train": split, "public": split, "private": split}
    before = start(plan, tmp_path / "none.pt", weights).net.state_dict()
    session = Session(tmp_path / "run", 60, 3600, 0, time.monotonic)
    state, done = fit(plan, data, session, weights)
    assert done
    assert state.step == STEPS
    losses = [row["loss"] for row in state.history]
    assert len(losses) == STEPS * BATCH / IMAGES
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    after = state.net.state_dict()
    for name in ("conv1.weight", "layer1.0.conv2.weight", "layer4.2.bn3.weight", "head.weight"):
        assert not torch.equal(before[name], after[name]), name
        assert torch.isfinite(after[name]).all()
    for name, tensor in state.ema.module.state_dict().items():
        assert torch.equal(tensor, after[name]), name  # ema = 0: the last network is kept
