"""The network as it runs says what the network as it is trained says."""

import copy

import pytest
import torch

from fervid.folded import folded
from fervid.network import ExpressionNet
from tests.networks import lively

ETA = torch.tensor([0.0, 0.1, 0.3])


@pytest.fixture(scope="module")
def case():
    net = lively(ExpressionNet(blocks=(2, 1, 2, 2)))
    net.head.weight.data.normal_(0, 0.1)
    images = torch.randn(3, 3, 48, 48, generator=torch.Generator().manual_seed(6))
    return net, images


@torch.no_grad()
def same(net, images):
    """The folded network, after a comparison with the one that it was made from."""
    lean = folded(net)
    for found, expected in zip(lean(images, ETA), net(images, ETA), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.std()))
    return lean


def test_a_network_in_use_keeps_every_channel_and_is_not_changed(case):
    net, images = case
    before = {name: t.clone() for name, t in net.state_dict().items()}
    lean = same(net, images)
    assert [len(getattr(lean, f"layer{n}")) for n in (1, 2, 3, 4)] == [2, 1, 2, 2]
    for layer, width in ((lean.layer1, 64), (lean.layer4, 512)):
        for block in layer:
            assert block.conv1.out_channels == block.conv3.in_channels == width
            assert block.conv3.out_channels == 4 * width
            assert block.skips
    assert all(torch.equal(before[name], t) for name, t in net.state_dict().items())


def test_channels_that_nothing_reads_go(case):
    net, images = copy.deepcopy(case[0]), case[1]
    net.layer2[0].conv2.weight.data[:, 100:] = 0
    net.layer3[1].conv3.weight.data[:, 40:80] = 0
    lean = same(net, images)
    assert lean.layer2[0].conv1.out_channels == 100
    assert lean.layer3[1].conv2.out_channels == 216


def test_a_channel_between_blocks_goes_when_nobody_after_it_reads_it(case):
    net, images = copy.deepcopy(case[0]), case[1]
    net.head.weight.data[:, 7] = 0
    assert same(net, images).head.in_channels == 2048  # the second block still reads it
    net.layer4[1].conv1.weight.data[:, 7] = 0
    lean = same(net, images)
    assert lean.head.in_channels == 2047
    assert lean.layer4[0].conv3.out_channels == 2047


def test_a_block_that_adds_nothing_goes(case):
    net, images = copy.deepcopy(case[0]), case[1]
    net.layer3[1].bn3.weight.data.zero_()
    net.layer3[1].bn3.bias.data.zero_()
    assert len(same(net, images).layer3) == 1
    net.layer3[1].bn3.bias.data[3] = 0.5  # now it adds a constant
    assert len(same(net, images).layer3) == 2


def test_a_head_that_reads_nothing_still_runs(case):
    net, images = copy.deepcopy(case[0]), case[1]
    net.head.weight.data.zero_()
    with torch.no_grad():
        logits, _ = folded(net)(images, ETA)
        assert torch.allclose(logits, net.head.bias.expand(3, -1))
