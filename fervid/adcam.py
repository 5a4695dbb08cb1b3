"""The paper's four class activation maps: by autograd (reference) and written out (for the graph).

With A the activations of a layer, G the gradient of the target's logit with respect to A, and
a_k the mean of G over positions:

    Grad-CAM       relu(sum_k a_k A_k)                                              (eq. 1)
    adaptive CAM   the same with a'_k = a_k (|a_k| / max_j |a_j|) (|a_k| / (|a_k| + std G_k))
    fused          the mean of the min-max scaled maps of layer3 and layer4         (eq. 2)

The paper describes the adaptive weights as depending on "gradient magnitude and distribution" and
gives no formula; the second and third factor are ours: relative magnitude, and how evenly the
gradient is spread. At layer4, before global average pooling, the gradient is the same everywhere,
so the third factor is 1 and the map is one 1x1 convolution.

Source: Selvaraju et al. 2017 (Grad-CAM); Sugianto et al. 2026, DOI 10.47738/jads.v7i1.1005.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fervid.folded import FoldedBlock, folded
from fervid.network import ExpressionNet

TINY = 1e-12


def weigh(activations: Tensor, gradients: Tensor, *, adaptive: bool) -> Tensor:
    """One map from a layer's activations and gradients.

    Args:
        activations: (N, C, h, w).
        gradients: (N, C, h, w), of each image's target logit.
        adaptive: use the adaptive weights.

    Returns:
        (N, h, w), at least 0, not scaled.
    """
    weights = gradients.mean((2, 3))  # (N, C)
    if adaptive:
        size = weights.abs()
        spread = (gradients - weights[:, :, None, None]).square().mean((2, 3)).sqrt()
        relative = size / size.amax(1, keepdim=True).clamp_min(TINY)
        weights = weights * relative * (size / (size + spread).clamp_min(TINY))
    return F.relu((activations * weights[:, :, None, None]).sum(1))


def min_max(maps: Tensor) -> Tensor:
    """Scale each map (N, h, w) to 0-1; a constant map becomes 0."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(TINY)


def fuse(map3: Tensor, map4: Tensor) -> Tensor:
    """Normalized summation of a layer3 and a layer4 map, (N, h3, w3) in 0-1."""
    return (min_max(map3) + min_max(resized(map4, map3))) / 2


def resized(maps: Tensor, like: Tensor) -> Tensor:
    """Bring (N, h, w) to the size of another map, bilinear."""
    if maps.shape[1:] == like.shape[1:]:
        return maps
    size = (like.shape[1], like.shape[2])
    return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def stack_cams(plain: tuple[Tensor, Tensor], adaptive: tuple[Tensor, Tensor]) -> Tensor:
    """The four maps in the order of CAM_NAMES, (N, 4, h3, w3), from (layer3, layer4) pairs."""
    return torch.stack(
        [
            resized(plain[1], plain[0]),
            resized(adaptive[1], adaptive[0]),
            fuse(*plain),
            fuse(*adaptive),
        ],
        1,
    )


