"""The evaluation on FER2013's own pictures: all settings, both paths, all metrics, both splits."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend
from fervid.network import ExpressionNet
from train.calibration_report import (
    Pool,
    calibration_figures,
    calibration_table,
    fitted_temperature,
    halves,
)
from train.data import Split, leaked
from train.feature_snr import feature_snr
from train.quarters import quarter_figures, quarters_table
from train.robustness import CLEAN, DARK, NOISY, SETTINGS, Plan, measure
from train.robustness_report import split_figures
from train.robustness_tables import (
    TITLES,
    accuracy_table,
    class_table,
    drift_table,
    kinds_table,
    snr_table,
)
from train.selective_report import selective_figures, selective_table
from train.tables import Table
from train.telling import Tell

I64 = NDArray[np.int64]
FEWEST = 15  # images of half a split, under which nothing is said of calibration


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The network whose features give the SNR (None: not available), and on how many images.

    `of` says whose features they are.
    """

    net: ExpressionNet | None
    images: int
    of: str = "the model itself"


def choose(n: int, limit: int | None, seed: int) -> I64:
    """Which of n images are measured: all, or a seeded choice of `limit`, rising."""
    if limit is None or limit >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:limit])


def work(chosen: Mapping[str, I64], probe: Probe) -> int:
    """Steps that `measure_thumbnails` will tell of."""
    steps = 0
    for name, at in chosen.items():
        steps += 2 * len(SETTINGS) * len(at)
        steps += len(NOISY) * min(probe.images, len(at)) if probe.net else 0
        steps += 2 * ((len(at) + 1) // 2) if name == "public" else 0
    return steps


def measure_thumbnails(
    backend: Backend,
    splits: Mapping[str, Split],
    chosen: Mapping[str, I64],
    plan: Plan,
    probe: Probe,
    tell: Tell,
) -> tuple[dict[str, Any], list[Table]]:
    """Measure a model.

    Args:
        backend: the model.
        splits: as `load_fer2013` returns them.
        chosen: "public" and/or "private" -> int64 (N,), which images.
        plan: how pictures reach the network, the kind of noise estimated.
        probe: for the SNR.
        tell: is told of progress.

    Returns:
        Figures for JSON, and tables.
    """
    parts: dict[str, Any] = {}
    pools: dict[str, Pool] = {}
    rng = np.random.default_rng(plan.seed)
    for name, at in chosen.items():
        images, labels = splits[name]
        ours = measure(backend, images, at, plan, tell)
        truth = measure(backend, images, at, dataclasses.replace(plan, oracle=True), tell)
        copies = leaked((images[at], labels[at]), splits["train"])
        parts[name] = split_figures(ours, truth, labels[at], copies, rng)
        parts[name]["snr"] = _snr(probe, images, at, plan, tell)
        parts[name]["quarters"] = quarter_figures(images[at], ours[0].predicted == labels[at])
        pools[name] = ours, labels[at]
    rows = _calibration(backend, splits, chosen, pools, plan, tell)
    makers = (kinds_table, accuracy_table, class_table, drift_table, snr_table)
    tables = [make(name, parts[name]) for name in parts for make in makers]
    for name, part in parts.items():
        title = f"{TITLES[name]}: which faces it is wrong about"
        tables.append(quarters_table(title, part["quarters"]))
    tables += [calibration_table(rows)] if rows else []
    if not rows:
        return {"splits": parts, "calibration": rows}, tables
    name = "private" if "private" in pools else "public"
    sure = _selective(pools[name], plan)
    tables.append(selective_table(f"{TITLES[name]}: answering only when sure", sure))
    return {"splits": parts, "calibration": rows, "selective": sure}, tables


def _selective(pool: Pool, plan: Plan) -> list[dict[str, Any]]:
    """Risk and coverage under the card's temperature and threshold."""
    card, rng = plan.card, np.random.default_rng(plan.seed)
    return selective_figures(pool, card.temperature, card.uncertain_below, rng)


def _snr(
    probe: Probe, images: NDArray[np.uint8], at: I64, plan: Plan, tell: Tell
) -> dict[str, Any] | None:
    if probe.net is None:
        return None
    some = at[choose(len(at), probe.images, plan.seed)]
    return {
        "images": len(some),
        "features_of": probe.of,
        "settings": feature_snr(probe.net, images, some, plan, tell),
    }


def _calibration(
    backend: Backend,
    splits: Mapping[str, Split],
    chosen: Mapping[str, I64],
    pools: Mapping[str, Pool],
    plan: Plan,
    tell: Tell,
) -> list[dict[str, Any]]:
    """The card's temperature and, with PublicTest, one fitted on its first half."""
    if min(len(labels) for _, labels in pools.values()) < 2 * FEWEST:
        return []
    held: dict[str, Pool] = {TITLES[name]: pool for name, pool in pools.items()}
    whose = {"card": plan.card.temperature}
    if "public" in pools:
        fit, rest = halves(pools["public"])
        images = splits["public"][0]
        dark = measure(backend, images, chosen["public"][::2], plan, tell, (CLEAN, DARK))[1:]
        whose["fitted"] = fitted_temperature(([*fit[0], *dark], fit[1]))
        del held[TITLES["public"]]
        held[f"{TITLES['public']}, second half"] = rest
    pairs = {**held, **{f"{name}, clean": (pool[0][:1], pool[1]) for name, pool in held.items()}}
    return [
        {"pool": name, "whose": which}
        | calibration_figures(pool, temperature, np.random.default_rng(plan.seed))
        for name, pool in pairs.items()
        for which, temperature in whose.items()
    ]
