"""What a training run remembers: networks, optimizer, and the file it is resumed from."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fervid.checkpoint import load_model
from fervid.errors import DataError
from fervid.network import ExpressionNet, load_torchvision
from train.data import CLASSES
from train.recipe import Recipe, Stage
from train.slim import SlimNet, embed

Network = ExpressionNet | SlimNet


@dataclass
class State:
    """What a run remembers, and what its resume file holds."""

    net: Network
    ema: AveragedModel
    optimizer: torch.optim.Optimizer
    stage: int = 0
    step: int = 0  # global, all stages
    history: list[dict[str, float]] = field(default_factory=list)


def build(recipe: Recipe, stage: Stage) -> Network:
    """A network for one stage, with the weights that the recipe's seed gives."""
    torch.manual_seed(recipe.seed)
    if stage.slim:
        slim = SlimNet(
            len(CLASSES),
            blocks=stage.blocks,
            last_stride=stage.last_stride,
            mean=recipe.mean,
            std=recipe.std,
        )
        return slim.to(memory_format=torch.channels_last)
    net = ExpressionNet(
        len(CLASSES),
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


def save(state: State, path: Path) -> None:
    """Write the resume file; a kill in the middle leaves the previous one."""
    content = {
        "net": state.net.state_dict(),
        "ema": state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "stage": state.stage,
        "step": state.step,
        "history": state.history,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save(content, fresh)
    fresh.replace(path)


def start(recipe: Recipe, resume: Path, weights: Path | None) -> State:
    """The state to go on from: the resume file's, or a new one.

    Raises:
        DataError: the recipe wants pretrained weights and none are given.
    """
    if resume.is_file():
        content: dict[str, Any] = torch.load(resume, weights_only=True)
        net = build(recipe, recipe.stages[content["stage"]])
        state = State(net, make_ema(net, recipe), make_optimizer(net, recipe))
        state.net.load_state_dict(content["net"])
        state.ema.load_state_dict(content["ema"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.stage, state.step = content["stage"], content["step"]
        state.history = content["history"]
        return state
    net = build(recipe, recipe.stages[0])
    if weights is not None:
        load_weights(net, weights)
    elif recipe.pretrained:
        raise DataError(
            f"The recipe {recipe.name} starts from ImageNet weights; give --weights FILE, "
            "a torchvision ResNet-50 state dict."
        )
    return State(net, make_ema(net, recipe), make_optimizer(net, recipe))


def load_weights(net: Network, path: Path) -> None:
    """Start from a model of fervid's (.safetensors) or from torchvision's state dict (.pth).

    Raises:
        DataError: it does not fit the recipe's first stage, or that stage is slim.
    """
    if isinstance(net, SlimNet):
        raise DataError(f"{path} is a ResNet-50, which cannot start the recipe's slim first stage.")
    try:
        if path.suffix == ".safetensors":
            old, _ = load_model(path)
            net.load_state_dict(old.state_dict())
        else:
            load_torchvision(net, torch.load(path, weights_only=True))
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} does not fit the recipe's first stage ({error}).") from error


def next_stage(state: State, recipe: Recipe, images: Tensor) -> State:
    """Grow the averaged network for the next stage; momenta and the average start anew.

    Args:
        state: at the end of a stage.
        recipe: the recipe.
        images: (N, 3, S, S), training pictures of the next stage.
    """
    stage = recipe.stages[state.stage + 1]
    net = grow(recipe, stage, averaged(state.ema), images)
    ema = make_ema(net, recipe)
    ema.n_averaged.fill_(1)
    return State(net, ema, make_optimizer(net, recipe), state.stage + 1, state.step, state.history)


def averaged(ema: AveragedModel) -> Network:
    """The network inside a moving average."""
    module = ema.module
    if not isinstance(module, ExpressionNet | SlimNet):
        raise TypeError(f"expected an ExpressionNet, got {type(module).__name__}")
    return module
