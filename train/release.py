"""From a run's resume file to fp16 weights with a card.

Filters, temperature and the threshold of `uncertain` come from PublicTest.
"""

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from scipy.special import softmax  # type: ignore[import-untyped]

from fervid.backends import Backend, open_backend
from fervid.card import ModelCard
from fervid.checkpoint import save_model
from fervid.corruptions import PAPER_LEVELS
from fervid.errors import DataError
from fervid.filters import PAPER_CHOICE, FilterName, filter_table
from fervid.labels import darkness
from fervid.network import RESNET50_BLOCKS, ExpressionNet
from fervid.records import F32
from train.calibration import Bools, fit_temperature
from train.data import CLASSES, Split
from train.recipe import Recipe
from train.resume import start
from train.robustness import CLEAN, DARK, NOISY, Plan, Setting, prepare, run_model
from train.selective import COVERAGE, at_threshold, risk_coverage, threshold_for
from train.slim import SlimNet, embed
from train.state import averaged, build
from train.validate import SETTINGS as WATCHED

CANDIDATES: tuple[FilterName, ...] = ("none", "gaussian", "median", "bilateral")
DATA = "FER2013, 28,709 training images (Goodfellow et al. 2013)"


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the choices are made on: a seeded part of the first half of PublicTest."""

    split: Split
    indices: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    seed: int


class Answers(NamedTuple):
    """N answers: logits float32 (N, K), labels int64, eta and darkness float32 (N,)."""

    logits: F32
    labels: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    eta: F32
    dark: F32


def release(
    recipe: Recipe, resume: Path, data: Mapping[str, Split], out: Path, n: int
) -> ModelCard:
    """Write a run's averaged network with everything that it must be used with.

    Args:
        recipe: of the run.
        resume: the run's resume file.
        data: as `load_fer2013` returns it; only PublicTest is looked at.
        out: the .safetensors file to write.
        n: images of PublicTest that choose filters, temperature and threshold, at most its half.

    Returns:
        The card.

    Raises:
        DataError: there is no such run, or it is of another recipe.
    """
    if not resume.is_file():
        raise DataError(f"There is no run at {resume}; start one with `python -m train fit`.")
    state = start(recipe, resume, None)
    net = averaged(state.ema)
    if isinstance(net, SlimNet):
        net = grown(net, recipe, state.stage)
    last = state.history[-1] if state.history else {}
    metrics = {f"public_{name}": round(last[name], 4) for name, _ in WATCHED if name in last}
    card = _card(recipe, state.stage).replace(metrics=metrics)
    # Every second image: `evaluate` measures calibration on the others.
    half = (len(data["public"][1]) + 1) // 2
    chosen = 2 * np.random.default_rng(recipe.seed).permutation(half)[:n]
    choice = _Choice(data["public"], np.sort(chosen), recipe.seed)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.safetensors"
        save_model(net, card, draft)
        with torch.inference_mode():
            backend = open_backend(draft, "cpu")
            card = card.replace(filters=_filters(backend, card, choice))
            card = calibrated_card(card, _pooled(backend, card, choice))
    save_model(net, card, out)
    return card


def grown(slim: SlimNet, recipe: Recipe, stage: int) -> ExpressionNet:
    """The ResNet-50 that computes what a stage's slim network does."""
    full = dataclasses.replace(recipe.stages[stage], slim=False, blocks=RESNET50_BLOCKS)
    net = build(recipe, full)
    assert isinstance(net, ExpressionNet)
    embed(slim, net, None)
    return net


def _card(recipe: Recipe, stage: int) -> ModelCard:
    shape = recipe.stages[stage]
    return ModelCard(
        name=recipe.name,
        classes=CLASSES,
        input_px=shape.px,
        stem=recipe.stem,
        last_stride=shape.last_stride,
        last_dilation=shape.last_dilation,
        mean=recipe.mean,
        std=recipe.std,
        recipe=recipe.to_text(),
        data=DATA,
    )


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(text, soft_wrap=True)


def _filters(backend: Backend, card: ModelCard, on: _Choice) -> dict[str, str]:
    """For each kind of noise, at its middle level, the filter to use with this network."""
    best: dict[str, str] = {"clean": "none"}
    for kind, levels in PAPER_LEVELS.items():
        setting = next(s for s in NOISY if (s.kind, s.level) == (kind, levels[1]))
        right = {name: _right(backend, card, on, setting, name) for name in CANDIDATES}
        best[kind] = preferred(right, PAPER_CHOICE[kind])
        said = ", ".join(f"{name} {flags.mean():.1%}" for name, flags in right.items())
        _say(f"{setting.name}: {said}; {best[kind]} is used")
    return best


def preferred(right: Mapping[FilterName, Bools], usual: FilterName) -> FilterName:
    """The usual filter, unless another one is better by two standard errors of the difference.

    Args:
        right: for each filter which of the same images it gets right, bool (N,).
        usual: the paper's filter for this noise.
    """
    name = max(right, key=lambda candidate: right[candidate].mean())
    gain = right[name].astype(np.float64) - right[usual]
    return name if gain.mean() > 2 * gain.std() / np.sqrt(len(gain)) else usual


def _right(
    backend: Backend, card: ModelCard, on: _Choice, setting: Setting, name: FilterName
) -> Bools:
    plan = Plan(card, on.seed, dict.fromkeys(PAPER_CHOICE, name))
    seen = prepare(on.split[0], on.indices, setting, plan)
    output = run_model(backend, seen, np.full(len(on.indices), -1, np.int64), _silent)
    return np.asarray(output.logits.argmax(1) == on.split[1][on.indices], np.bool_)


def _pooled(backend: Backend, card: ModelCard, on: _Choice) -> Answers:
    """What the network says of clean, noisy and dark pictures, through the deployed path."""
    plan = Plan(card, on.seed, filter_table(card.filters))
    parts = []
    for number, setting in enumerate((CLEAN, *NOISY, DARK)):
        at = on.indices[number % 2 :: 2] if setting is not CLEAN else on.indices
        seen = prepare(on.split[0], at, setting, plan)
        output = run_model(backend, seen, np.full(len(at), -1, np.int64), _silent)
        parts.append((output.logits, on.split[1][at], seen.eta, darkness(seen.crops)))
    return Answers(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def calibrated_card(card: ModelCard, said: Answers) -> ModelCard:
    """The card with temperature and threshold: COVERAGE of all answers reach the threshold."""
    found = fit_temperature(said.logits, said.labels, said.eta, said.dark)
    t0, t1, t2 = (round(float(t), 4) for t in found)
    heat = np.exp(t0 + t1 * said.eta + t2 * said.dark)[:, None]
    p = softmax(said.logits / heat, 1)
    curve = risk_coverage(p.max(1), np.asarray(p.argmax(1) == said.labels, np.bool_))
    least = np.floor(100 * threshold_for(curve, COVERAGE)) / 100
    covered, accuracy = at_threshold(curve, least)
    _say(
        f"temperature: exp({t0} + {t1} eta + {t2} darkness); uncertain below {least:.2f}: "
        f"{covered:.1%} answered, {accuracy or 0:.1%} of them right"
    )
    return card.replace(temperature=(t0, t1, t2), uncertain_below=float(least))


def _silent(_: str, __: int) -> None:
    """Nobody is told."""
