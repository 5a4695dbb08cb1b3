"""What a network must be used with, chosen on PublicTest: filters, temperature, threshold.

The filter of each kind of noise is the paper's unless another one is better beyond chance; the
temperature makes confidences true; the threshold of `uncertain` leaves a fifth in doubt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from scipy.special import softmax  # type: ignore[import-untyped]

from fervid.backends import Backend
from fervid.card import ModelCard
from fervid.corruptions import PAPER_LEVELS
from fervid.filters import PAPER_CHOICE, FilterName, filter_table
from fervid.labels import darkness
from fervid.records import F32
from train.calibration import F64, Bools, fit_temperature
from train.data import Split
from train.robustness import CLEAN, DARK, NOISY, Plan, Setting, prepare, run_model
from train.selective import COVERAGE, at_threshold, risk_coverage, threshold_for

# Answers that are wrong, fewer than which say nothing: of the confidence, and of the conditions.
FEW_WRONG, FEW_CONDITIONS = 20, 100
CANDIDATES: tuple[FilterName, ...] = ("none", "gaussian", "median", "bilateral")


@dataclass(frozen=True, slots=True)
class Validation:
    """What the choices are made on: PublicTest, or a seeded part of it."""

    split: Split
    indices: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    seed: int


class Answers(NamedTuple):
    """N answers: logits float32 (N, K), labels int64, eta and darkness float32 (N,)."""

    logits: F32
    labels: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    eta: F32
    dark: F32


def chosen_card(backend: Backend, card: ModelCard, on: Validation) -> ModelCard:
    """The card with filters, temperature and threshold.

    Args:
        backend: runs the network.
        card: of the network, as far as it is known.
        on: what they are chosen on.
    """
    with torch.inference_mode():
        card = card.replace(filters=_filters(backend, card, on))
        return calibrated_card(card, _pooled(backend, card, on))


def _filters(backend: Backend, card: ModelCard, on: Validation) -> dict[str, str]:
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
    backend: Backend, card: ModelCard, on: Validation, setting: Setting, name: FilterName
) -> Bools:
    plan = Plan(card, on.seed, dict.fromkeys(PAPER_CHOICE, name))
    seen = prepare(on.split[0], on.indices, setting, plan)
    output = run_model(backend, seen, np.full(len(on.indices), -1, np.int64), _silent)
    return np.asarray(output.logits.argmax(1) == on.split[1][on.indices], np.bool_)


def _pooled(backend: Backend, card: ModelCard, on: Validation) -> Answers:
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
    found = _temperature(said)
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


def _temperature(said: Answers) -> F64:
    """The temperature's three numbers; 0 where too few answers are wrong to tell them by."""
    wrong = int((said.logits.argmax(1) != said.labels).sum())
    if wrong < FEW_WRONG:
        _say(
            f"only {wrong} answers are wrong, too few to calibrate on: confidences stay as they are"
        )
        return np.zeros(3)
    conditions = (said.eta, said.dark)
    if wrong < FEW_CONDITIONS:
        conditions = (np.zeros_like(said.eta), np.zeros_like(said.dark))
    return fit_temperature(said.logits, said.labels, *conditions)


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(text, soft_wrap=True)


def _silent(_: str, __: int) -> None:
    """Nobody is told."""
