"""The network as it runs: plain norms folded into convolutions, and nothing computed in vain.

A channel that no later weight reads, a block that adds nothing, a 1x1 convolution that passes its
channels on: a network that grew from a narrow one (`train/slim.py`) has many of them. Leaving them
out changes no output. A network whose channels are all in use stays as large as it is.
"""

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fervid.network import AdaptiveNorm2d, Bottleneck, ExpressionNet

LAYERS = ("layer1", "layer2", "layer3", "layer4")


class FoldedBlock(nn.Module):
    """A bottleneck whose plain norms are in its convolutions.

    Attributes:
        conv1: None where the input is passed on.
        conv2: always there; `norm` after it is the adaptive one of a layer's first block.
        conv3: None where conv2's activation is passed on.
        downsample: of the shortcut, None where that is the input itself.
        skips: whether there is a shortcut at all.
    """

    conv1: nn.Conv2d | None
    conv3: nn.Conv2d | None
    downsample: nn.Conv2d | None
    norm: AdaptiveNorm2d | None

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.skips = True
        self.norm = block.bn2 if isinstance(block.bn2, AdaptiveNorm2d) else None
        self.conv1 = fuse_conv_bn_eval(block.conv1, block.bn1)
        folded = self.norm is None
        self.conv2 = fuse_conv_bn_eval(block.conv2, block.bn2) if folded else block.conv2
        self.conv3 = fuse_conv_bn_eval(block.conv3, block.bn3)
        self.downsample = None
        if block.downsample is not None:
            conv, norm = block.downsample
            self.downsample = fuse_conv_bn_eval(cast(nn.Conv2d, conv), cast(nn.BatchNorm2d, norm))

    def steps(self, x: Tensor, eta: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The activations after conv1, after conv2 and at the output.

        Args:
            x: (N, inputs, h, w), at least 0 everywhere.
            eta: float32 (N,).
        """
        z1 = x if self.conv1 is None else F.relu(self.conv1(x))
        y = self.conv2(z1)
        z2 = F.relu(y if self.norm is None else self.norm(y, eta))
        if self.conv3 is None and not self.skips:
            return z1, z2, z2
        out = z2 if self.conv3 is None else self.conv3(z2)
        if self.skips:
            out = out + (x if self.downsample is None else self.downsample(x))
        return z1, z2, F.relu(out)

    def forward(self, x: Tensor, eta: Tensor | None = None) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h', w')."""
        return self.steps(x, eta)[2]

    def reads(self, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which channels the channels `out` of the output depend on: conv2's, conv1's, the input's.

        All bool (C,). Of a shortcut without convolution `out` itself is to be added.
        """
        conv1, conv3 = cast(nn.Conv2d, self.conv1), cast(nn.Conv2d, self.conv3)
        z2 = _used(conv3.weight[out])
        z1 = _used(self.conv2.weight[z2])
        x = _used(conv1.weight[z1])
        if self.downsample is not None:
            x = x | _used(self.downsample.weight[out])
        return z2, z1, x

    def cut(self, inputs: Tensor, outputs: Tensor) -> None:
        """Keep what these channels, bool (C,), depend on."""
        conv1, conv3 = cast(nn.Conv2d, self.conv1), cast(nn.Conv2d, self.conv3)
        z2, z1, _ = self.reads(outputs)
        self.conv1 = _cut(conv1, z1, inputs)
        self.conv2 = _cut(self.conv2, z2, z1)
        self.conv3 = _cut(conv3, outputs, z2)
        if self.norm is not None:
            self.norm = _cut_norm(self.norm, z2)
        if self.downsample is not None:
            self.downsample = _cut(self.downsample, outputs, inputs)
            if _silent(self.downsample):
                self.downsample, self.skips = None, False

    def idle(self) -> bool:
        """Whether the block only passes its input on."""
        silent = self.conv3 is not None and _silent(self.conv3)
        return silent and self.skips and self.downsample is None

    @torch.no_grad()
    def shorten(self) -> None:
        """Move convolutions that only scale channels into conv2."""
        scale = None if self.conv1 is None else _scales(self.conv1)
        if scale is not None:
            self.conv2.weight *= scale[None, :, None, None]
            self.conv1 = None
        scale = None if self.conv3 is None else _scales(self.conv3)
        if scale is None:
            return
        self.conv3 = None
        if self.norm is None:
            self.conv2.weight *= scale[:, None, None, None]
            cast(Tensor, self.conv2.bias).mul_(scale)
        else:
            for part in (self.norm.weight, self.norm.bias, self.norm.eta_beta):
                part.mul_(scale)


def folded(net: ExpressionNet) -> ExpressionNet:
    """A copy that computes the same with less.

    Args:
        net: trained; not changed.

    Returns:
        In eval mode, its blocks `FoldedBlock`s.
    """
    net = copy.deepcopy(net).eval().requires_grad_(False)
    layers = [[FoldedBlock(cast(Bottleneck, block)) for block in getattr(net, n)] for n in LAYERS]
    wanted = _used(net.head.weight)
    lives: list[Tensor] = []
    for blocks in reversed(layers):
        live = _stream(blocks, wanted)
        lives.insert(0, live)
        wanted = blocks[0].reads(live)[2]
    inputs = torch.ones(net.conv1.out_channels, dtype=torch.bool)
    for name, blocks, live in zip(LAYERS, layers, lives, strict=True):
        for block in blocks:
            block.cut(inputs, live)
            inputs = live
        busy = [block for block in blocks if not block.idle()]
        for block in busy:
            block.shorten()
        setattr(net, name, nn.Sequential(*busy))
    net.head = _cut(net.head, torch.ones(net.head.out_channels, dtype=torch.bool), inputs)
    return net


def _stream(blocks: list[FoldedBlock], wanted: Tensor) -> Tensor:
    """The channels between a layer's blocks that `wanted` ones depend on, bool (C,)."""
    live = wanted
    while True:
        more = live.clone()
        for block in blocks[1:]:
            more |= block.reads(live)[2]
        if torch.equal(more, live):
            return live
        live = more


def _used(weight: Tensor) -> Tensor:
    """Which inputs a convolution's weight (O, I, k, k) reads, bool (I,); the first one always."""
    used = (weight != 0).any(0).flatten(1).any(1)
    used[0] = True
    return used


def _cut(conv: nn.Conv2d, outputs: Tensor, inputs: Tensor) -> nn.Conv2d:
    made = copy.deepcopy(conv)
    made.weight = nn.Parameter(conv.weight[outputs][:, inputs].contiguous(), requires_grad=False)
    if conv.bias is not None:
        made.bias = nn.Parameter(conv.bias[outputs].clone(), requires_grad=False)
    made.out_channels, made.in_channels = made.weight.shape[:2]
    return made


def _cut_norm(norm: AdaptiveNorm2d, channels: Tensor) -> AdaptiveNorm2d:
    made = AdaptiveNorm2d(int(channels.sum())).eval().requires_grad_(False)
    state = {n: t[channels] if t.ndim else t for n, t in norm.state_dict().items()}
    made.load_state_dict(state)
    made.eps = norm.eps
    return made


def _silent(conv: nn.Conv2d) -> bool:
    return not bool(conv.weight.any()) and not bool(cast(Tensor, conv.bias).any())


def _scales(conv: nn.Conv2d) -> Tensor | None:
    """The factors (C,) of a convolution that does nothing but scale channels, all above 0."""
    if conv.kernel_size != (1, 1) or conv.stride != (1, 1) or conv.in_channels != conv.out_channels:
        return None
    weight = conv.weight[:, :, 0, 0]
    scale = weight.diagonal()
    alone = torch.equal(weight, torch.diag(scale)) and bool((scale > 0).all())
    return scale.clone() if alone and not bool(cast(Tensor, conv.bias).any()) else None
