"""A slim start for the ResNet-50: a narrow network that becomes part of the large one.

From scratch a ResNet-50 learns slowly: four fifths of its layers are 1x1 convolutions. The slim
network has only its 3x3 convolutions, a tenth of the cost, and learns in minutes what the large one
learns in hours. `embed` then writes it into the ResNet-50 without changing what it computes, and
training goes on with all of it.

Source: Chen, Goodfellow, Shlens 2016, "Net2Net: accelerating learning via knowledge transfer".
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fervid.errors import DataError
from fervid.network import Bottleneck, ExpressionNet, standardise_light
from train.norms import NORMS, conditioned

STEM_WIDTH = 64
SHUT = -30.0  # a window's gate that lets nothing through
WIDTHS = (64, 128, 256, 512)  # layers 1 to 4: the widths of the ResNet-50's 3x3 convolutions


class SlimBlock(nn.Module):
    """The 3x3 convolution of a layer's first bottleneck."""

    def __init__(self, inputs: int, width: int, stride: int, norm: str = "plain") -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.norm = NORMS[norm](width)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """(N, inputs, H, W) -> (N, width, H / stride, W / stride)."""
        y = self.conv(x)
        return F.relu(self.norm(y, conditions) if conditioned(self.norm) else self.norm(y))


class SlimResidual(SlimBlock):
    """The 3x3 and the last 1x1 convolution of a later bottleneck, with its shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 1)
        self.mix = nn.Conv2d(width, width, 1, bias=False)
        self.mixed = nn.BatchNorm2d(width)
        nn.init.kaiming_normal_(self.mix.weight, nonlinearity="relu")
        nn.init.zeros_(self.mixed.weight)  # the block starts as its shortcut

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return F.relu(x + self.mixed(self.mix(super().forward(x))))


class SlimNet(nn.Module):
    """A stem and four layers of slim blocks; names follow the ResNet-50's.

    Args:
        n_classes: K.
        blocks: blocks per layer, at most the ResNet-50's; the first of each has no shortcut.
        last_stride: stride of layer4.
        mean, std: of the input's normalization.
        dropout: share of the channels before the head that are dropped while training.
        width: channels as a share of the ResNet-50's; only 1 can be embedded.
        norm: of the stem and of the first block of layers 1 to 3, from train/norms.py; only plain
            ones and the window's can be embedded.
    """

    def __init__(  # noqa: PLR0913  what shapes the network
        self,
        n_classes: int,
        *,
        blocks: Sequence[int],
        last_stride: int,
        mean: float,
        std: float,
        dropout: float = 0.0,
        norm: str = "plain",
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.mean, self.std, self.norm, self.width = mean, std, norm, width
        self.drop = nn.Dropout2d(dropout)
        stem, *widths = (max(1, round(width * full)) for full in (STEM_WIDTH, *WIDTHS))
        self.stem = SlimBlock(3, stem, 2, norm)
        norms = (norm, norm, norm, "plain")
        strides = (1, 2, 2, last_stride)
        self.layers = nn.ModuleList(
            nn.Sequential(SlimBlock(i, o, s, kind), *(SlimResidual(o) for _ in range(n - 1)))
            for i, o, s, n, kind in zip(
                (stem, *widths), widths, strides, blocks, norms, strict=False
            )
        )
        self.head = nn.Conv2d(widths[-1], n_classes, 1)

    def forward(self, images: Tensor, eta: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `ExpressionNet.forward`; plain norms need eta for nothing but the light.

        Args:
            images: float32 (N, 3, S, S), normalised.
            eta: float32 (N,), or (N, CONDITIONS) for norms that take conditions.
        """
        conditions = eta if eta is not None and eta.ndim > 1 else None
        level = eta if conditions is None else conditions[:, 0]
        x = self.stem(standardise_light(images, level, self.mean, self.std), conditions)
        for layer in self.layers:
            for block in cast(nn.Sequential, layer):
                x = block(x, conditions)
        maps = self.head(self.drop(x)) - cast(Tensor, self.head.bias)[:, None, None]
        return maps.mean((2, 3)) + cast(Tensor, self.head.bias), maps


@torch.no_grad()
def embed(slim: SlimNet, net: ExpressionNet, images: Tensor | None) -> None:
    """Write a slim network into a ResNet-50 that then computes the same, also while training.

    The slim channels are the first ones everywhere. A 1x1 convolution passes them on unchanged; the
    norm after it has the scale and shift that undo its own standardisation. All other channels are
    alive from the start, so that they learn, and nothing listens to them yet: the weights of the
    next slim convolution and of the head are 0 for them. (Silenced by a norm's scale of 0 instead,
    a ReLU would pass no gradient and they would stay silent for good.) Blocks that the slim network
    lacks start as identity.

    A network that will not learn any more needs none of this: without pictures all other channels
    are 0, and `fervid.folded` leaves them out.

    Args:
        slim: in any mode.
        net: with stem "small" and fresh weights, changed in place.
        images: (N, 3, S, S), training pictures as the network sees them, to measure statistics;
            None to learn no more.

    Raises:
        DataError: the slim network is narrower than the ResNet-50.
    """
    if slim.width != 1:
        raise DataError("A slim stage that another one grows from must have width 1.")
    net.eval()
    if images is None:
        _empty(net)
    net.conv1.weight.copy_(slim.stem.conv.weight)
    net.bn1.load_state_dict(slim.stem.norm.state_dict(), strict=False)
    x = None
    if images is not None:
        x = F.relu(net.bn1(net.conv1(standardise_light(images, None, net.mean, net.std))))
    layers = (net.layer1, net.layer2, net.layer3, net.layer4)
    for small, layer in zip(slim.layers, layers, strict=True):
        blocks = list(cast(nn.Sequential, small))
        for number, module in enumerate(layer):
            if number < len(blocks):
                _embed_block(cast(SlimBlock, blocks[number]), cast(Bottleneck, module), x)
            x = _through(module, x)
    net.head.weight.zero_()
    net.head.weight[:, : WIDTHS[-1]].copy_(slim.head.weight)
    cast(Tensor, net.head.bias).copy_(cast(Tensor, slim.head.bias))


