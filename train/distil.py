"""The same face with and without its noise: what a network says of one, it shall say of the other.

The teacher is the run's own moving average and sees the picture without noise and faults; the
network that learns sees it with them. Both see the same face in the same place.

Source: Tarvainen, Valpola 2017, "Mean teachers are better role models"; Hinton et al. 2015,
    "Distilling the knowledge in a neural network"; Guo et al. 2019, "Visual attention consistency",
    for the maps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

BEGIN, END = 0.1, 0.3  # shares of a stage between which the weights rise from 0
FLAT = 1e-3  # added to the variance of a map: one that says nothing asks for nothing


def ramp(place: int, length: int) -> float:
    """How much of the teacher's weight applies at one of a stage's steps, 0-1."""
    return min(1.0, max(0.0, (place / length - BEGIN) / (END - BEGIN)))


def agreement(student: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the answers for each picture, (B,), from logits (B, K)."""
    wanted = teacher.softmax(1)
    return F.kl_div(student.log_softmax(1), wanted, reduction="none").sum(1)


def map_drift(student: Tensor, teacher: Tensor, logits: Tensor) -> Tensor:
    """How far class maps moved for each picture, (B,).

    Maps are compared standardised over their cells, so that neither height nor scale matters;
    classes count by the teacher's probabilities. Unrelated maps give 2.

    Args:
        student: (B, K, h, w), class maps.
        teacher: (B, K, h, w), class maps.
        logits: (B, K), the teacher's.
    """
    moved = (_standard(student) - _standard(teacher)).square().mean((2, 3))  # (B, K)
    return (logits.softmax(1) * moved).sum(1)


def _standard(maps: Tensor) -> Tensor:
    var, mean = torch.var_mean(maps, (2, 3), correction=0, keepdim=True)
    return (maps - mean) * torch.rsqrt(var + FLAT)


def distilled(
    said: tuple[Tensor, Tensor],
    wanted: tuple[Tensor, Tensor],
    losses: Tensor,
    weights: tuple[float, float],
) -> Tensor:
    """What is added to each picture's own loss, (B,).

    Args:
        said: logits (B, K) and class maps (B, K, h, w) of pictures with noise or faults.
        wanted: the teacher's of the same pictures without.
        losses: (B,), against the labels.
        weights: of the teacher's answer, which is taken from the label's, and of its maps.
    """
    (logits, maps), (answer, places) = said, wanted
    taught = weights[0] * (agreement(logits, answer) - losses)
    return taught + weights[1] * map_drift(maps, places, answer)
