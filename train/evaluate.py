"""`python -m train evaluate`: measure a model on FER2013, print it, and write it down."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fervid.backends import Backend, open_backend
from fervid.card import ModelCard, sha256
from fervid.checkpoint import load_model
from fervid.config import FaceConfig, FilterConfig, RunConfig
from fervid.errors import CardError, ModelLoadError
from fervid.filters import FilterName, filter_table
from fervid.network import ExpressionNet
from fervid.records import NOISE_KINDS
from train.cam_quality import work as follow_work
from train.data import CLASSES, Split, load_fer2013
from train.fault_report import measure_faults
from train.fault_report import work as fault_work
from train.in_frame import FRAME_SETTINGS, SIZES_PX, Subjects, measure_in_frame
from train.in_frame_report import in_frame_figures, in_frame_tables
from train.maps import IMAGES as MAP_IMAGES
from train.maps import measure_maps
from train.maps import work as map_work
from train.options import EvaluateOptions
from train.results import protocol, write
from train.robustness import SETTINGS, Plan, measure
from train.tables import Table
from train.telling import progress
from train.thumbnails import Probe, choose, measure_thumbnails, work

I64 = NDArray[np.int64]

IN_FRAME_FACES = 300


def evaluate(
    model: Path, data: Path, options: EvaluateOptions, stdout: Console, stderr: Console
) -> list[Path]:
    """Measure a model.

    Args:
        model: .onnx or .safetensors with a card.
        data: FER2013, as `load_fer2013` takes it.
        options: what and how.
        stdout: gets the tables.
        stderr: gets the progress.

    Returns:
        The JSON and the Markdown file that were written.

    Raises:
        ModelError: the model cannot be loaded, or knows other classes than FER2013.
        DataError: FER2013 cannot be read, or the results cannot be written.
    """
    with open_model(model) as backend:
        if options.extra is None:
            options = dataclasses.replace(options, extra=data.parent)
        measured = _MEASURED[protocol(options)]
        figures, tables = measured(model, backend, load_fer2013(data), options, stderr)
    for table in tables:
        stdout.print(table.rich())
    return write(model, backend.card, figures, tables, options)


@contextmanager
def open_model(model: Path) -> Iterator[Backend]:
    """A model that knows FER2013's classes; closed at the end.

    Raises:
        ModelError: it cannot be loaded, or knows other classes.
    """
    backend = open_backend(model)
    try:
        if backend.card.classes != CLASSES:
            known = ", ".join(backend.card.classes)
            raise CardError(f"{model} knows other classes than FER2013: {known}.")
        yield backend
    finally:
        backend.close()


def _thumbnails(
    model: Path,
    backend: Backend,
    splits: Mapping[str, Split],
    options: EvaluateOptions,
    stderr: Console,
) -> tuple[dict[str, Any], list[Table]]:
    weights, net = _in_torch(model, backend.card, options)
    of = "the model itself"
    if weights and weights != model:
        of = f"{weights.name}, the fp16 weights that {model.name} was made from"
    probe = Probe(net, options.snr_images, of)
    chosen = _chosen(splits, options)
    with progress(work(chosen, probe), stderr) as tell:
        plan = deployed_plan(backend.card, options)
        return measure_thumbnails(backend, splits, chosen, plan, probe, tell)


def _maps(
    model: Path,
    backend: Backend,
    splits: Mapping[str, Split],
    options: EvaluateOptions,
    stderr: Console,
) -> tuple[dict[str, Any], list[Table]]:
    options = dataclasses.replace(options, limit=options.limit or MAP_IMAGES)
    chosen, (_, net) = _chosen(splits, options), _in_torch(model, backend.card, options)
    with progress(map_work(chosen, follow_work(1), net is not None), stderr) as tell:
        return measure_maps(
            backend, net, splits, chosen, deployed_plan(backend.card, options), tell
        )


def _faults(
    _: Path,
    backend: Backend,
    splits: Mapping[str, Split],
    options: EvaluateOptions,
    stderr: Console,
) -> tuple[dict[str, Any], list[Table]]:
    chosen = _chosen(splits, options)
    extra = cast(Path, options.extra)
    with progress(fault_work(extra, chosen), stderr) as tell:
        return measure_faults(
            backend, splits, chosen, deployed_plan(backend.card, options), extra, tell
        )


def _chosen(splits: Mapping[str, Split], options: EvaluateOptions) -> dict[str, I64]:
    names = ("public", "private") if options.split == "both" else (options.split,)
    return {n: choose(len(splits[n][1]), options.limit, options.seed) for n in names}


def _in_torch(
    model: Path, card: ModelCard, options: EvaluateOptions
) -> tuple[Path | None, ExpressionNet | None]:
    """The weights in torch, and their file; None where they are not at hand."""
    weights = options.torch_model or _own_weights(model, card)
    return weights, _torch_net(model, card, weights) if weights else None


def _own_weights(model: Path, card: ModelCard) -> Path | None:
    """The weights whose features give the SNR: the model itself, or those it was made from."""
    if model.suffix == ".safetensors":
        return model
    beside = sorted(model.parent.glob("*.safetensors")) if card.weights_sha256 else ()
    return next((path for path in beside if sha256(path) == card.weights_sha256), None)


def _torch_net(model: Path, card: ModelCard, weights: Path) -> ExpressionNet:
    net, _ = load_model(weights)
    if weights != model and card.weights_sha256 not in ("", sha256(weights)):
        raise ModelLoadError(
            f"{model} was not made from {weights}; give --torch-model its weights."
        )
    return net


def deployed_plan(card: ModelCard, options: EvaluateOptions) -> Plan:
    """The path that `Pipeline` takes: the card's filters, or the one that was asked for."""
    choice: Mapping[str, FilterName]
    if options.filter == "auto":
        choice = filter_table(card.filters, options.filter_set)
    else:
        choice = dict.fromkeys(NOISE_KINDS, options.filter)
    return Plan(card, options.seed, choice, options.filter_set)


def _in_frame(
    model: Path,
    backend: Backend,
    splits: Mapping[str, Split],
    options: EvaluateOptions,
    stderr: Console,
) -> tuple[dict[str, Any], list[Table]]:
    name = "public" if options.split == "public" else "private"
    at = choose(len(splits[name][1]), options.limit or IN_FRAME_FACES, options.seed)
    filters = FilterConfig(filter=options.filter, filter_set=options.filter_set)
    config = RunConfig(filter=filters, faces=FaceConfig(detector=options.detector))
    images, labels = splits[name]
    steps = len(SIZES_PX) * len(FRAME_SETTINGS) + len(SETTINGS)
    with progress(steps * len(at), stderr) as tell:
        outcomes = measure(backend, images, at, deployed_plan(backend.card, options), tell)
        small = {o.setting.name: np.asarray(o.predicted == labels[at]) for o in outcomes}
        subjects = Subjects(images, labels, at, options.seed)
        cells = measure_in_frame(backend, subjects, small, config, tell)
    figures = in_frame_figures(cells, name)
    return figures, in_frame_tables(figures)


_MEASURED = {"evaluate": _thumbnails, "in-frame": _in_frame, "faults": _faults, "maps": _maps}
