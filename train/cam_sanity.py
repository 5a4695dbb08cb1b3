"""Whether heatmaps depend on the weights: a map that survives random weights explains nothing.

On the network in PyTorch, with the written-out maps of `fervid.adcam`.

Source: Adebayo et al. 2018, "Sanity checks for saliency maps", arXiv 1810.03292 (cascading
    randomisation, Spearman's rank correlation and SSIM).
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]

from fervid.adcam import ExplainedNet
from fervid.card import ModelCard
from fervid.network import ExpressionNet
from fervid.records import CAM_NAMES, F32, ModelOutput
from train.metrics import drift, partners, unit_maps
from train.robustness import Prepared, run_model
from train.telling import Tell

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# From the top down; when a stage has its turn, those before it are random already.
STAGES: Mapping[str, tuple[str, ...]] = {
    "head": ("head",),
    "layer4": ("layer4",),
    "layer3": ("layer3",),
    "layer2": ("layer2",),
    "layer1": ("layer1",),
    "stem": ("conv1", "bn1"),
}
ALL = "stem"  # after it every weight is random
UNRELATED = "unrelated"


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How like two maps of N images are.

    Attributes:
        rank: float64 (N,), Spearman's correlation over the cells, -1 to 1; 0 where a map is dead.
        ssim: float32 (N,); 0 where a map is dead.
        alive: bool (N,), whether both maps say something.
    """

    rank: F64
    ssim: F32
    alive: Bools


class NetBackend:
    """A network at hand as a backend; see `fervid.backends.Backend`."""

    def __init__(self, net: ExpressionNet, card: ModelCard) -> None:
        self.card = card
        self._net = ExplainedNet(net)

    @torch.inference_mode()
    def run(self, images: F32, eta: F32, target: I64) -> ModelOutput:
        """Run one batch; see `Backend.run`."""
        parts = self._net(*map(torch.from_numpy, (images, eta, target)))
        return ModelOutput(*(part.numpy() for part in parts))

    def close(self) -> None:
        """Nothing is held open."""


def likeness(a: F32, b: F32) -> Likeness:
    """Compare maps float32 (N, h, w) with maps of the same size."""
    (x, x_alive), (y, y_alive) = unit_maps(a), unit_maps(b)
    alive = x_alive & y_alive
    p, q = (rankdata(m.reshape(len(m), -1), axis=1) for m in (x, y))
    p, q = (m - m.mean(1, keepdims=True) for m in (p, q))
    power = np.sqrt(np.square(p).sum(1) * np.square(q).sum(1))
    rank = (p * q).sum(1) / np.where(alive, power, 1) * alive
    return Likeness(rank, np.where(alive, 1 - drift(a, b)[0], np.float32(0)), alive)


def randomise_weights(
    net: ExpressionNet, prepared: Prepared, card: ModelCard, tell: Tell, seed: int = 0
) -> dict[str, dict[str, Likeness]]:
    """Likeness of each map to itself while the weights are replaced by random ones, top first.

    What replaces a stage is what training begins with, running statistics included. The class is
    the one that the trained network predicts, throughout.

    Args:
        net: trained, not changed.
        prepared: N crops, N at least 2.
        card: the network's.
        tell: is told of progress, N steps for each stage and for the trained network.
        seed: of the weights, and of the pairs of unrelated images.

    Returns:
        Stage (of STAGES) -> map -> likeness of the map with that stage and those above it random
        to the trained network's; UNRELATED -> map -> likeness to the trained network's map of
        another image, the level at which a map no longer knows its image.
    """
    tell("maps of the trained network", 0)
    trained = run_model(NetBackend(net, card), prepared, np.full(len(prepared.eta), -1), tell)
    target = np.asarray(trained.logits.argmax(1), np.int64)
    other = partners(len(target), np.random.default_rng(seed))
    found = {UNRELATED: _by_map(trained.cams, trained.cams[other])}
    fresh, mixed = _fresh(net, card, seed), copy.deepcopy(net)
    for stage, names in STAGES.items():
        tell(f"random weights down to {stage}", 0)
        for name in names:
            getattr(mixed, name).load_state_dict(getattr(fresh, name).state_dict())
        cams = run_model(NetBackend(mixed, card), prepared, target, tell).cams
        found[stage] = _by_map(trained.cams, cams)
    return found


def _by_map(a: F32, b: F32) -> dict[str, Likeness]:
    return {name: likeness(a[:, k], b[:, k]) for k, name in enumerate(CAM_NAMES)}


def _fresh(net: ExpressionNet, card: ModelCard, seed: int) -> ExpressionNet:
    """A network of the same shape as training begins with; the global generator is left alone."""
    blocks = tuple(len(getattr(net, f"layer{number}")) for number in range(1, 5))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ExpressionNet.from_card(card, blocks)
