"""The paper's four maps: captum, autograd and the written-out form say the same."""

import captum.attr
import numpy as np
import pytest
import torch

from fervid.adcam import ExplainedNet, min_max, reference_cams, weigh
from fervid.explain import aligned
from fervid.network import ExpressionNet
from fervid.records import CAM_NAMES
from tests.networks import lively

ETA = torch.tensor([0.0, 0.1, 0.3])
TARGET = torch.tensor([-1, 2, 5])


@pytest.fixture(
    scope="module",
    params=[("small", 48, 1, 1), ("small", 48, 1, 2), ("torchvision", 96, 2, 1)],
    ids=["small stem", "dilated", "torchvision"],
)
def case(request):
    stem, px, stride, dilation = request.param
    net = lively(ExpressionNet(stem=stem, last_stride=stride, last_dilation=dilation))
    net.head.weight.data.normal_(0, 0.1)
    images = torch.randn(3, 3, px, px, generator=torch.Generator().manual_seed(6))
    return net, images


def relative(a, b):
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.filterwarnings("ignore::UserWarning")  # captum registers backward hooks
@pytest.mark.parametrize("layer", ["layer3", "layer4"])
def test_grad_cam_equals_captums(case, layer):
    net, images = case
    chosen = torch.where(TARGET < 0, net(images, ETA)[0].argmax(1), TARGET)
    oracle = captum.attr.LayerGradCam(lambda x: net(x, ETA)[0], getattr(net, layer)[-1])
    expected = oracle.attribute(images, chosen, relu_attributions=True)[:, 0].detach()
    seen = []
    hook = getattr(net, layer)[-1].register_forward_hook(lambda _m, _i, out: seen.append(out))
    score = net(images, ETA)[0].gather(1, chosen[:, None]).sum()
    hook.remove()
    ours = weigh(seen[0], torch.autograd.grad(score, seen[0])[0], adaptive=False).detach()
    assert relative(ours, expected) <= 1e-5


def test_written_out_maps_equal_autograds(case):
    net, images = case
    logits, expected = reference_cams(net, images, ETA, TARGET)
    with torch.no_grad():
        written, maps, cams = ExplainedNet(net)(images, ETA, TARGET)
    assert relative(written, logits) <= 1e-5
    assert torch.allclose(maps.mean((2, 3)) + net.head.bias, written, atol=1e-5)
    for v, name in enumerate(CAM_NAMES):
        assert relative(cams[:, v], expected[:, v]) <= 2e-5, name


def test_the_four_maps_differ(case):
    net, images = case
    with torch.no_grad():
        cams = ExplainedNet(net)(images, ETA, TARGET)[2]
    scaled = [min_max(cams[:, v]) for v in range(4)]
    for a in range(4):
        for b in range(a):
            assert (scaled[a] - scaled[b]).abs().max() > 0.01, (CAM_NAMES[a], CAM_NAMES[b])


def test_the_map_follows_the_class(case):
    net, images = case
    with torch.no_grad():
        explained = ExplainedNet(net)
        first = explained(images, ETA, torch.zeros(3, dtype=torch.int64))[2]
        second = explained(images, ETA, torch.full((3,), 3))[2]
    assert (first - second).abs().max() > 0.01


def test_hooks_are_gone_after_an_error(case):
    net, _ = case
    with pytest.raises(RuntimeError):
        reference_cams(net, torch.zeros(1, 5, 48, 48), torch.zeros(1), torch.zeros(1).long())
    assert not net.layer3[-1]._forward_hooks
    assert not net.layer4[-1]._forward_hooks


def test_weights_by_hand():
    activations = torch.tensor([[[[1.0, 0.0]], [[0.0, 2.0]]]])  # (1, 2, 1, 2)
    gradients = torch.tensor([[[[1.0, 3.0]], [[-1.0, -1.0]]]])
    # a = (2, -1): relu(2 * (1, 0) - 1 * (0, 2)) = (2, 0)
    assert weigh(activations, gradients, adaptive=False).tolist() == [[[2.0, 0.0]]]
    # a'_0 = 2 * (2/2) * 2/(2+1) = 4/3; a'_1 = -1 * (1/2) * 1/(1+0) = -1/2
    found = weigh(activations, gradients, adaptive=True)
    assert torch.allclose(found, torch.tensor([[[4 / 3, 0.0]]]))


def test_heatmaps_lie_where_the_network_looks():
    """The input that moves one cell is centred where `aligned` puts that cell."""
    net = lively(ExpressionNet())
    images = torch.randn(16, 3, 48, 48, generator=torch.Generator().manual_seed(7)).requires_grad_()
    cell = net.early(images, None)[:, :, 3, 3]
    (gradient,) = torch.autograd.grad(cell.square().sum(), images)
    weight = gradient.square().sum((0, 1, 2))  # (48,), over columns
    centre = float((weight * torch.arange(48)).sum() / weight.sum())
    lone = np.zeros((1, 6, 6), np.float32)
    lone[0, 3, 3] = 1
    shown = aligned(lone, 48)[0].sum(0)
    assert shown.argmax() == 24
    assert abs(centre - 24) < 1.5
    assert abs(centre - 27.5) > 2  # where plain stretching would put it
