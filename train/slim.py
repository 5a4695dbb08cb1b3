"""A slim start for the ResNet-50: a small plain network that becomes part of the large one.

From scratch a ResNet-50 learns slowly: four fifths of its layers are 1x1 convolutions. The slim
network has only the 3x3 convolutions of the first block of each layer, a hundredth of the cost,
and learns in minutes what the large one learns in hours. `embed` then writes it into the ResNet-50
without changing what it computes, and training goes on with all of it.

Source: Chen, Goodfellow, Shlens 2016, "Net2Net: accelerating learning via knowledge transfer".
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fervid.network import Bottleneck, ExpressionNet, standardise_light

WIDTHS = (64, 64, 128, 256, 512)  # stem, layers 1 to 4: the widths of the ResNet-50's 3x3s


class SlimNet(nn.Module):
    """Five 3x3 convolutions with batch norm; names follow the ResNet-50's."""

    def __init__(self, n_classes: int, *, last_stride: int, mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        strides = (2, 1, 2, 2, last_stride)
        inputs = (3, *WIDTHS)
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, s, 1, bias=False)
            for i, o, s in zip(inputs, WIDTHS, strides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in WIDTHS)
        self.head = nn.Conv2d(WIDTHS[-1], n_classes, 1)
        for conv in self.convs:
            nn.init.kaiming_normal_(cast(nn.Conv2d, conv).weight, nonlinearity="relu")

    def forward(self, images: Tensor, eta: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `ExpressionNet.forward`; eta only tells noise from contrast in the light."""
        x = standardise_light(images, eta, self.mean, self.std)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        maps = self.head(x) - cast(Tensor, self.head.bias)[:, None, None]
        return maps.mean((2, 3)) + cast(Tensor, self.head.bias), maps


@torch.no_grad()
def embed(slim: SlimNet, net: ExpressionNet, images: Tensor) -> None:
    """Write a slim network into a ResNet-50 that then computes the same, also while training.

    The slim channels are the first ones everywhere. A 1x1 convolution passes them on unchanged; the
    norm after it has the scale and shift that undo its own standardisation. All other channels
    start at 0 by the scale of their norms, and later blocks as identity.

    Args:
        slim: in any mode.
        net: with stem "small" and fresh weights, changed in place.
        images: (N, 3, S, S), training pictures as the network sees them, to measure statistics.
    """
    net.eval()
    slim.eval()
    x = standardise_light(images, None, net.mean, net.std)
    net.conv1.weight.copy_(cast(nn.Conv2d, slim.convs[0]).weight)
    _copy_norm(cast(nn.BatchNorm2d, slim.norms[0]), net.bn1)
    x = F.relu(net.bn1(net.conv1(x)))
    layers = (net.layer1, net.layer2, net.layer3, net.layer4)
    for number, layer in enumerate(layers, start=1):
        block = cast(Bottleneck, layer[0])
        _embed_block(
            cast(nn.Conv2d, slim.convs[number]), cast(nn.BatchNorm2d, slim.norms[number]), block, x
        )
        for module in layer:
            x = module(x)
    net.head.weight.zero_()
    net.head.weight[:, : WIDTHS[-1]].copy_(slim.head.weight)
    cast(Tensor, net.head.bias).copy_(cast(Tensor, slim.head.bias))


@torch.no_grad()
def extract(net: ExpressionNet, slim: SlimNet) -> None:
    """Take the slim channels out of a ResNet-50 that once embedded them, to train them on.

    The exact reverse of `embed`; after the ResNet-50 was trained further, what its other channels
    learnt is left behind.
    """
    cast(nn.Conv2d, slim.convs[0]).weight.copy_(net.conv1.weight)
    _copy_norm(net.bn1, cast(nn.BatchNorm2d, slim.norms[0]))
    layers = (net.layer1, net.layer2, net.layer3, net.layer4)
    for layer, conv, norm in zip(layers, slim.convs[1:], slim.norms[1:], strict=True):
        block, kernel = cast(Bottleneck, layer[0]), cast(nn.Conv2d, conv)
        kernel.weight.copy_(block.conv2.weight[:, : kernel.in_channels])
        _copy_norm(block.bn2, cast(nn.BatchNorm2d, norm))
    slim.head.weight.copy_(net.head.weight[:, : WIDTHS[-1]])
    cast(Tensor, slim.head.bias).copy_(cast(Tensor, net.head.bias))


def _embed_block(conv: nn.Conv2d, norm: nn.BatchNorm2d, block: Bottleneck, x: Tensor) -> None:
    """conv1 and conv3 pass the slim channels on, conv2 is the slim convolution."""
    known, width = conv.in_channels, conv.out_channels
    block.conv1.weight[:known].zero_()
    block.conv1.weight[range(known), range(known)] = 1
    y = block.conv1(x)
    _transparent(block.bn1, y, known)
    block.conv2.weight[:, :known].copy_(conv.weight)
    block.conv2.weight[:, known:].mul_(0.5)
    _copy_norm(norm, block.bn2)
    z = F.relu(block.bn2(block.conv2(F.relu(block.bn1(y)))))
    block.conv3.weight[:width].zero_()
    block.conv3.weight[range(width), range(width)] = 1
    _transparent(block.bn3, block.conv3(z), width)
    if block.downsample is not None:
        shortcut, silent = block.downsample
        _transparent(cast(nn.BatchNorm2d, silent), shortcut(x), 0)


def _copy_norm(source: nn.BatchNorm2d, target: nn.BatchNorm2d) -> None:
    target.load_state_dict(source.state_dict(), strict=False)


def _transparent(norm: nn.BatchNorm2d, x: Tensor, known: int) -> None:
    """Make a norm the identity on its first `known` channels and 0 on the others."""
    var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    cast(Tensor, norm.running_mean).copy_(mean)
    cast(Tensor, norm.running_var).copy_(var)
    norm.weight.zero_()
    norm.bias.zero_()
    norm.weight[:known] = torch.sqrt(var[:known] + norm.eps)
    norm.bias[:known] = mean[:known]
