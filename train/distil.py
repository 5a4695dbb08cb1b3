"""The same face with and without its noise: what a network says of one, it shall say of the other.

The teacher, the run's own moving average or the network that it started from, sees the picture
without noise and faults; the network that learns sees it with them. Both see the same face in the
same place.

Source: Tarvainen, Valpola 2017, "Mean teachers are better role models"; Hinton et al. 2015,
    "Distilling the knowledge in a neural network"; Guo et al. 2019, "Visual attention consistency",
    for the maps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.loader import Batch, as_input
from train.recipe import Recipe

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


def taught(
    teachers: tuple[nn.Module, nn.Module],
    batch: Batch,
    said: tuple[Tensor, Tensor],
    losses: Tensor,
    recipe: Recipe,
    share: float,
) -> Tensor:
    """A batch's loss, a number, with what the teacher adds to it.

    Args:
        teachers: of the answers and of the maps, often the same.
        batch: as the student sees it.
        said: the student's logits (B, K) and class maps (B, K, h, w).
        losses: (B,), against the labels.
        recipe: of the stage, for the teacher's weights.
        share: of these weights that applies, see `ramp`.
    """
    if not (share and (recipe.distil or recipe.distil_maps)):
        return losses.mean()
    dirty = (batch.pictures != batch.clean).flatten(1).any(1)
    heard = torch.ones_like(dirty) if recipe.distil_clean else dirty
    if not heard.any():
        return losses.mean()
    pictures = as_input(batch.clean[heard], recipe)
    with torch.no_grad():
        wanted, places = teachers[0](pictures, None)
        if teachers[1] is not teachers[0] and recipe.distil_maps:
            places[dirty[heard]] = teachers[1](pictures[dirty[heard]], None)[1]
    clean = torch.tensor([recipe.distil_clean, 0.0], device=losses.device)
    noisy = torch.tensor([recipe.distil, recipe.distil_maps], device=losses.device)
    answer, maps = (share * torch.where(dirty[heard, None], noisy, clean)).unbind(1)
    logits, seen = (part[heard] for part in said)
    extra = distilled(
        (logits, seen), (wanted.float(), places.float()), losses[heard], (answer, maps)
    )
    return losses.mean() + extra.sum() / len(losses)


def distilled(
    said: tuple[Tensor, Tensor],
    wanted: tuple[Tensor, Tensor],
    losses: Tensor,
    weights: tuple[Tensor | float, Tensor | float],
) -> Tensor:
    """What is added to each picture's own loss, (B,).

    Args:
        said: logits (B, K) and class maps (B, K, h, w) of pictures with noise or faults.
        wanted: the teacher's of the same pictures without.
        losses: (B,), against the labels.
        weights: of the teacher's answer, which is taken from the label's, and of its maps; numbers
            or (B,).
    """
    (logits, maps), (answer, places) = said, wanted
    taught = weights[0] * (agreement(logits, answer) - losses)
    return taught + weights[1] * map_drift(maps, places, answer)
