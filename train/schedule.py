"""What a run does at which step, from its recipe alone."""

import math

import torch
from torch import Tensor

from train.recipe import Recipe


def stage_steps(recipe: Recipe, n_images: int, processes: int = 1) -> list[int]:
    """Optimizer steps of each stage."""
    per_pass = n_images / (recipe.batch * processes)
    return [max(1, round(stage.passes * per_pass)) for stage in recipe.stages]


def learning_rate(recipe: Recipe, peak: float, step: int, total: int) -> float:
    """The rate at one of a stage's steps: a line up to `peak`, then a half cosine or constant."""
    rise = max(1, round(recipe.warmup * total))
    if step < rise:
        return peak * (step + 1) / rise
    if recipe.schedule == "constant":
        return peak
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


def jitter(conditions: Tensor, recipe: Recipe, step: int) -> Tensor:
    """Errors that the estimator will make, (B, 7): a factor, and now and then nothing found."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    n = len(conditions)
    factor = torch.exp(torch.randn(n, generator=generator) * recipe.eta_jitter)
    kept = torch.rand(n, generator=generator) > 0.1
    return conditions * (factor * kept).to(conditions.device)[:, None]
