"""Normalizations that were tried against noise, for `python -m train ablate`.

All are `nn.BatchNorm2d` with more: without conditions, or with all of them 0, they compute what
batch normalization does. Conditions are float32 (N, CONDITIONS): eta, then the levels of the three
noises and blocking, blur and darkness, as the run time estimates them. The window's is
`fervid.network.AdaptiveNorm2d`; docs/results/ablation.md has what each is worth.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from fervid.network import AdaptiveNorm2d

CONDITIONS = 7
KNOTS = (0.0, 0.04, 0.09)  # eta about which a group's statistics are kept: clean, low, high
FEWEST = 8  # pictures of a group in a batch from which its own statistics are used
MOMENTUM = 0.05  # of the groups' running statistics: rarer than batches


class WindowNorm2d(AdaptiveNorm2d):
    """The paper's eq. 3 as fervid has it: with eta, statistics lean on the picture's own."""

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and (N, CONDITIONS) -> (N, C, H, W)."""
        return super().forward(x, None if conditions is None else conditions[:, 0])


class VectorNorm2d(nn.BatchNorm2d):
    """Scale and shift that depend on all conditions, statistics that do not.

    y = gamma (1 + U c) x^ + beta + V c, with U and V (C, CONDITIONS) from 0.

    Source: Perez et al. 2018, "FiLM: visual reasoning with a general conditioning layer"; that the
        affine part matters more than the statistics: arXiv 2403.19150.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.eta_gamma = nn.Parameter(torch.zeros(channels, CONDITIONS))
        self.eta_beta = nn.Parameter(torch.zeros(channels, CONDITIONS))

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and (N, CONDITIONS) -> (N, C, H, W)."""
        y = super().forward(x)
        if conditions is None:
            return y
        c = conditions.to(y.dtype)
        scale = 1 + c @ self.eta_gamma.T.to(y.dtype)  # (N, C)
        # gamma (1 + Uc) x^ + beta (1 + Uc) + Vc: that beta is scaled too, V takes back.
        return y * scale[:, :, None, None] + (c @ self.eta_beta.T.to(y.dtype))[:, :, None, None]


class LevelNorm2d(nn.BatchNorm2d):
    """Statistics by noise level: each picture is normalised with those of its level's pictures.

    While training a batch falls into groups by eta, each with its own mean and variance; a group of
    fewer than FEWEST pictures takes its running ones. Afterwards mean and ln variance go piecewise
    linearly through the groups' knots. Scale and shift as in `AdaptiveNorm2d`.

    Source: Sugianto et al. 2026, eq. 3, learned in groups; Xie et al. 2020, "Adversarial examples
        improve image recognition", for statistics of their own in training.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("means", torch.zeros(len(KNOTS), channels))
        self.register_buffer("logs", torch.zeros(len(KNOTS), channels))
        self.eta_gamma = nn.Parameter(torch.zeros(channels))
        self.eta_beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and (N, CONDITIONS) -> (N, C, H, W)."""
        if conditions is None:
            return super().forward(x)
        eta = conditions[:, 0].float()
        with torch.autocast(x.device.type, enabled=False):
            mean, log = self._grouped(x.float(), eta) if self.training else self._between(eta)
            scale = torch.rsqrt(log.exp() + self.eps) * self.weight
            scale = scale * (1 + eta[:, None] * self.eta_gamma)
            shift = self.bias + eta[:, None] * self.eta_beta - mean * scale
            y = x.float() * scale[:, :, None, None] + shift[:, :, None, None]
        return y.to(x.dtype)

    def _grouped(self, x: Tensor, eta: Tensor) -> tuple[Tensor, Tensor]:
        means, logs = cast(Tensor, self.means), cast(Tensor, self.logs)
        mean, log = torch.empty_like(x[:, :, 0, 0]), torch.empty_like(x[:, :, 0, 0])
        nearest = (eta[:, None] - eta.new_tensor(KNOTS)).abs().argmin(1)
        nearest = torch.where(eta == 0, 0, nearest.clamp_min(1))
        for knot in range(len(KNOTS)):
            of = nearest == knot
            if int(of.sum()) < FEWEST:
                mean[of], log[of] = means[knot], logs[knot]
                continue
            var, mu = torch.var_mean(x[of], (0, 2, 3), correction=0)
            mean[of], log[of] = mu, (var + 1e-8).log()
            with torch.no_grad():
                means[knot].lerp_(mu, MOMENTUM)
                logs[knot].lerp_((var + 1e-8).log(), MOMENTUM)
        return mean, log

    def _between(self, eta: Tensor) -> tuple[Tensor, Tensor]:
        knots = eta.new_tensor(KNOTS)
        place = torch.searchsorted(knots, eta.contiguous(), right=True).clamp(1, len(KNOTS) - 1)
        low, high = knots[place - 1], knots[place]
        share = ((eta - low) / (high - low)).clamp(0, 1)[:, None]
        tables = cast(Tensor, self.means), cast(Tensor, self.logs)
        mean, log = (torch.lerp(table[place - 1], table[place], share) for table in tables)
        return mean, log


class BlendNorm2d(nn.BatchNorm2d):
    """Parameter-free: a trained batch norm whose statistics lean on the picture's own by w(eta).

    w = strength tanh(eta / .1), the same for all channels; what a network that has never seen noise
    can have of the paper's eq. 3. Not for training. `strength` is chosen on PublicTest.
    """

    strength = 0.0

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and (N, CONDITIONS) -> (N, C, H, W)."""
        if conditions is None or not self.strength:
            return super().forward(x)
        w = (self.strength * torch.tanh(conditions[:, 0] / 0.1))[:, None]
        var_win, mu_win = torch.var_mean(x, (2, 3), correction=0)
        mu_run, var_run = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        between = w * (1 - w) * (mu_run - mu_win).square()
        mu, var = (1 - w) * mu_run + w * mu_win, (1 - w) * var_run + w * var_win + between
        scale = self.weight * torch.rsqrt(var + self.eps)
        shift = self.bias - mu * scale
        return x * scale[:, :, None, None] + shift[:, :, None, None]


Norm = Callable[[int], nn.BatchNorm2d]
NORMS: dict[str, Norm] = {
    "plain": nn.BatchNorm2d,
    "window": WindowNorm2d,
    "vector": VectorNorm2d,
    "levels": LevelNorm2d,
    "blend": BlendNorm2d,
}


def conditioned(norm: nn.Module) -> bool:
    """Whether a norm takes conditions."""
    return isinstance(norm, WindowNorm2d | VectorNorm2d | LevelNorm2d | BlendNorm2d)