@contextmanager
def _recorded(layers: list[nn.Module]) -> Iterator[list[Tensor]]:
    """Record the outputs of layers; the hooks are removed whatever happens."""
    seen: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _m, _i, out: seen.append(out)) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def reference_cams(
    net: ExpressionNet, images: Tensor, eta: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """The four maps by hooks and autograd; slow, and what the written-out ones are tested against.

    Args:
        net: in eval mode.
        images: (N, 3, S, S), normalised.
        eta: (N,).
        target: int64 (N,), -1 for the most probable class.

    Returns:
        logits (N, K), cams (N, 4, h3, w3).
    """
    with torch.enable_grad(), _recorded([net.layer3[-1], net.layer4[-1]]) as seen:
        images = images.detach().requires_grad_()
        logits, _ = net(images, eta)
        chosen = torch.where(target < 0, logits.argmax(1), target)
        score = logits.gather(1, chosen[:, None]).sum()
        g3, g4 = torch.autograd.grad(score, seen)
    a3, a4 = (a.detach() for a in seen)
    plain = weigh(a3, g3, adaptive=False), weigh(a4, g4, adaptive=False)
    adapted = weigh(a3, g3, adaptive=True), weigh(a4, g4, adaptive=True)
    return logits.detach(), stack_cams(plain, adapted)


class ExplainedNet(nn.Module):
    """The network with its four maps written out: no autograd, so that it exports to ONNX.

    A copy of the network as it runs (`fervid.folded`); the gradient of layer4 is the chain of its
    convolutions' adjoints, with ReLU masks, applied backwards.
    """

    def __init__(self, net: ExpressionNet) -> None:
        super().__init__()
        self.net = folded(net)
        blocks = (cast(FoldedBlock, block) for block in self.net.layer4)
        self.adjoints = nn.ModuleList(Adjoint(block) for block in blocks)
        kernels = self.net.head.weight.detach()  # (K, C, 1, 1)
        size = kernels.abs()
        self.register_buffer("tuned", kernels * size / size.amax(1, keepdim=True).clamp_min(TINY))

    def forward(self, images: Tensor, eta: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Classify and explain.

        Args:
            images: float32 (N, 3, S, S), normalised.
            eta: float32 (N,).
            target: int64 (N,), class to explain, -1 for the most probable one.

        Returns:
            logits (N, K), layer4 class maps (N, K, h, w), cams (N, 4, h3, w3).
        """
        a3 = self.net.early(images, eta)
        a4, tape = self._late(a3)
        head = self.net.head
        maps = F.conv2d(a4, head.weight)
        logits = maps.mean((2, 3)) + cast(Tensor, head.bias)
        chosen = torch.where(target < 0, logits.argmax(1), target)

        cells = a4.shape[2] * a4.shape[3]
        plain4 = F.relu(_pick(maps, chosen)) / cells
        adapted4 = F.relu(_pick(F.conv2d(a4, cast(Tensor, self.tuned)), chosen)) / cells

        g = (head.weight[:, :, 0, 0][chosen] / cells)[:, :, None, None].expand_as(a4)
        for adjoint, activations in zip(reversed(list(self.adjoints)), reversed(tape), strict=True):
            g = adjoint(g, *activations)
        plain3, adapted3 = weigh(a3, g, adaptive=False), weigh(a3, g, adaptive=True)
        return logits, maps, stack_cams((plain3, plain4), (adapted3, adapted4))

    def _late(self, a3: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor, Tensor]]]:
        """layer4, keeping each block's input and its three activations."""
        tape = []
        x = a3
        for module in self.net.layer4:
            z1, z2, out = cast(FoldedBlock, module).steps(x)
            tape.append((x, z1, z2, out))
            x = out
        return x, tape


class Adjoint(nn.Module):
    """The gradient at a folded block's input from that at its output, as plain convolutions."""

    def __init__(self, block: FoldedBlock) -> None:
        super().__init__()
        self.conv1, self.conv3, self.downsample = (
            None if conv is None else _adjoint(conv)
            for conv in (block.conv1, block.conv3, block.downsample)
        )
        self.conv2 = _adjoint(block.conv2)
        self.skips = block.skips
        self.stride = block.conv2.stride[0]

    def forward(self, g: Tensor, x: Tensor, z1: Tensor, z2: Tensor, out: Tensor) -> Tensor:
        """Go back through one block.

        Args:
            g: (N, outputs, h', w'), gradient at the block's output.
            x: (N, inputs, h, w), the block's input.
            z1: (N, width, h, w), first activation.
            z2: (N, width, h', w'), second activation.
            out: (N, outputs, h', w'), the block's output.

        Returns:
            (N, inputs, h, w).
        """
        g = g * (out > 0)
        r = g if self.conv3 is None else self.conv3(g)
        r = self.conv2(self._unstride(r * (z2 > 0), x)) * (z1 > 0)
        r = r if self.conv1 is None else self.conv1(r)
        if not self.skips:
            return cast(Tensor, r)
        skip = g if self.downsample is None else self.downsample(self._unstride(g, x))
        return cast(Tensor, r + skip)

    def _unstride(self, g: Tensor, like: Tensor) -> Tensor:
        return g if self.stride == 1 else _spread(g, like.shape[2], like.shape[3])


def _pick(maps: Tensor, chosen: Tensor) -> Tensor:
    """(N, K, h, w), (N,) -> (N, h, w), each image's chosen class."""
    index = chosen[:, None, None, None].expand(-1, 1, maps.shape[2], maps.shape[3])
    return maps.gather(1, index)[:, 0]


def _adjoint(conv: nn.Conv2d) -> nn.Conv2d:
    """The adjoint of a stride-1 convolution whose padding keeps the size: flipped, transposed."""
    kernel = conv.weight.detach().flip(2, 3).transpose(0, 1).contiguous()
    size, padding, dilation = conv.kernel_size[0], conv.padding, conv.dilation
    adjoint = nn.Conv2d(
        kernel.shape[1],
        kernel.shape[0],
        size,
        padding=cast(tuple[int, int], padding),
        dilation=cast(tuple[int, int], dilation),
        bias=False,
    )
    adjoint.weight = nn.Parameter(kernel, requires_grad=False)
    return adjoint


def _spread(g: Tensor, h: int, w: int) -> Tensor:
    """Put zeros between the cells, the adjoint of a stride of 2, cut to (h, w)."""
    n, c, gh, gw = g.shape
    g = torch.stack([g, torch.zeros_like(g)], -1).reshape(n, c, gh, gw * 2)
    g = torch.stack([g, torch.zeros_like(g)], -2).reshape(n, c, gh * 2, gw * 2)
    return g[:, :, :h, :w]
