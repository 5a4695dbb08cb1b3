"""From a run's resume file to fp16 weights with a card.

What it must be used with is chosen on PublicTest (`train/choices.py`).
"""

import dataclasses
import os
import tempfile
from pathlib import Path

from fervid.backends import open_backend
from fervid.card import ModelCard
from fervid.checkpoint import load_model, save_model
from fervid.errors import DataError
from fervid.network import RESNET50_BLOCKS, ExpressionNet
from train.choices import Validation, chosen_card
from train.data import Data, Split, check_classes
from train.options import at_least_1
from train.recipe import Recipe
from train.resume import same_data, start
from train.slim import SlimNet, embed
from train.state import averaged, build
from train.thumbnails import choose
from train.validate import SETTINGS as WATCHED


def release(recipe: Recipe, resume: Path, data: Data, out: Path, n: int | None) -> ModelCard:
    """Write a run's averaged network with everything that it must be used with.

    Args:
        recipe: of the run.
        resume: the run's resume file.
        data: what it learnt from; only what was held out is looked at.
        out: the .safetensors file to write.
        n: held-out images (of FER2013 PublicTest) that choose filters, temperature and threshold;
            None for all.

    Returns:
        The card.

    Raises:
        DataError: there is no such run, or it is of another recipe or of other pictures, some of
            which it may have learnt from that are held out now.
    """
    if not resume.is_file():
        raise DataError(f"There is no run at {resume}; start one with `python -m train fit`.")
    state = start(recipe, resume, None)
    same_data(state, data.splits["train"], resume)
    net = averaged(state.ema)
    if isinstance(net, SlimNet):
        net = grown(net, recipe, state.stage)
    last = state.history[-1] if state.history else {}
    metrics = {f"public_{name}": round(last[name], 4) for name, _ in WATCHED if name in last}
    card = _card(recipe, state.stage, data, state.licence).replace(metrics=metrics)
    return _write(net, card, data.splits["public"], out, n, recipe.seed)


def calibrate(model: Path, data: Data, out: Path, n: int | None, seed: int = 0) -> ModelCard:
    """Choose anew what released weights are used with; the weights stay as they are.

    Args:
        model: a .safetensors file with a card.
        data: of the model's classes; only what was held out (of FER2013 PublicTest) is looked at.
        out: the .safetensors file to write.
        n: held-out images that are used; None for all.
        seed: of their choice and of the noise.

    Returns:
        The card.

    Raises:
        ModelError: the model cannot be read.
        DataError: the data have other classes, or `out` has no place.
    """
    net, card = load_model(model)
    check_classes(data, card)
    return _write(net, card, data.splits["public"], out, n, seed)


def _write(
    net: ExpressionNet, card: ModelCard, split: Split, out: Path, n: int | None, seed: int
) -> ModelCard:
    at_least_1("images", n)
    if out.is_dir() or not os.access(out.absolute().parent, os.W_OK):
        raise DataError(f"{out} cannot be written; name a file in a folder that is there.")
    validation = Validation(split, choose(len(split[1]), n, seed), seed)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.safetensors"
        save_model(net, card, draft)
        backend = open_backend(draft, "cpu")
        try:
            card = chosen_card(backend, card, validation)
        finally:
            backend.close()
    save_model(net, card, out)
    return card


def grown(slim: SlimNet, recipe: Recipe, stage: int) -> ExpressionNet:
    """The ResNet-50 that computes what a stage's slim network does."""
    full = dataclasses.replace(recipe.stages[stage], slim=False, blocks=RESNET50_BLOCKS)
    net = build(recipe, full)
    assert isinstance(net, ExpressionNet)
    embed(slim, net, None)
    return net


def _card(recipe: Recipe, stage: int, data: Data, before: str) -> ModelCard:
    """What is known of the network; `before` is the licence of the weights that it started from."""
    shape = recipe.stages[stage]
    licences = dict.fromkeys(filter(None, (data.licence, *before.split(" AND "))))
    return ModelCard(
        name=recipe.name,
        classes=recipe.classes,
        input_px=shape.px,
        stem=recipe.stem,
        last_stride=shape.last_stride,
        last_dilation=shape.last_dilation,
        mean=recipe.mean,
        std=recipe.std,
        recipe=recipe.to_text(),
        data=data.about,
        licence=" AND ".join(licences),
    )
