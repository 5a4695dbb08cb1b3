"""The expression network: a ResNet-50 whose normalization adapts to the noise left in its input.

Names and shapes of all parameters are torchvision's, so its state dicts load; what is added is the
class-map head (`head.*`) and the noise terms of the adaptive norms (`*.eta_*`). With eta = 0 the
network is a plain ResNet-50.

Source: He et al. 2016, "Deep residual learning for image recognition"; Sugianto et al. 2026,
    DOI 10.47738/jads.v7i1.1005, eq. 3 for the adaptive normalization.
"""

from collections.abc import Mapping
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fervid.card import ModelCard

RESNET50_BLOCKS = (3, 4, 6, 3)
ETA_REFERENCE = 0.1  # eta at which the gate of the window is three quarters open
VARIANCE_FLOOR = 1e-4


class AdaptiveNorm2d(nn.BatchNorm2d):
    """Batch normalization that leans on the image's own statistics as the noise grows.

    With w = sigmoid(gate) tanh(eta / ETA_REFERENCE), w(0) = 0, per channel:

        mu  = (1 - w) mu_run + w mu_win
        var = (1 - w) var_run + w var_win + w (1 - w) (mu_run - mu_win)^2
        y   = gamma (1 + eta u) (x - mu) / sqrt(var + eps) + beta + eta v

    The window is the whole feature map of one image. While training, mu_run and var_run are the
    batch's, as in batch normalization, and gradients flow through all statistics.

    Source: Sugianto et al. 2026, eq. 3; the between-term of the variance is that of a mixture.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.eta_gate = nn.Parameter(torch.full((channels,), -2.0))
        self.eta_gamma = nn.Parameter(torch.zeros(channels))
        self.eta_beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, eta: Tensor | None = None) -> Tensor:
        """Normalise.

        Args:
            x: (N, C, H, W).
            eta: float32 (N,), RMS noise of the input, 0-1 scale; None means 0 everywhere.
        """
        if eta is None:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            scale, shift = self._scale_shift(x.float(), eta.float())
            y = x.float() * scale[:, :, None, None] + shift[:, :, None, None]
        return y.to(x.dtype)

    def _scale_shift(self, x: Tensor, eta: Tensor) -> tuple[Tensor, Tensor]:
        mu_win = x.mean((2, 3))  # (N, C)
        var_win = (x - mu_win[:, :, None, None]).square().mean((2, 3))
        mu_run, var_run = self._running(mu_win, var_win, x.shape[2] * x.shape[3])
        level = eta[:, None]
        w = torch.sigmoid(self.eta_gate) * torch.tanh(level / ETA_REFERENCE)
        mu = (1 - w) * mu_run + w * mu_win
        var = (1 - w) * var_run + w * var_win + w * (1 - w) * (mu_run - mu_win).square()
        slope = torch.rsqrt(var.clamp_min(VARIANCE_FLOOR * 0.01) + self.eps)
        scale = self.weight * (1 + level * self.eta_gamma) * slope
        return scale, self.bias + level * self.eta_beta - mu * scale

    def _running(self, mu_win: Tensor, var_win: Tensor, cells: int) -> tuple[Tensor, Tensor]:
        """The batch's statistics while training (and the buffers moved towards them)."""
        mu_run, var_run = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        if not self.training:
            return mu_run, var_run
        mu = mu_win.mean(0)
        var = (var_win + (mu_win - mu).square()).mean(0)
        with torch.no_grad():
            n = len(mu_win) * cells
            mu_run.lerp_(mu, cast(float, self.momentum))
            var_run.lerp_(var * (n / max(1, n - 1)), cast(float, self.momentum))
            cast(Tensor, self.num_batches_tracked).add_(1)
        return mu, var


def standardise_light(images: Tensor, eta: Tensor | None, mean: float, std: float) -> Tensor:
    """Bring dark or flat crops to the usual light and contrast; leave all others alone.

    Args:
        images: (N, 3, S, S), luma normalised by `mean` and `std`.
        eta: (N,) noise, whose variance is not mistaken for contrast.
        mean: of the normalization.
        std: of the normalization.

    Returns:
        (N, 3, S, S), normalised.
    """
    x = images.float() * std + mean
    m = x.mean((1, 2, 3))
    v = (x - m[:, None, None, None]).square().mean((1, 2, 3))
    noise = torch.zeros_like(m) if eta is None else eta.float()
    contrast = (v - noise.square()).clamp_min(0.02**2).sqrt()
    flat = ((0.14 - contrast) / 0.04).clamp(0, 1)
    dark = ((0.28 - m) / 0.06).clamp(0, 1)
    gate = torch.maximum(flat, dark)
    gain = 1 + gate * (0.219 / contrast - 1)
    centre = m + gate * (0.508 - m)
    x = (x - m[:, None, None, None]) * gain[:, None, None, None] + centre[:, None, None, None]
    return (x - mean) / std


