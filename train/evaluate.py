"""`python -m train evaluate`: measure a model on FER2013, print it, and write it down."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fervid.backends import Backend, open_backend
from fervid.card import ModelCard
from fervid.checkpoint import load_model, sha256
from fervid.config import FilterChoice, FilterConfig, FilterSetName, RunConfig
from fervid.errors import CardError, ModelLoadError
from fervid.filters import PAPER_CHOICE, FilterName
from fervid.network import ExpressionNet
from fervid.records import NOISE_KINDS
from train.calibration_report import (
    Pool,
    calibration_figures,
    calibration_table,
    fitted_temperature,
    halves,
)
from train.data import CLASSES, Split, leaked, load_fer2013
from train.in_frame import SIZES_PX, in_frame_figures, in_frame_tables, measure_in_frame
from train.in_frame import SETTINGS_IN_FRAME as IN_FRAME
from train.metrics import rounded
from train.robustness import (
    DARK,
    NOISY,
    SETTINGS,
    Outcome,
    Plan,
    Tell,
    feature_snr,
    measure,
)
from train.robustness_report import (
    TITLES,
    accuracy_table,
    drift_table,
    kinds_table,
    snr_table,
    split_figures,
)
from train.tables import Table

I64 = NDArray[np.int64]

RESULTS = Path(__file__).parents[1] / "docs" / "results"
IN_FRAME_FACES = 300
MIN_CALIBRATION = 15  # images of a half under which calibration is left out

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """What is measured, and how.

    Attributes:
        in_frame: Put the faces into video frames and measure the whole pipeline.
        split: Test images: PublicTest, PrivateTest or both (in frames: PrivateTest unless public).
        limit: Measure a seeded choice of so many images of a split; in frames 300 by default.
        out: Folder of the results.
        seed: Seed of the noise and of every choice.
        filter: Filter; auto chooses by the estimated kind of noise.
        filter_set: Strength of the filters.
        torch_model: The .safetensors of the same weights, for the SNR of an ONNX model's features.
        snr_images: Images for the SNR, a seeded choice.
    """

    in_frame: bool = False
    split: Literal["public", "private", "both"] = "both"
    limit: int | None = None
    out: Path = RESULTS
    seed: int = 0
    filter: FilterChoice = "auto"
    filter_set: FilterSetName = "tuned"
    torch_model: Path | None = None
    snr_images: int = 500


def evaluate(model: Path, data: Path, options: EvaluateOptions, stdout: Console) -> Path:
    """Measure a model.

    Args:
        model: .onnx or .safetensors with a card.
        data: FER2013, as `load_fer2013` takes it.
        options: what and how.
        stdout: gets the tables.

    Returns:
        The JSON file that was written; the Markdown lies beside it.

    Raises:
        ModelError: the model cannot be loaded, or is no model of FER2013's classes.
        DataError: FER2013 cannot be read.
    """
    backend = open_backend(model)
    try:
        if backend.card.classes != CLASSES:
            raise CardError(f"{model} knows other classes than FER2013: {backend.card.classes}.")
        net = None if options.in_frame else _torch_net(model, backend.card, options)
        splits = load_fer2013(data)
        if options.in_frame:
            figures, tables = _in_frame(backend, splits, options)
        else:
            figures, tables = _robustness(backend, net, splits, options)
    finally:
        backend.close()
    figures = {"model": _about(model, backend.card), "options": _said(options)} | figures
    for table in tables:
        stdout.print(table.rich())
    return _write(model, figures, tables, options)


def _torch_net(model: Path, card: ModelCard, options: EvaluateOptions) -> ExpressionNet | None:
    """The network whose features give the SNR: the model itself, or the weights beside it."""
    path = options.torch_model or model
    if path.suffix != ".safetensors":
        return None
    net, _ = load_model(path)
    if path != model and card.weights_sha256 not in ("", sha256(path)):
        raise ModelLoadError(f"{model} was not made from {path}; give --torch-model its own weights.")
    return net


def _choose(n: int, limit: int | None, seed: int) -> I64:
    """Which of n images are measured: all, or a seeded choice, rising."""
    if limit is None or limit >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:limit])


def _plan(card: ModelCard, options: EvaluateOptions, *, oracle: bool) -> Plan:
    """The path that `Pipeline` takes: the card's filters, or the one that was asked for."""
    if options.filter == "auto":
        choice: Mapping[str, FilterName] = {**PAPER_CHOICE, **card.filters}  # type: ignore[dict-item]
    else:
        choice = dict.fromkeys(NOISE_KINDS, options.filter)
    return Plan(card, options.seed, choice, options.filter_set, oracle)


def _robustness(
    backend: Backend,
    net: ExpressionNet | None,
    splits: Mapping[str, Split],
    options: EvaluateOptions,
) -> tuple[dict[str, Any], list[Table]]:
    names = ("public", "private") if options.split == "both" else (options.split,)
    chosen = {n: _choose(len(splits[n][1]), options.limit, options.seed) for n in names}
    snr = {n: _choose(len(chosen[n]), options.snr_images, options.seed) for n in names}
    work = sum(
        2 * len(SETTINGS) * len(chosen[n]) + (len(NOISY) * len(snr[n]) if net else 0) for n in names
    ) + 2 * (len(chosen.get("public", ())) + 1) // 2
    parts: dict[str, Any] = {}
    pools: dict[str, Pool] = {}
    rng = np.random.default_rng(options.seed)
    with _progress(work) as tell:
        for name in names:
            images, labels = splits[name]
            at = chosen[name]
            ours, truth = (
                measure(backend, images, at, _plan(backend.card, options, oracle=oracle), tell)
                for oracle in (False, True)
            )
            copies = leaked(splits[name], splits["train"])[at]
            parts[name] = split_figures(ours, truth, labels[at], copies, rng)
            parts[name]["snr"] = _snr(net, images, at[snr[name]], backend.card, options, tell)
            pools[name] = ours, labels[at]
        calibration = _calibration(backend, splits, chosen, pools, options, tell)
    makers = (kinds_table, accuracy_table, drift_table, snr_table)
    tables = [make(name, parts[name]) for name in names for make in makers]
    if calibration["rows"]:
        tables.append(calibration_table(calibration))
    return {"splits": parts, "calibration": calibration}, tables


def _snr(
    net: ExpressionNet | None,
    images: NDArray[np.uint8],
    at: I64,
    card: ModelCard,
    options: EvaluateOptions,
    tell: Tell,
) -> dict[str, Any] | None:
    if net is None:
        return None
    table = feature_snr(net, images, at, _plan(card, options, oracle=False), tell)
    return {"images": len(at), "settings": table}


def _calibration(
    backend: Backend,
    splits: Mapping[str, Split],
    chosen: Mapping[str, I64],
    pools: Mapping[str, Pool],
    options: EvaluateOptions,
    tell: Tell,
) -> dict[str, Any]:
    ...
