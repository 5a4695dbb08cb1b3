"""What a training run has in its hands: networks and optimizer, from stage to stage."""

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fervid.errors import DataError
from fervid.network import ExpressionNet
from train.recipe import Recipe, Stage
from train.slim import SlimNet, embed

Network = ExpressionNet | SlimNet


@dataclass
class State:
    """What a run remembers, and what its resume file holds (train/resume.py).

    `teacher` is the fixed one, from the first stage that has one on, and `taught_from` that stage.
    `licence` is that of the weights that the run started from, "" where it started from none;
    `data` is the hash of the training pictures, "" where none was noted.
    """

    net: Network
    ema: AveragedModel
    optimizer: torch.optim.Optimizer
    stage: int = 0
    step: int = 0  # global, all stages
    history: list[dict[str, float]] = field(default_factory=list)
    teacher: Network | None = None
    taught_from: int = 0
    licence: str = ""
    data: str = ""


def build(recipe: Recipe, stage: Stage) -> Network:
    """A network for one stage, with the weights that the recipe's seed gives."""
    torch.manual_seed(recipe.seed)
    if stage.slim:
        slim = SlimNet(
            len(recipe.classes),
            blocks=stage.blocks,
            last_stride=stage.last_stride,
            mean=recipe.mean,
            std=recipe.std,
            dropout=recipe.dropout if stage.dropout is None else stage.dropout,
            norm=stage.norm,
            width=stage.width,
        )
        return slim.to(memory_format=torch.channels_last)
    net = ExpressionNet(
        len(recipe.classes),
        stem=recipe.stem,
        last_stride=stage.last_stride,
        last_dilation=stage.last_dilation,
        blocks=stage.blocks,
        mean=recipe.mean,
        std=recipe.std,
    )
    return net.to(memory_format=torch.channels_last)


def grow(recipe: Recipe, stage: Stage, old: Network, images: Tensor) -> Network:
    """The network of the next stage: what the old one computes, and room for more.

    Args:
        recipe: the recipe.
        stage: the next stage.
        old: the network of the stage before.
        images: (N, 3, S, S), training pictures, to measure statistics.
    """
    net = build(recipe, stage)
    if isinstance(old, SlimNet) and isinstance(net, ExpressionNet):
        embed(old, net, images)
        return net
    result = net.load_state_dict(old.state_dict(), strict=False)
    if result.unexpected_keys:
        raise DataError("A later stage of the recipe has fewer blocks than an earlier one.")
    return net


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; norms, biases and eta terms are not decayed."""
    parts: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        parts.setdefault((parameter.ndim > 1, name.startswith("head.")), []).append(parameter)
    groups: list[dict[str, Any]] = [
        {
            "params": parameters,
            "weight_decay": recipe.weight_decay if decayed else 0.0,
            "scale": recipe.head_lr if head else 1.0,
        }
        for (decayed, head), parameters in parts.items()
    ]
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.lr)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr)
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)


def make_ema(net: Network, recipe: Recipe) -> AveragedModel:
    """A moving average of weights and statistics."""
    average = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
    return AveragedModel(net, multi_avg_fn=average, use_buffers=True)


def next_stage(state: State, recipe: Recipe, images: Tensor) -> State:
    """Grow the averaged network for the next stage; momenta and the average start anew.

    Args:
        state: at the end of a stage.
        recipe: the recipe.
        images: (N, 3, S, S), training pictures of the next stage.
    """
    number = state.stage + 1
    stage = recipe.stages[number]
    net = grow(recipe, stage, averaged(state.ema), images)
    ema = make_ema(net, recipe)
    ema.n_averaged.fill_(1)
    fresh = State(net, ema, make_optimizer(net, recipe), number, state.step, state.history)
    fresh.teacher, fresh.taught_from = state.teacher, state.taught_from
    fresh.licence, fresh.data = state.licence, state.data
    if fresh.teacher is None and stage.teacher != "average":
        fresh.teacher, fresh.taught_from = copy.deepcopy(net).eval(), number
    return fresh


def averaged(ema: AveragedModel) -> Network:
    """The network inside a moving average."""
    module = ema.module
    if not isinstance(module, ExpressionNet | SlimNet):
        raise TypeError(f"expected an ExpressionNet, got {type(module).__name__}")
    return module
