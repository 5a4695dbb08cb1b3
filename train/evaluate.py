"""`python -m train evaluate`: measure a model on FER2013, print it, and write it down."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fervid.backends import Backend, open_backend
from fervid.card import ModelCard, sha256
from fervid.checkpoint import load_model
from fervid.config import FaceConfig, FilterConfig, RunConfig
from fervid.errors import CardError, DataError, ModelLoadError
from fervid.filters import PAPER_CHOICE, FilterName
from fervid.network import ExpressionNet
from fervid.records import NOISE_KINDS
from train.data import CLASSES, Split, load_fer2013
from train.in_frame import (
    FRAME_SETTINGS,
    SIZES_PX,
    Subjects,
    in_frame_figures,
    in_frame_tables,
    measure_in_frame,
)
from train.metrics import rounded
from train.options import EvaluateOptions
from train.robustness import Plan, Tell
from train.tables import Table
from train.thumbnails import Probe, choose, measure_thumbnails, work

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
        measured = _in_frame if options.in_frame else _thumbnails
        figures, tables = measured(model, backend, load_fer2013(data), options, stderr)
    for table in tables:
        stdout.print(table.rich())
    about = {"model": about_model(model, backend.card), "options": _said(options)}
    return _write(model, about | figures, tables, options)


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
    weights = options.torch_model or _own_weights(model, backend.card)
    net = _torch_net(model, backend.card, weights) if weights else None
    of = "the model itself"
    if weights and weights != model:
        of = f"{weights.name}, the fp16 weights that {model.name} was made from"
    probe = Probe(net, options.snr_images, of)
    names = ("public", "private") if options.split == "both" else (options.split,)
    chosen = {n: choose(len(splits[n][1]), options.limit, options.seed) for n in names}
    with progress(work(chosen, probe), stderr) as tell:
        plan = deployed_plan(backend.card, options)
        return measure_thumbnails(backend, splits, chosen, plan, probe, tell)


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
    choice: dict[str, FilterName]
    if options.filter == "auto":
        choice = {**PAPER_CHOICE, **card.filters}  # type: ignore[dict-item]
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
    with progress(len(SIZES_PX) * len(FRAME_SETTINGS) * len(at), stderr) as tell:
        cells = measure_in_frame(backend, Subjects(*splits[name], at, options.seed), config, tell)
    figures = in_frame_figures(cells, name)
    return figures, in_frame_tables(figures)


@contextmanager
def progress(total: int, stderr: Console) -> Iterator[Tell]:
    """A bar with the time left; where stderr is no terminal, a line for each thing begun."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=stderr,
        disable=not stderr.is_terminal,
    )
    done = 0

    def tell(what: str, steps: int) -> None:
        nonlocal done
        done += steps
        bar.update(task, completed=done, description=what or None)
        if what and not stderr.is_terminal:
            stderr.print(f"{done} of {total}: {what}", highlight=False)

    with bar:
        task = bar.add_task("", total=total)
        yield tell


def about_model(model: Path, card: ModelCard) -> dict[str, Any]:
    """What the results are of."""
    return {
        "file": model.name,
        "sha256": sha256(model),
        "name": card.name,
        "precision": card.precision,
        "input_px": card.input_px,
        "temperature": card.temperature,
        "filters": dict(card.filters),
    }


def _said(options: EvaluateOptions) -> dict[str, Any]:
    names = ("in_frame", "split", "limit", "seed", "filter", "filter_set", "detector", "snr_images")
    return {name: getattr(options, name) for name in names}


def _stem(model: Path, options: EvaluateOptions) -> str:
    """The files' name; whatever is measured otherwise than by default gets its own."""
    parts = [f"{'in-frame' if options.in_frame else 'evaluate'}-{model.stem}"]
    if (options.filter, options.filter_set) != ("auto", "tuned"):
        parts += [options.filter, options.filter_set]
    usual = EvaluateOptions()
    for name, said in (
        ("detector", "{}"),
        ("split", "{}"),
        ("limit", "{}"),
        ("seed", "seed{}"),
        ("snr_images", "snr{}"),
    ):
        value = getattr(options, name)
        if value != getattr(usual, name):
            parts.append(said.format(value))
    return "-".join(parts)


def _write(
    model: Path, figures: Mapping[str, Any], tables: Sequence[Table], options: EvaluateOptions
) -> list[Path]:
    """Write JSON and Markdown."""
    stem = _stem(model, options)
    said = ", ".join(f"{name} {value}" for name, value in _said(options).items())
    about = figures["model"]
    head = (
        f"# {'Faces in video frames' if options.in_frame else 'Evaluation'}: {model.name}\n\n"
        f"Made by `python -m train evaluate`; {said}. Model {about['name']}, "
        f"{about['precision']}, {about['input_px']} px, SHA-256 `{about['sha256']}`."
    )
    return write_results(options.out, stem, figures, head, tables)


def write_results(
    out: Path, stem: str, figures: Mapping[str, Any], head: str, tables: Sequence[Table]
) -> list[Path]:
    """Write `<stem>.json` with rounded figures and `<stem>.md` with a head and tables.

    Raises:
        DataError: they cannot be written.
    """
    text = "\n\n".join([head, *(table.markdown() for table in tables)]) + "\n"
    files = [out / f"{stem}{suffix}" for suffix in (".json", ".md")]
    try:
        out.mkdir(parents=True, exist_ok=True)
        files[0].write_text(json.dumps(rounded(figures), indent=1) + "\n", encoding="utf-8")
        files[1].write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"The results cannot be written to {out} ({error}).") from error
    return files
