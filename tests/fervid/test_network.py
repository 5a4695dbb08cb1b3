"""The network against torchvision's, and its adaptive norm against its equation."""

import pytest
import torch
from torchvision.models import resnet50

from fervid.card import ModelCard
from fervid.errors import CardError, ModelLoadError
from fervid.network import (
    AdaptiveNorm2d,
    ExpressionNet,
    load_torchvision,
    standardise_light,
)
from tests.networks import lively


@pytest.fixture(scope="module")
def pair():
    """torchvision's ResNet-50 and ours with the same weights, plain strides."""
    theirs = lively(resnet50(num_classes=7))
    ours = ExpressionNet(stem="torchvision", last_stride=2)
    missing = load_torchvision(ours, theirs.state_dict())
    ours.head.weight.data = theirs.fc.weight.data[:, :, None, None].clone()
    ours.head.bias.data = theirs.fc.bias.data.clone()
    return theirs, ours.eval(), missing


@pytest.mark.parametrize("px", [96, 224])
def test_plain_network_equals_torchvision_at_eta_0(pair, px):
    theirs, ours, _ = pair
    images = torch.randn(2, 3, px, px, generator=torch.Generator().manual_seed(px))
    with torch.no_grad():
        expected = theirs(images)
        plain, maps = ours(images, None)
        at_zero, _ = ours(images, torch.zeros(2))
    size = expected.abs().max()
    assert (plain - expected).abs().max() <= 2e-6 * size
    assert (at_zero - expected).abs().max() <= 2e-6 * size
    assert torch.allclose(maps.mean((2, 3)) + ours.head.bias, plain, atol=1e-6)


def test_every_torchvision_key_but_fc_is_used(pair):
    theirs, ours, missing = pair
    assert all(name.startswith("head.") or ".eta_" in name for name in missing)
    assert set(theirs.state_dict()) - set(ours.state_dict()) == {"fc.weight", "fc.bias"}


def test_a_foreign_state_dict_is_refused(pair):
    with pytest.raises(RuntimeError, match="no ResNet-50"):
        load_torchvision(pair[1], {"features.0.weight": torch.zeros(1)})


def test_bright_images_pass_the_light_gate_unchanged_and_dark_ones_are_lit():
    net = ModelCard(name="t", classes=("a", "b"), input_px=48)
    grey = torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(1)).expand(1, 3, 48, 48)
    bright = (grey - net.mean) / net.std
    dark = (grey * 0.1 - net.mean) / net.std
    assert torch.allclose(standardise_light(bright, None, net.mean, net.std), bright, atol=1e-6)
    lit = standardise_light(dark, None, net.mean, net.std) * net.std + net.mean
    assert lit.mean() == pytest.approx(0.508, abs=1e-3)
    assert lit.std() == pytest.approx(0.219, abs=1e-2)


def test_adaptive_norm_is_its_equation():
    norm = lively(AdaptiveNorm2d(3))
    x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(2)) * 2 + 1
    eta = torch.tensor([0.0, 0.2])
    y = norm(x, eta)
    plain = torch.nn.functional.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )
    assert torch.allclose(y[0], plain[0], atol=1e-6)
    w = torch.sigmoid(norm.eta_gate) * torch.tanh(torch.tensor(2.0))
    mu_win, var_win = x[1].mean((1, 2)), x[1].var((1, 2), unbiased=False)
    mu = (1 - w) * norm.running_mean + w * mu_win
    between = w * (1 - w) * (norm.running_mean - mu_win) ** 2
    var = (1 - w) * norm.running_var + w * var_win + between
    gamma, beta = norm.weight * (1 + 0.2 * norm.eta_gamma), norm.bias + 0.2 * norm.eta_beta
    scale = (gamma / torch.sqrt(var + norm.eps))[:, None, None]
    expected = scale * (x[1] - mu[:, None, None]) + beta[:, None, None]
    assert torch.allclose(y[1], expected, atol=1e-5)


def test_adaptive_norm_trains_as_batch_norm_at_eta_0():
    adaptive, plain = AdaptiveNorm2d(4), torch.nn.BatchNorm2d(4)
    x = torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(3))
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = adaptive(inputs[0], torch.zeros(8)), plain(inputs[1])
    assert torch.allclose(*outputs, atol=1e-6)
    for output in outputs:
        output.square().mul(torch.arange(6.0)).sum().backward()
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-4)
    assert torch.allclose(adaptive.running_mean, plain.running_mean, atol=1e-6)
    assert torch.allclose(adaptive.running_var, plain.running_var, atol=1e-6)


def test_more_noise_changes_the_output_only_through_eta():
    net = lively(ExpressionNet())
    images = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        clean, noisy = net(images, torch.zeros(1))[0], net(images, torch.full((1,), 0.2))[0]
    assert not torch.allclose(clean, noisy, atol=1e-4)


def test_checkpoint_keeps_network_and_card(tmp_path):
    from fervid.checkpoint import load_model, save_model

    net = lively(ExpressionNet())
    card = ModelCard(name="t", classes=tuple("abcdefg"), input_px=48, temperature=(0.1, 1.0, 0.2))
    path = tmp_path / "model.safetensors"
    save_model(net, card, path, half=False)
    again, read = load_model(path)
    assert read == card.replace(content_sha256=read.content_sha256)
    images, eta = torch.randn(1, 3, 48, 48), torch.tensor([0.1])
    with torch.no_grad():
        assert torch.equal(net(images, eta)[0], again(images, eta)[0])


def test_checkpoint_errors_name_the_file(tmp_path):
    from safetensors.torch import save_file

    from fervid.checkpoint import load_model

    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"not a model")
    with pytest.raises(ModelLoadError, match=r"wrong\.safetensors"):
        load_model(wrong)
    save_file({"a": torch.zeros(1)}, wrong)
    with pytest.raises(CardError, match="card"):
        load_model(wrong)
