"""From a run's resume file to fp16 weights with a card: filters and temperature from PublicTest."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from fervid.backends import Backend, open_backend
from fervid.card import ModelCard
from fervid.checkpoint import save_model
from fervid.corruptions import PAPER_LEVELS
from fervid.errors import DataError
from fervid.filters import PAPER_CHOICE, FilterName
from fervid.labels import darkness
from fervid.network import ExpressionNet
from train.calibration import Bools, fit_temperature
from train.data import CLASSES, Split
from train.recipe import Recipe
from train.resume import start
from train.robustness import CLEAN, DARK, NOISY, Plan, Setting, prepare, run_model
from train.state import averaged
from train.validate import SETTINGS as WATCHED

CANDIDATES: tuple[FilterName, ...] = ("none", "gaussian", "median", "bilateral")
DATA = "FER2013, 28,709 training images (Goodfellow et al. 2013)"


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the choices are made on: a seeded part of the first half of PublicTest."""

    split: Split
    indices: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    seed: int


def release(
    recipe: Recipe, resume: Path, data: Mapping[str, Split], out: Path, n: int
) -> ModelCard:
    """Write a run's averaged network with everything that it must be used with.

    Args:
        recipe: of the run.
        resume: the run's resume file.
        data: as `load_fer2013` returns it; only PublicTest is looked at.
        out: the .safetensors file to write.
        n: images of PublicTest that choose the filters and fit the temperature, at most its half.

    Returns:
        The card.

    Raises:
        DataError: there is no such run, it is of another recipe, or it has not reached its
            ResNet-50 yet.
    """
    if not resume.is_file():
        raise DataError(f"There is no run at {resume}; start one with `python -m train fit`.")
    state = start(recipe, resume, None)
    net = averaged(state.ema)
    if not isinstance(net, ExpressionNet):
        raise DataError(f"The run at {resume} is still at its slim stage; let it go on.")
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
            card = card.replace(temperature=_temperature(backend, card, choice))
    save_model(net, card, out)
    return card


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


def _temperature(backend: Backend, card: ModelCard, on: _Choice) -> tuple[float, float, float]:
    """(t0, t1, t2) over clean, noisy and dark pictures, through the deployed path."""
    choice: dict[str, FilterName] = {**PAPER_CHOICE, **card.filters}  # type: ignore[dict-item]
    plan = Plan(card, on.seed, choice)
    logits, etas, darks = [], [], []
    settings = (CLEAN, *NOISY, DARK)
    for number, setting in enumerate(settings):
        part = on.indices[number % 2 :: 2] if setting is not CLEAN else on.indices
        seen = prepare(on.split[0], part, setting, plan)
        output = run_model(backend, seen, np.full(len(part), -1, np.int64), _silent)
        logits.append((output.logits, on.split[1][part]))
        etas.append(seen.eta)
        darks.append(darkness(seen.crops))
    found = fit_temperature(
        np.concatenate([x for x, _ in logits]),
        np.concatenate([y for _, y in logits]),
        np.concatenate(etas),
        np.concatenate(darks),
    )
    t0, t1, t2 = (round(float(t), 4) for t in found)
    _say(f"temperature: exp({t0} + {t1} eta + {t2} darkness)")
    return t0, t1, t2


def _silent(_: str, __: int) -> None:
    """Nobody is told."""
