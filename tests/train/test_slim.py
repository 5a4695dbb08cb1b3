"""The slim start: the ResNet-50 computes what the slim network did."""

import pytest
import torch

from fervid.adcam import ExplainedNet, reference_cams
from fervid.errors import DataError
from fervid.folded import folded
from fervid.network import ExpressionNet
from train.slim import SlimNet, embed, read_back


def trained(norm="plain"):
    """A slim network with statistics of its own, and pictures."""
    torch.manual_seed(0)
    slim = SlimNet(7, blocks=(2, 1, 3, 2), last_stride=1, mean=0.5, std=0.25, norm=norm)
    slim.head.weight.data.normal_(0, 0.1)
    images = torch.randn(32, 3, 32, 32)
    for _ in range(5):
        slim.train()(images + 0.1 * torch.randn_like(images))
    return slim.eval(), images


@torch.no_grad()
def test_the_large_network_says_the_same():
    slim, images = trained()
    net = ExpressionNet(mean=0.5, std=0.25)
    embed(slim, net, images)
    expected, maps = slim(images)
    logits, large = net.eval()(images)
    assert torch.allclose(logits, expected, atol=1e-5 * float(expected.abs().max()))
    assert torch.allclose(large, maps, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["plain", "window"])
def test_what_learns_no_more_says_the_same_under_noise_and_runs_as_slim(norm):
    slim, images = trained(norm)
    for layer in slim.layers:
        for block in layer[1:]:
            block.mixed.weight.normal_(0, 0.3)
    for block in (slim.stem, *(layer[0] for layer in slim.layers[:3])):
        if norm == "window":
            block.norm.eta_gamma.normal_(0, 0.5)
            block.norm.eta_beta.normal_(0, 0.5)
            block.norm.eta_gate.normal_(0, 1)
    net = ExpressionNet(mean=0.5, std=0.25)
    embed(slim, net, None)
    eta = torch.linspace(0, 0.3, len(images))
    expected, wanted = slim(images, eta if norm == "plain" else eta[:, None].expand(-1, 7))
    lean = folded(net)
    for found in (net.eval(), lean):
        logits, maps = found(images, eta)
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4 * float(expected.std()))
        torch.testing.assert_close(maps, wanted, rtol=0, atol=1e-4 * float(wanted.std()))
    assert [len(layer) for layer in layers_of(lean)] == [2, 1, 3, 2]
    assert lean.head.in_channels == 512
    for layer in layers_of(lean):
        assert layer[0].conv1 is None
        assert layer[0].conv3 is None
        assert not layer[0].skips
    reference, cams = reference_cams(net, images[:4], eta[:4], torch.tensor([-1, 0, 1, 2]))
    logits, _, written = ExplainedNet(net)(images[:4], eta[:4], torch.tensor([-1, 0, 1, 2]))
    torch.testing.assert_close(logits, reference, rtol=0, atol=1e-4 * float(reference.std()))
    torch.testing.assert_close(written, cams, rtol=0, atol=1e-3 * float(cams.std()))


def layers_of(net):
    return net.layer1, net.layer2, net.layer3, net.layer4


@torch.no_grad()
@pytest.mark.parametrize("blocks", [(2, 1, 3, 2), (2, 2, 3, 3)])
def test_the_slim_network_is_read_back(blocks):
    slim, images = trained()
    net = ExpressionNet(mean=0.5, std=0.25)
    embed(slim, net, images)
    torch.manual_seed(1)
    again = SlimNet(7, blocks=blocks, last_stride=1, mean=0.5, std=0.25).eval()
    read_back(net, again)
    expected, _ = slim(images)
    logits, _ = again(images)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.slow
def test_every_channel_of_the_large_network_learns():
    slim, images = trained()
    net = ExpressionNet(mean=0.5, std=0.25)
    embed(slim, net, images)
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    moved = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in net.named_parameters()}
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        noisy = images + 0.2 * torch.randn(images.shape, generator=generator)
        optimizer.zero_grad()
        logits, _ = net(noisy, torch.rand(len(images), generator=generator) / 5)
        logits.square().sum().backward()
        optimizer.step()
        for name, parameter in net.named_parameters():
            moved[name] |= parameter.grad != 0
    still = {n: 1 - float(m.float().mean()) for n, m in moved.items() if m.float().mean() < 0.99}
    assert not still
    with torch.no_grad():
        features = net.eval().features(images, None)
    assert bool((features.amax((0, 2, 3)) > 0).all())


def test_a_narrow_network_learns_but_is_not_embedded():
    slim = SlimNet(7, blocks=(2, 1, 1, 1), last_stride=1, mean=0.5, std=0.25, width=0.5)
    assert [layer[0].conv.out_channels for layer in slim.layers] == [32, 64, 128, 256]
    logits, maps = slim(torch.randn(2, 3, 48, 48))
    assert (logits.shape, maps.shape) == ((2, 7), (2, 7, 6, 6))
    net = ExpressionNet(7, stem="small", blocks=(2, 1, 1, 1), mean=0.5, std=0.25)
    with pytest.raises(DataError, match="width 1"):
        embed(slim, net, None)
