"""`python -m train score`: a model on any folder of labelled faces, through the whole runtime.

With the detector, every picture is a source of its own and its largest face is judged; with
`crops` the pictures are faces already, framed as FER2013's, and reach the network as those do.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fervid import Frame, Pipeline, open_source
from fervid.backends import Backend, open_backend
from fervid.card import ModelCard
from fervid.config import FaceConfig, LabelConfig, RunConfig
from fervid.errors import DataError, SourceError
from fervid.labels import calibrate, doubts
from fervid.records import F32, Faces
from train.evaluate import deployed_plan
from train.labelled import LabelledFolder, find_labelled
from train.options import EvaluateOptions, ScoreOptions
from train.results import about_model, write_results
from train.robustness import Plan, prepare_pictures, run_model
from train.score_report import Judged, score_figures, score_tables
from train.telling import Tell, progress
from train.thumbnails import choose

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]


# Calibrated probabilities float32 (K,) and whether the label is uncertain; None: no face.
Verdict = tuple[F32, bool] | None
Judge = Callable[[U8], Verdict]


def score(
    folder: Path, model: Path, options: ScoreOptions, stdout: Console, stderr: Console
) -> list[Path]:
    """Measure a model on a folder of labelled faces.

    Args:
        folder: holds a folder for each class.
        model: .onnx or .safetensors with a card.
        options: how.
        stdout: gets the tables.
        stderr: gets the progress.

    Returns:
        The JSON and the Markdown file that were written.

    Raises:
        ModelError: the model cannot be loaded.
        DataError: the folder holds no labelled pictures that can be read, or the results cannot
            be written.
    """
    backend = open_backend(model)
    try:
        card = backend.card
        labelled = find_labelled(folder, card.classes)
        at = choose(len(labelled.files), options.limit, options.seed)
        with judging(backend, options) as judge, progress(len(at), stderr) as tell:
            judged = judge_pictures(labelled, at, judge, card, tell)
    finally:
        backend.close()
    figures = {
        "folder": _name(folder),
        "options": {
            name: getattr(options, name) for name in ("crops", "limit", "seed", "detector")
        },
        "model": about_model(model, card),
        "matched": labelled.matched,
        "skipped": labelled.skipped,
        "unreadable": judged.unreadable,
    } | score_figures(judged, card.classes, np.random.default_rng(options.seed))
    tables = score_tables(figures)
    for table in tables:
        stdout.print(table.rich())
    return write_results(
        options.out, _stem(folder, model, options), figures, _head(figures), tables
    )


@contextmanager
def judging(backend: Backend, options: ScoreOptions) -> Iterator[Judge]:
    """What judges pictures: the pipeline with its detector, or the path of framed faces."""
    if options.crops:
        plan = deployed_plan(backend.card, EvaluateOptions())
        yield lambda bgr: judge_crop(bgr, backend, plan)
        return
    config = RunConfig(faces=FaceConfig(detector=options.detector, max_faces=1))
    with Pipeline(config, backend) as pipeline:
        yield lambda bgr: judge_largest(bgr, pipeline)


def judge_largest(bgr: U8, pipeline: Pipeline) -> Verdict:
    """The largest face of a picture BGR uint8 (H, W, 3), which is a source of its own."""
    pipeline.forget()
    result = pipeline.process(Frame(0, 0.0, bgr))
    if not len(result.faces):
        return None
    return result.probabilities[0], bool(result.uncertain[0])


def judge_crop(bgr: U8, backend: Backend, plan: Plan) -> tuple[F32, bool]:
    """A square picture BGR uint8 (n, n, 3) that is the network's region already.

    Raises:
        DataError: it is not square.
    """
    h, w = bgr.shape[:2]
    if h != w:
        raise DataError(f"it is {w} x {h} px, and a face that is framed already is square")
    gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
    prepared = prepare_pictures([gray], plan)
    output = run_model(backend, prepared, np.full(1, -1, np.int64), _silent)
    p = calibrate(output.logits, prepared.eta, prepared.crops, plan.card)
    side = h / plan.card.crop_scale  # of the box that a detector would have given
    box = np.array([[0, 0, side, side]], np.float32)
    eyes = np.zeros((1, 2, 2), np.float32)
    face = Faces(box, np.ones(1, np.float32), eyes, np.full(1, -1, np.int64))
    reasons = doubts(p, face, prepared.crops, LabelConfig(), plan.card)
    return p[0], bool(reasons[0])


def _silent(what: str, steps: int) -> None:
    """Nothing is told of a single picture."""


def judge_pictures(
    labelled: LabelledFolder, at: I64, judge: Judge, card: ModelCard, tell: Tell
) -> Judged:
    """Read the chosen pictures and have each judged.

    Args:
        labelled: the pictures.
        at: int64 (N,), which of them.
        judge: says what it sees.
        card: the model's, for the number of classes.
        tell: is told of progress.

    Raises:
        DataError: not one picture can be read.
    """
    rows: list[tuple[int, Verdict]] = []
    unreadable: list[tuple[str, str]] = []
    tell("pictures", 0)
    for index in at:
        file = labelled.files[index]
        try:
            rows.append((int(labelled.labels[index]), judge(_read(file))))
        except (SourceError, DataError) as error:
            why = str(error).replace(str(file), file.name)  # results are shown to others
            unreadable.append((f"{file.parent.name}/{file.name}", why))
        tell("", 1)
    if not rows:
        name, why = unreadable[0]
        raise DataError(f"Not one of {len(unreadable)} pictures can be used; {name}: {why}")
    nothing = np.zeros(len(card.classes), np.float32), False
    said = [answer or nothing for _, answer in rows]
    return Judged(
        labels=np.array([label for label, _ in rows], np.int64),
        probabilities=np.stack([p for p, _ in said]),
        found=np.array([answer is not None for _, answer in rows], np.bool_),
        uncertain=np.array([doubt for _, doubt in said], np.bool_),
        unreadable=tuple(unreadable),
    )


def _read(file: Path) -> U8:
    """A picture as fervid reads it, BGR uint8 (H, W, 3), upright."""
    with open_source(str(file)) as source:
        return next(iter(source)).bgr


def _name(folder: Path) -> str:
    return folder.resolve().name or "root"


def _stem(folder: Path, model: Path, options: ScoreOptions) -> str:
    """The files' name; what is measured otherwise than by default gets its own."""
    usual, parts = ScoreOptions(), [f"score-{model.stem}-{_name(folder)}"]
    parts += ["crops"] if options.crops else []
    for name, said in (("detector", "{}"), ("limit", "{}"), ("seed", "seed{}")):
        if (value := getattr(options, name)) != getattr(usual, name):
            parts.append(said.format(value))
    return "-".join(parts)


def _head(figures: dict[str, Any]) -> str:
    said = ", ".join(f"{name} {value}" for name, value in figures["options"].items())
    about = figures["model"]
    lines = [
        f"# Labelled faces: {figures['folder']}",
        f"Made by `python -m train score`; {said}. Model {about['name']} ({about['file']}), "
        f"{about['precision']}, {about['input_px']} px, SHA-256 `{about['sha256']}`.",
        f"Folders: {', '.join(_as(*pair) for pair in figures['matched'].items())}.",
    ]
    return "\n\n".join(lines)


def _as(folder: str, name: str) -> str:
    return folder if folder == name else f"{folder} as {name}"
