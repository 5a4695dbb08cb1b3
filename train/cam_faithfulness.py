"""Infidelity and sensitivity of the four heatmaps, by captum, on the network in PyTorch.

Source: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", arXiv 1901.09392.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fervid.adcam import ExplainedNet
from fervid.card import ModelCard
from fervid.crops import normalise
from fervid.explain import aligned
from fervid.network import ExpressionNet
from fervid.records import CAM_NAMES
from train.metrics import unit_maps
from train.robustness import Prepared
from train.telling import Tell

F64 = NDArray[np.float64]

INFIDELITY_SIGMA = 0.1  # of luma, 0-1 scale: the paper's weakest Gaussian noise
SENSITIVITY_SIGMA = 0.02  # the radius that captum takes unless told, here a standard deviation
SAMPLES = 10
TOGETHER = 8  # images whose samples are run at once
NOTHING = "nothing"  # a map of zeros


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Gaussian noise on the input: `samples` draws an image, from `seed`."""

    seed: int = 0
    samples: int = SAMPLES


def faithfulness(
    net: ExpressionNet,
    prepared: Prepared,
    card: ModelCard,
    tell: Tell,
    perturbation: Perturbation | None = None,
) -> dict[str, dict[str, F64]]:
    """Infidelity and largest sensitivity of each map, image by image.

    The input is perturbed as the network gets it, after the filter: Gaussian noise, the same in
    the three channels, not clipped, of sigma INFIDELITY_SIGMA or SENSITIVITY_SIGMA of luma on the
    0-1 scale; each map meets the same noise. Explained is the logit of the class predicted on the
    crop. Maps are min-max scaled. For the infidelity they are laid over the crop and multiplied,
    image by image, by what fits best, which by chance alone takes 1 / samples off the error.

    Args:
        net: the network.
        prepared: N crops.
        card: the network's.
        tell: is told of progress, N steps.
        perturbation: seed and number of samples.

    Returns:
        Map -> "infidelity", mean square of what the map does not say of the logit's change, and
        "sensitivity_max", the map's largest change as a share of its norm; float64 (N,) each. Under
        NOTHING the infidelity alone, of a map of zeros: what there is to explain.
    """
    way, explained = perturbation or Perturbation(), ExplainedNet(net).requires_grad_(False)
    found: dict[str, dict[str, list[Tensor]]] = {}
    tell("infidelity and sensitivity", 0)
    for start in range(0, len(prepared.eta), TOGETHER):
        part = slice(start, start + TOGETHER)
        luma = torch.from_numpy(normalise(prepared.crops[part], card)[:, :1])
        some = _Explained(explained, luma, torch.from_numpy(prepared.eta[part]), card.std)
        seed = way.seed + start
        for name in (*CAM_NAMES, NOTHING):
            scores = found.setdefault(name, {})
            scores.setdefault("infidelity", []).append(some.infidelity(name, seed, way.samples))
            if name != NOTHING:
                steady = some.sensitivity(name, seed, way.samples)
                scores.setdefault("sensitivity_max", []).append(steady)
        tell("", len(luma))
    return {name: _joined(scores) for name, scores in found.items()}


def _joined(scores: Mapping[str, list[Tensor]]) -> dict[str, F64]:
    return {key: torch.cat(parts).double().numpy() for key, parts in scores.items()}


class _Explained:
    """M images under captum's questions; luma is (M, 1, S, S), normalised."""

    def __init__(self, net: ExplainedNet, luma: Tensor, eta: Tensor, std: float) -> None:
        self.net, self.luma, self.eta, self.std = net, luma, eta, std
        logits, _, self.cams = net(_three(luma), eta, torch.full((len(eta),), -1))
        self.target = logits.argmax(1)

    def infidelity(self, name: str, seed: int, samples: int) -> Tensor:
        """Of one map or of NOTHING, (M,)."""
        from captum.metrics import infidelity  # type: ignore[import-untyped]

        noise = _Noise(seed, INFIDELITY_SIGMA / self.std)

        def perturbed(luma: Tensor) -> tuple[Tensor, Tensor]:
            drawn = noise(luma)
            return drawn, luma - drawn

        over = torch.zeros_like(self.luma)
        if name != NOTHING:
            unit, _ = unit_maps(self.cams[:, CAM_NAMES.index(name)].numpy())
            over = torch.from_numpy(aligned(unit, self.luma.shape[-1]))[:, None]
        found: Tensor = infidelity(
            self._score, perturbed, self.luma, over, n_perturb_samples=samples, normalize=True
        )
        return found

    def sensitivity(self, name: str, seed: int, samples: int) -> Tensor:
        """Of one map, (M,)."""
        from captum.metrics import sensitivity_max

        noise, number = _Noise(seed, SENSITIVITY_SIGMA / self.std), CAM_NAMES.index(name)

        def explain(luma: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
            x = luma[0] if isinstance(luma, tuple) else luma
            eta, target = (self._repeated(part, x) for part in (self.eta, self.target))
            maps = self.net(_three(x), eta, target)[2][:, number]
            return (torch.from_numpy(unit_maps(maps.numpy())[0]),)

        found: Tensor = sensitivity_max(
            explain, self.luma, lambda luma: luma + noise(luma), n_perturb_samples=samples
        )
        return found

    def _score(self, luma: Tensor) -> Tensor:
        """The logit of the target, (len(luma),)."""
        eta, target = (self._repeated(part, luma) for part in (self.eta, self.target))
        logits: Tensor = self.net.net(_three(luma), eta)[0]
        return logits.gather(1, target[:, None])[:, 0]

    def _repeated(self, values: Tensor, like: Tensor) -> Tensor:
        """Values (M,) for the samples of M images, which captum gives image by image."""
        return values.repeat_interleave(len(like) // len(values), 0)


class _Noise:
    """Draws Gaussian noise of a standard deviation, from a seed."""

    def __init__(self, seed: int, sigma: float) -> None:
        self.generator, self.sigma = torch.Generator().manual_seed(seed), sigma

    def __call__(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator) * self.sigma


def _three(luma: Tensor) -> Tensor:
    return luma.expand(-1, 3, -1, -1)
