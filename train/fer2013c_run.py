"""`python -m train fer2013c generate | measure`: make the benchmark's pictures, measure a model."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fervid.backends import Backend
from fervid.errors import DataError
from train.data import Split, load_fer2013
from train.evaluate import deployed_plan, open_model
from train.fer2013c import FAULTS, SEVERITIES, VERSION, corrupt
from train.fer2013c_report import Errors, benchmark_tables, read_errors, summarise
from train.options import RESULTS, BenchmarkMeasure, BenchmarkOptions, EvaluateOptions
from train.results import about_model, write_results
from train.robustness import Plan, prepare_pictures, run_model
from train.telling import Tell, progress
from train.thumbnails import choose

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

REFERENCE = RESULTS / "fer2013c-reference.json"
CHUNK = 256  # pictures in memory at once, while a model is measured


def pictures_of(options: BenchmarkOptions, images: int) -> dict[str, Any]:
    """Which pictures are meant; figures can be compared where this is the same."""
    return {
        "version": VERSION,
        "split": options.split,
        "images": images,
        "seed": options.seed,
    }


def generate(data: Path, out: Path, options: BenchmarkOptions, stderr: Console) -> list[Path]:
    """Write the corrupted pictures of a split: 620 MB for all of PrivateTest.

    `<corruption>-<severity>.npy` hold uint8 (N, 48, 48), clean.npy the pictures as they were,
    labels.npy int64 (N,), indices.npy int64 (N,), the images' places in the split. manifest.json
    has seed, versions, levels and the SHA-256 of each corruption's pixels, so that others can tell
    whether they have the same pictures.

    Args:
        data: FER2013, as `load_fer2013` takes it.
        out: the folder; files of an earlier call are replaced.
        options: which images.
        stderr: gets the progress.

    Returns:
        The files.

    Raises:
        DataError: FER2013 cannot be read, or the files cannot be written.
    """
    images, labels = load_fer2013(data)[options.split]
    at = choose(len(labels), options.limit, options.seed)
    sums: dict[str, str] = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with progress(len(FAULTS) * len(SEVERITIES) * len(at), stderr) as tell:
            for name in FAULTS:
                tell(name, 0)
                for severity in SEVERITIES:
                    made = corrupted(images, at, name, severity, options.seed)
                    file = f"{name}-{severity}.npy"
                    np.save(out / file, made)
                    sums[file] = hashlib.sha256(made.tobytes()).hexdigest()
                    tell("", len(at))
        others: dict[str, NDArray[Any]] = {
            "clean.npy": images[at],
            "labels.npy": labels[at],
            "indices.npy": at,
        }
        for file, array in others.items():
            np.save(out / file, array)
        manifest = json.dumps(_manifest(options, len(at), sums), indent=1) + "\n"
        (out / "manifest.json").write_text(manifest, encoding="utf-8")
    except OSError as error:
        raise DataError(f"The pictures cannot be written to {out} ({error}).") from error
    return [out / file for file in (*sums, *others, "manifest.json")]


def _manifest(options: BenchmarkOptions, n: int, sums: Mapping[str, str]) -> dict[str, Any]:
    return {
        "benchmark": "FER2013-C",
        "pictures": pictures_of(options, n),
        "made_with": {"numpy": np.__version__, "opencv": cv2.__version__},
        "levels": {name: {fault.unit: fault.levels} for name, fault in FAULTS.items()},
        "sha256": sums,
    }


def corrupted(images: U8, at: I64, name: str, severity: int, seed: int) -> U8:
    """The chosen images under a corruption.

    Args:
        images: uint8 (M, 48, 48), a whole split.
        at: int64 (N,), which of them.
        name: of the corruption.
        severity: 1 to 5.
        seed: of the benchmark.

    Returns:
        uint8 (N, 48, 48).
    """
    return np.stack([corrupt(images[i], name, severity, seed, int(i)) for i in at])


def measure(
    model: Path, data: Path, options: BenchmarkMeasure, stdout: Console, stderr: Console
) -> list[Path]:
    """Measure a model through the deployed path: noise estimate, filter, eta, network.

    Args:
        model: .onnx or .safetensors with a card.
        data: FER2013, as `load_fer2013` takes it.
        options: which pictures, the reference, and where the results go.
        stdout: gets the tables.
        stderr: gets the progress.

    Returns:
        The JSON and the Markdown file that were written.

    Raises:
        ModelError: the model cannot be loaded, or knows other classes than FER2013.
        DataError: FER2013 or the reference cannot be read, the reference is of other pictures, or
            the results cannot be written.
    """
    split = load_fer2013(data)[options.split]
    at = choose(len(split[1]), options.limit, options.seed)
    reference = _reference(options, len(at))
    with open_model(model) as backend:
        plan = deployed_plan(backend.card, EvaluateOptions(seed=options.seed))
        total = (1 + len(FAULTS) * len(SEVERITIES)) * len(at)
        with progress(total, stderr) as tell:
            clean, errors = measure_errors(backend, split, at, plan, tell)
        about = about_model(model, backend.card)
    ours = Errors(pictures_of(options, len(at)), clean, errors)
    summary = summarise(ours, reference)
    tables = benchmark_tables(ours, summary, reference)
    for table in tables:
        stdout.print(table.rich())
    figures = {
        "benchmark": "FER2013-C",
        "pictures": ours.pictures,
        "model": about,
        "clean": clean,
        "errors": errors,
        "reference": reference.of if reference else None,
    } | summary
    head = (
        f"# FER2013-C: {model.name}\n\nMade by `python -m train fer2013c measure`; split "
        f"{options.split}, limit {options.limit}, seed {options.seed}. Model {about['name']}, "
        f"{about['precision']}, {about['input_px']} px, SHA-256 `{about['sha256']}`."
    )
    return write_results(options.out, _stem(model, options), figures, head, tables)


def measure_errors(
    backend: Backend, split: Split, at: I64, plan: Plan, tell: Tell
) -> tuple[float, dict[str, list[float]]]:
    """Errors of a model, 0-1.

    Args:
        backend: the model.
        split: images uint8 (M, 48, 48) and labels int64 (M,).
        at: int64 (N,), which of them.
        plan: how they reach the network; its seed is the benchmark's.
        tell: is told of progress.

    Returns:
        The error on clean pictures, and corruption -> errors at severity 1 to 5.
    """
    images, labels = split
    parts = [at[start : start + CHUNK] for start in range(0, len(at), CHUNK)]

    def error(name: str, severity: int) -> float:
        wrong = 0
        for part in parts:
            pictures = images[part]
            if name != "clean":
                pictures = corrupted(images, part, name, severity, plan.seed)
            own = np.full(len(part), -1, np.int64)
            output = run_model(backend, prepare_pictures(list(pictures), plan), own, tell)
            wrong += int((output.logits.argmax(1) != labels[part]).sum())
        return wrong / len(at)

    tell("clean", 0)
    clean = error("clean", 0)
    errors = {}
    for name in FAULTS:
        tell(name, 0)
        errors[name] = [error(name, severity) for severity in SEVERITIES]
    return clean, errors


def _reference(options: BenchmarkMeasure, images: int) -> Errors | None:
    """The reference that was named, or the repository's where it is of the same pictures."""
    path = options.reference or (REFERENCE if REFERENCE.is_file() else None)
    if path is None:
        return None
    reference, wanted = read_errors(path), pictures_of(options, images)
    if reference.pictures == wanted:
        return reference
    if options.reference is None:
        return None
    raise DataError(
        f"{path} was measured on other pictures ({_listed(reference.pictures)}, not "
        f"{_listed(wanted)}); measure the reference with the same options."
    )


def _listed(pictures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pictures.items())


def _stem(model: Path, options: BenchmarkMeasure) -> str:
    """The files' name; what is measured otherwise than by default gets its own."""
    usual, parts = BenchmarkMeasure(), [f"fer2013c-{model.stem}"]
    for name, said in (("split", "{}"), ("limit", "{}"), ("seed", "seed{}")):
        if (value := getattr(options, name)) != getattr(usual, name):
            parts.append(said.format(value))
    return "-".join(parts)