@torch.no_grad()
def read_back(net: ExpressionNet, slim: SlimNet) -> None:
    """Take a slim network out of the ResNet-50 that it was written into; the reverse of `embed`.

    What the ResNet-50 has learned since is lost, but for what it learned in the slim channels.

    Args:
        net: grown from a slim network, stem "small".
        slim: changed in place; blocks that the embedded one lacked start as their shortcut.
    """
    slim.stem.conv.weight.copy_(net.conv1.weight)
    slim.stem.norm.load_state_dict(net.bn1.state_dict(), strict=False)
    layers = (net.layer1, net.layer2, net.layer3, net.layer4)
    for small, layer in zip(slim.layers, layers, strict=True):
        for block, module in zip(cast(nn.Sequential, small), layer, strict=False):
            _read_block(cast(SlimBlock, block), cast(Bottleneck, module))
    slim.head.weight.copy_(net.head.weight[:, : WIDTHS[-1]])
    cast(Tensor, slim.head.bias).copy_(cast(Tensor, net.head.bias))


def _read_block(slim: SlimBlock, block: Bottleneck) -> None:
    slim.conv.weight.copy_(block.conv2.weight[:, : slim.conv.in_channels])
    slim.norm.load_state_dict(block.bn2.state_dict(), strict=False)
    if isinstance(slim, SlimResidual):
        width = slim.conv.out_channels
        slim.mix.weight.copy_(block.conv3.weight[:width, :width])
        for name, tensor in slim.mixed.state_dict().items():
            if name != "num_batches_tracked":
                tensor.copy_(cast(Tensor, getattr(block.bn3, name))[:width])


def _empty(net: ExpressionNet) -> None:
    """All weights 0, and the gates of the window shut."""
    for name, parameter in net.named_parameters():
        parameter.fill_(SHUT if name.endswith("eta_gate") else 0.0)


def _embed_block(slim: SlimBlock, block: Bottleneck, x: Tensor | None) -> None:
    """conv1 passes the slim channels on, conv2 is the slim 3x3, conv3 the slim 1x1 or identity."""
    known, width = slim.conv.in_channels, slim.conv.out_channels
    _copy_identity(block.conv1, known)
    y = _through(block.conv1, x)
    _undo(block.bn1, y, known)
    block.conv2.weight.zero_()
    block.conv2.weight[:, :known].copy_(slim.conv.weight)
    block.bn2.load_state_dict(slim.norm.state_dict(), strict=False)
    z = None if y is None else F.relu(block.bn2(block.conv2(F.relu(block.bn1(y)))))
    _copy_identity(block.conv3, width)
    if isinstance(slim, SlimResidual):
        block.conv3.weight[:width].copy_(slim.mix.weight)
        # Its other channels add 0 to a shortcut that lives.
        _undo(block.bn3, _through(block.conv3, z), 0)
        for name, tensor in slim.mixed.state_dict().items():
            if name != "num_batches_tracked":
                cast(Tensor, getattr(block.bn3, name))[:width].copy_(tensor)
    else:
        _undo(block.bn3, _through(block.conv3, z), width)
    if block.downsample is not None:
        shortcut, norm = block.downsample
        _undo(cast(nn.BatchNorm2d, norm), _through(shortcut, x), 0)
        cast(Tensor, norm.weight)[:width] = 0


def _copy_identity(conv: nn.Conv2d, known: int) -> None:
    """Make a 1x1 convolution pass on its first `known` channels; its other rows stay."""
    conv.weight[:known].zero_()
    conv.weight[range(known), range(known)] = 1


def _through(module: nn.Module, x: Tensor | None) -> Tensor | None:
    return None if x is None else module(x)


def _undo(norm: nn.BatchNorm2d, x: Tensor | None, known: int) -> None:
    """Set a norm's statistics to those of x, and make it the identity on its first channels."""
    if x is None:  # the mean is 0
        cast(Tensor, norm.running_var).fill_(1 - norm.eps)
        norm.weight[:known] = 1
        return
    var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    cast(Tensor, norm.running_mean).copy_(mean)
    cast(Tensor, norm.running_var).copy_(var)
    norm.weight[:known] = torch.sqrt(var[:known] + norm.eps)
    norm.bias[:known] = mean[:known]
