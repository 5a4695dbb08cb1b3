"""Weight randomisation, infidelity and sensitivity, against values worked out by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from fervid.adcam import reference_cams
from fervid.card import ModelCard
from fervid.crops import normalise
from fervid.explain import aligned
from fervid.network import ExpressionNet
from fervid.records import CAM_NAMES, ModelOutput
from tests.networks import lively
from train import cam_faithfulness, cam_sanity
from train.cam_faithfulness import INFIDELITY_SIGMA, NOTHING, Perturbation, faithfulness
from train.cam_sanity import STAGES, UNRELATED, NetBackend, likeness, randomise_weights
from train.robustness import Prepared

CARD = ModelCard("tiny", ("a", "b", "c", "d", "e", "f", "g"), 16)


def told(what, steps):
    pass


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(7)  # not the seed by which its weights are randomised
    return lively(ExpressionNet(blocks=(1, 1, 1, 1)))


@pytest.fixture(scope="module")
def prepared():
    crops = np.random.default_rng(0).integers(0, 256, (3, 16, 16)).astype(np.uint8)
    return Prepared(crops, np.array([0, 0.1, 0.2], np.float32), ("clean",) * 3)


# --- likeness ------------------------------------------------------------------------------------


def test_likeness_is_spearmans():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 5, 6, 6), np.float32)
    a[1] = a[1].round(1)  # ties
    found = likeness(a, b)
    want = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found.rank, want, atol=1e-6)


def test_likeness_at_its_ends():
    a = np.arange(72, dtype=np.float32).reshape(2, 6, 6)
    same, turned = likeness(a, 3 * a + 1), likeness(a, -a)
    np.testing.assert_allclose(same.rank, 1)
    np.testing.assert_allclose(same.ssim, 1, atol=1e-4)
    np.testing.assert_allclose(turned.rank, -1)


def test_a_dead_map_is_like_nothing():
    found = likeness(np.ones((1, 6, 6), np.float32), np.ones((1, 6, 6), np.float32))
    assert (found.rank[0], found.ssim[0], found.alive[0]) == (0, 0, False)


# --- weight randomisation ------------------------------------------------------------------------


def test_a_network_at_hand_is_a_backend(net, prepared):
    images = normalise(prepared.crops, CARD)
    target = np.array([-1, 2, 5])
    found = NetBackend(net, CARD).run(images, prepared.eta, target)
    inputs = map(torch.from_numpy, (images, prepared.eta, target))
    logits, _ = reference_cams(net, *inputs)
    np.testing.assert_allclose(found.logits, logits.numpy(), rtol=1e-3, atol=1e-4)


class Recorder:
    """In the place of NetBackend: which parts differ from the trained network, and by what."""

    seen = ()

    def __init__(self, net, card):
        self.card = card
        Recorder.seen += ({k: v.clone() for k, v in net.state_dict().items()},)

    def run(self, images, eta, target):
        n = len(images)
        Recorder.targets += (target,)
        logits = np.eye(7, dtype=np.float32)[[3] * n]
        cams = np.random.default_rng(len(Recorder.seen)).random((n, 4, 6, 6), np.float32)
        return ModelOutput(logits, logits[:, :, None, None], cams)


@pytest.fixture
def recorded(monkeypatch):
    Recorder.seen, Recorder.targets = (), ()
    monkeypatch.setattr(cam_sanity, "NetBackend", Recorder)
    return Recorder


def test_weights_become_random_from_the_top_down(recorded, net, prepared):
    before = {k: v.clone() for k, v in net.state_dict().items()}
    generator = torch.get_rng_state()
    steps = []
    found = randomise_weights(net, prepared, CARD, lambda _, n: steps.append(n))
    assert sum(steps) == 3 * (1 + len(STAGES))
    assert list(found) == [UNRELATED, *STAGES]
    trained, *mixed = recorded.seen
    random = set()
    for state, parts in zip(mixed, STAGES.values(), strict=True):
        random |= set(parts)
        changed = {k.split(".")[0] for k in before if not torch.equal(state[k], trained[k])}
        assert changed == random
    assert random == {name for name, _ in net.named_children()} - {"maxpool"}
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())
    for target in recorded.targets[1:]:
        np.testing.assert_array_equal(target, 3)  # the trained network's class throughout


def test_random_weights_are_those_of_the_seed(recorded, net, prepared):
    for seed in (4, 4, 5):
        randomise_weights(net, prepared, CARD, told, seed)
    first, second, third = (recorded.seen[k]["head.weight"] for k in (6, 13, 20))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_unrelated_maps_are_of_another_image(recorded, net, prepared):
    found = randomise_weights(net, prepared, CARD, told)
    assert (found[UNRELATED]["gradcam"].rank < 0.9).all()


@pytest.mark.slow
def test_maps_of_a_real_network_change_with_its_weights(net, prepared):
    found = randomise_weights(net, prepared, CARD, told)
    for stage in STAGES:
        for name in CAM_NAMES:
            assert found[stage][name].rank.mean() < 0.99


# --- infidelity and sensitivity ------------------------------------------------------------------

UNIT = np.array([[[0, 0.5], [0.25, 1]]], np.float32)
WEIGHTS = torch.from_numpy(aligned(UNIT, 16))  # (1, 16, 16)


class Linear(nn.Module):
    """The logit of class 2 is a weighted sum of luma; maps: weights, others, none, the input."""

    def __init__(self, net):
        super().__init__()

    def net(self, images, eta):
        logits = torch.zeros(len(images), 7)
        logits[:, 2] = 100 + (images[:, 0] * WEIGHTS).sum((1, 2))
        return logits, None

    def forward(self, images, eta, target):
        n = len(images)
        weights = torch.from_numpy(UNIT).expand(n, 2, 2)
        given = images[:, 0].reshape(n, 2, 8, 2, 8).mean((2, 4))
        cams = torch.stack([3 * weights, weights.flip(1), torch.ones(n, 2, 2), given], 1)
        return self.net(images, eta)[0], None, cams


@pytest.fixture
def linear(monkeypatch):
    monkeypatch.setattr(cam_faithfulness, "ExplainedNet", Linear)


def test_infidelity_of_a_linear_model(linear, prepared):
    """A map that is its weights, times anything, explains it all; zeros explain nothing."""
    found = faithfulness(None, prepared, CARD, told, Perturbation(0, 200))
    right, flipped, constant, _ = (found[name]["infidelity"] for name in CAM_NAMES)
    nothing = found[NOTHING]["infidelity"]
    want = (INFIDELITY_SIGMA / CARD.std) ** 2 * float(WEIGHTS.square().sum())
    assert nothing.mean() == pytest.approx(want, rel=0.2)
    np.testing.assert_allclose(right, 0, atol=1e-3 * want)
    np.testing.assert_allclose(constant, nothing, rtol=1e-5)
    assert (flipped < nothing).all()
    assert (flipped > 0.05 * nothing).all()


def test_a_map_that_is_not_of_the_input_is_not_sensitive(linear, prepared):
    found = faithfulness(None, prepared, CARD, told)
    for name in CAM_NAMES[:3]:
        np.testing.assert_array_equal(found[name]["sensitivity_max"], 0)
    assert (found[CAM_NAMES[3]]["sensitivity_max"] > 0).all()
    assert set(found[NOTHING]) == {"infidelity"}


def test_noise_is_that_of_the_seed_and_steps_are_told(linear, prepared, monkeypatch):
    monkeypatch.setattr(cam_faithfulness, "TOGETHER", 2)
    steps = []
    once = faithfulness(None, prepared, CARD, lambda _, n: steps.append(n))
    twice, other = (faithfulness(None, prepared, CARD, told, Perturbation(s)) for s in (0, 7))
    assert sum(steps) == 3
    for name in CAM_NAMES:
        np.testing.assert_array_equal(once[name]["infidelity"], twice[name]["infidelity"])
        assert once[name]["infidelity"].shape == (3,)
    assert np.any(once[NOTHING]["infidelity"] != other[NOTHING]["infidelity"])


@pytest.mark.slow
def test_a_real_network_is_measured_and_left_as_it_was(net, prepared):
    before = {k: v.clone() for k, v in net.state_dict().items()}
    found = faithfulness(net, prepared, CARD, told, Perturbation(0, 3))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.requires_grad for p in net.parameters())
    for name in CAM_NAMES:
        assert np.isfinite(found[name]["infidelity"]).all()
        assert (found[name]["infidelity"] <= found[NOTHING]["infidelity"] * (1 + 1e-5)).all()