class Bottleneck(nn.Module):
    """torchvision's bottleneck, its middle norm optionally adaptive; names are torchvision's."""

    expansion = 4

    def __init__(
        self, inputs: int, width: int, stride: int = 1, dilation: int = 1, adaptive: bool = False
    ) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = AdaptiveNorm2d(width) if adaptive else nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor, eta: Tensor | None = None) -> Tensor:
        """(N, inputs, H, W) -> (N, 4 width, H / stride, W / stride)."""
        y = self.conv2(self.relu(self.bn1(self.conv1(x))))
        y = self.bn2(y, eta) if isinstance(self.bn2, AdaptiveNorm2d) else self.bn2(y)
        y = self.bn3(self.conv3(self.relu(y)))
        return cast(Tensor, self.relu(y + (x if self.downsample is None else self.downsample(x))))


class ExpressionNet(nn.Module):
    """ResNet-50 with noise-adaptive norms at the stem and at the entry of layers 1 to 3.

    Args:
        n_classes: K.
        stem: "torchvision" (7x7 stride 2 + max-pool) or "small" (3x3 stride 2, no max-pool).
        last_stride: stride of layer4; 1 keeps its map as large as layer3's.
        last_dilation: dilation of layer4's later 3x3 convolutions.
        blocks: blocks per layer; fewer than ResNet-50's only while training grows the depth.
        mean, std: of the input's normalization, needed to see its light on the 0-1 scale.
    """

    def __init__(  # noqa: PLR0913  the fields of a card that shape a network
        self,
        n_classes: int = 7,
        *,
        stem: Literal["torchvision", "small"] = "small",
        last_stride: int = 1,
        last_dilation: int = 1,
        blocks: tuple[int, ...] = RESNET50_BLOCKS,
        mean: float = 0.5077,
        std: float = 0.2551,
    ) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        small = stem == "small"
        self.conv1 = nn.Conv2d(3, 64, 3 if small else 7, 2, 1 if small else 3, bias=False)
        self.bn1 = AdaptiveNorm2d(64)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        self.layer1 = _layer(64, 64, blocks[0], adaptive=True)
        self.layer2 = _layer(256, 128, blocks[1], stride=2, adaptive=True)
        self.layer3 = _layer(512, 256, blocks[2], stride=2, adaptive=True)
        self.layer4 = _layer(1024, 512, blocks[3], stride=last_stride, dilation=last_dilation)
        self.head = nn.Conv2d(2048, n_classes, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module is not self.head:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Bottleneck) and module.downsample is None:
                nn.init.zeros_(module.bn3.weight)  # the block starts as its shortcut
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(cast(Tensor, self.head.bias))

    @classmethod
    def from_card(
        cls, card: ModelCard, blocks: tuple[int, ...] = RESNET50_BLOCKS
    ) -> "ExpressionNet":
        """The architecture that a card describes, with random weights."""
        return cls(
            len(card.classes),
            stem=card.stem,
            last_stride=card.last_stride,
            last_dilation=card.last_dilation,
            blocks=blocks,
            mean=card.mean,
            std=card.std,
        )

    def early(self, images: Tensor, eta: Tensor | None) -> Tensor:
        """(N, 3, S, S) and eta (N,) -> layer3 activations (N, 1024, h3, w3)."""
        x = self.maxpool(
            F.relu(self.bn1(self.conv1(standardise_light(images, eta, self.mean, self.std)), eta))
        )
        for layer in (self.layer1, self.layer2, self.layer3):
            for block in layer:
                x = block(x, eta)
        return cast(Tensor, x)

    def features(self, images: Tensor, eta: Tensor | None) -> Tensor:
        """(N, 3, S, S) and eta (N,) -> layer4 activations (N, 2048, h, w)."""
        x = self.early(images, eta)
        for block in self.layer4:
            x = block(x)
        return x

    def forward(self, images: Tensor, eta: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Classify.

        Args:
            images: float32 (N, 3, S, S), luma three times, normalised by the card.
            eta: float32 (N,), RMS noise left in each crop; None means 0.

        Returns:
            logits (N, K), and the class maps of layer4 (N, K, h, w): logits = mean(maps) + bias.
        """
        maps = F.conv2d(self.features(images, eta), self.head.weight)
        return maps.mean((2, 3)) + cast(Tensor, self.head.bias), maps


def _layer(
    inputs: int, width: int, n: int, *, stride: int = 1, dilation: int = 1, adaptive: bool = False
) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride, adaptive=adaptive)
    later = (Bottleneck(4 * width, width, dilation=dilation) for _ in range(n - 1))
    return nn.Sequential(first, *later)


def load_torchvision(net: ExpressionNet, state: Mapping[str, Tensor]) -> list[str]:
    """Load a torchvision ResNet-50 state dict; everything but its `fc` is used.

    Returns:
        The names that the network has and the state dict lacks: the head and `*.eta_*`.

    Raises:
        RuntimeError: a shape differs, or a key is left over or lacking.
    """
    own = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    result = net.load_state_dict(own, strict=False)
    if result.unexpected_keys:
        raise RuntimeError(f"Keys that no ResNet-50 has: {result.unexpected_keys[:3]}.")
    missing = [k for k in result.missing_keys if not k.startswith("head.") and ".eta_" not in k]
    if missing:
        raise RuntimeError(f"Keys that a ResNet-50 has are lacking: {missing[:3]}.")
    return list(result.missing_keys)
