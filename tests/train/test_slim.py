"""The slim start: the ResNet-50 computes what the slim network did."""

import torch

from fervid.network import ExpressionNet
from train.slim import SlimNet, embed


def trained():
    """A slim network with statistics of its own, and pictures."""
    torch.manual_seed(0)
    slim = SlimNet(7, blocks=(2, 1, 3, 2), last_stride=1, mean=0.5, std=0.25)
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


def test_every_part_of_the_large_network_can_learn():
    slim, images = trained()
    net = ExpressionNet(mean=0.5, std=0.25)
    embed(slim, net, images)
    net.train()(images, torch.full((32,), 0.1))[0].square().sum().backward()
    silent = [n for n, p in net.named_parameters() if p.grad is None]
    assert not silent
