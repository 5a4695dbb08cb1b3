"""Two faces in one picture: what a network says of a mixture is asked to be a mixture.

Source: Zhang, Cisse, Dauphin, Lopez-Paz 2018, "mixup: beyond empirical risk minimization".
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from train.loader import Batch

UNTIL = 0.85  # share of a stage after which pictures are left alone


def share(alpha: float, seed: int, step: int) -> float:
    """How much of the first face is in this step's mixtures, .5-1, by Beta(alpha, alpha)."""
    drawn = float(np.random.default_rng((seed, step, 7)).beta(alpha, alpha))
    return max(drawn, 1 - drawn)


def mixed(batch: Batch, first: float, seed: int, step: int) -> tuple[Batch, Tensor]:
    """A batch whose pictures are mixed in pairs.

    Args:
        batch: pictures and clean uint8 (B, px, px).
        first: share of each picture; the rest is another's.
        seed: of the run.
        step: draws the pairs.

    Returns:
        The batch with float32 pictures 0-255 and mixed conditions, and the labels (B,) of the
        others.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_033 + step)
    other = torch.randperm(len(batch.labels), generator=generator).to(batch.labels.device)

    def mix(part: Tensor) -> Tensor:
        whole = part.float()
        return first * whole + (1 - first) * whole[other]

    pictures, clean, conditions = map(mix, (batch.pictures, batch.clean, batch.conditions))
    return Batch(pictures, clean, conditions, batch.labels), batch.labels[other]


def mixed_losses(
    logits: Tensor, labels: Tensor, others: Tensor, first: float, smoothing: float
) -> Tensor:
    """Cross-entropy (B,) of mixtures: `first` of it against the labels, the rest against others."""
    own = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    if first == 1:
        return own
    other = F.cross_entropy(logits, others, label_smoothing=smoothing, reduction="none")
    return first * own + (1 - first) * other
