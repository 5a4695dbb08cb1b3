"""Where a training run starts: its resume file, given weights, or nothing."""

import contextlib
import copy
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fervid.checkpoint import load_model
from fervid.errors import DataError
from fervid.network import load_torchvision
from train.data import CLASSES, Split
from train.outputs import rename_outputs
from train.recipe import Recipe
from train.slim import SlimNet, read_back
from train.state import Network, State, build, make_ema, make_optimizer


def save(state: State, path: Path, recipe: Recipe, processes: int = 1) -> None:
    """Write the resume file; a kill in the middle leaves the previous one.

    Raises:
        DataError: it cannot be written; the previous one stays.
    """
    content: dict[str, Any] = {
        "net": state.net.state_dict(),
        "ema": state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "stage": state.stage,
        "step": state.step,
        "history": state.history,
        "recipe": recipe.to_text(),
        "processes": processes,
        "classes": list(recipe.classes),
        "licence": state.licence,
        "data": state.data,
    }
    if state.teacher is not None:
        content |= {"teacher": state.teacher.state_dict(), "taught_from": state.taught_from}
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, fresh)
        fresh.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own writer raises RuntimeError
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({_one_line(error)}); make room or give another --runs "
            "folder; the same command goes on."
        ) from error


def start(
    recipe: Recipe, resume: Path, weights: Path | None, processes: int | None = None
) -> State:
    """The state to go on from: the resume file's, or a new one.

    Args:
        recipe: of the run.
        resume: the resume file, which need not exist.
        weights: to start from where it does not; not used where it does.
        processes: that will train; None if nothing is trained.

    Raises:
        DataError: the resume file is damaged or of another run, or the recipe wants pretrained
            weights and none are given.
    """
    if resume.is_file():
        return _resumed(recipe, resume, processes)
    net, licence = build(recipe, recipe.stages[0]), ""
    if weights is not None:
        licence = load_weights(net, weights, recipe.classes)
    elif recipe.pretrained:
        what = (
            "those of a network trained before it; give --weights FILE, a .safetensors of "
            "`python -m train release`"
            if recipe.stages[0].slim
            else "ImageNet weights; give --weights FILE, a torchvision ResNet-50 state dict"
        )
        raise DataError(f"The recipe {recipe.name} starts from {what}.")
    state = State(net, make_ema(net, recipe), make_optimizer(net, recipe), licence=licence)
    if recipe.stages[0].teacher != "average":
        state.teacher = copy.deepcopy(net).eval()
    return state


def _resumed(recipe: Recipe, resume: Path, processes: int | None) -> State:
    try:
        content: dict[str, Any] = _loaded(resume)
        _same_run(content, recipe, resume, processes)
        net = build(recipe, recipe.stages[content["stage"]])
        state = State(net, make_ema(net, recipe), make_optimizer(net, recipe))
        state.net.load_state_dict(content["net"])
        state.ema.load_state_dict(content["ema"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.stage, state.step = content["stage"], content["step"]
        state.history = content["history"]
        state.licence, state.data = content.get("licence", ""), content.get("data", "")
        if "teacher" in content:
            state.taught_from = content["taught_from"]
            state.teacher = build(recipe, recipe.stages[state.taught_from]).eval()
            state.teacher.load_state_dict(content["teacher"])
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise DataError(
            f"{resume} is damaged or of another recipe ({_one_line(error)}); move it away, or "
            "give another --runs folder."
        ) from error
    return state


def _same_run(
    content: Mapping[str, Any], recipe: Recipe, resume: Path, processes: int | None
) -> None:
    """Refuse another recipe or number of processes; older files say neither and are accepted."""
    if content.get("recipe", recipe.to_text()) != recipe.to_text():
        raise DataError(
            f"{resume} is of a recipe {recipe.name} with other values; give this one another name "
            "or another --runs folder."
        )
    known = tuple(content.get("classes", CLASSES))
    if known != recipe.classes:
        raise DataError(
            f"{resume} is of the classes {', '.join(known)}, and the data have "
            f"{', '.join(recipe.classes)}; give the run another --name."
        )
    before = content.get("processes", processes)
    if processes is not None and before != processes:
        raise DataError(
            f"{resume} was made by {before} processes and cannot go on with {processes}; start as "
            f"many, or give the recipe another name or another --runs folder."
        )


def same_data(state: State, train: Split, resume: Path) -> None:
    """Note the training pictures, or refuse others than those that a run began with.

    Raises:
        DataError: they are others; pictures were added, taken away or changed.
    """
    found = hashlib.sha256(np.ascontiguousarray(train[0]).tobytes())
    found.update(train[1].tobytes())
    if state.data not in ("", found.hexdigest()):
        raise DataError(
            f"{resume} began with other training pictures; train them anew under another --name."
        )
    state.data = found.hexdigest()


def load_weights(net: Network, path: Path, classes: Sequence[str] = CLASSES) -> str:
    """Start from a model of fervid's (.safetensors) or from torchvision's state dict (.pth).

    A slim network is read back from a model that grew from one (`train.slim.read_back`). Of other
    classes than the model's, those that it knows keep their outputs.

    Returns:
        The licence that the model's card names; "" of a state dict.

    Raises:
        DataError: it does not fit the recipe's first stage.
        ModelError: a .safetensors file cannot be loaded.
    """
    if isinstance(net, SlimNet):
        if path.suffix != ".safetensors":
            raise DataError(
                f"{path} cannot start a slim stage; give the .safetensors of a network that grew "
                "from one, as `python -m train release` writes it."
            )
        try:
            old, card = load_model(path)
            rename_outputs(old, card.classes, classes)
            read_back(old, net)
        except RuntimeError as error:
            raise DataError(
                f"{path} did not grow from a slim network ({_one_line(error)}); give the "
                ".safetensors of one that did, as `python -m train release` writes it."
            ) from error
        return card.licence
    try:
        if path.suffix == ".safetensors":
            old, card = load_model(path)
            rename_outputs(old, card.classes, classes)
            net.load_state_dict(old.state_dict())
            return card.licence
        state = _loaded(path)
        if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
            raise DataError(f"{path} holds no state dict; give torchvision's of a ResNet-50.")
        load_torchvision(net, state)
    except (RuntimeError, ValueError) as error:
        raise DataError(
            f"{path} does not fit the recipe's first stage ({_one_line(error)}); give "
            "torchvision's state dict of a ResNet-50."
        ) from error
    return ""


def _loaded(path: Path) -> Any:
    """What a file of torch's holds; ValueError for whatever its reader makes of any other."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
