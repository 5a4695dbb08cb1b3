"""The commands of `python -m train` that measure; imports nothing heavy."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from train.options import (
    RESULTS,
    BenchmarkMeasure,
    BenchmarkOptions,
    EvaluateOptions,
    ReportOptions,
    ScoreOptions,
)

MODEL = Path(__file__).parents[1] / "fervid" / "models" / "fervid-int8.onnx"
PAGE = 160  # columns of tables in a file or a pipe

app = App()


def _page() -> Console:
    return Console(width=None if sys.stdout.isatty() else PAGE)


def written(files: Sequence[Path]) -> None:
    """Say which files were written."""
    said = f"written: {', '.join(map(str, files))}"
    Console(stderr=True).print(said, highlight=False, soft_wrap=True)


@app.command
def evaluate(
    model: Path,
    *,
    data: Path,
    options: Annotated[EvaluateOptions | None, Parameter(name="*")] = None,
) -> None:
    """Measure a model on FER2013's test images: clean and under the paper's nine noise settings.

    Prints tables and writes them as JSON and Markdown.

    Args:
        model: an .onnx or .safetensors file with a card.
        data: FER2013: the zip, the unpacked folder or the CSV.
        options: what is measured, and how.
    """
    from train.evaluate import evaluate as run

    written(run(model, data, options or EvaluateOptions(), _page(), Console(stderr=True)))


@app.command
def report(
    *,
    data: Path,
    model: Path = MODEL,
    options: Annotated[ReportOptions | None, Parameter(name="*")] = None,
) -> None:
    """Measure everything that is said of the model, and write docs/results/report.md.

    What is measured already, of these very weights, is kept.

    Args:
        data: FER2013: the zip, the unpacked folder or the CSV.
        model: the .onnx file; its .safetensors is looked for beside it.
        options: what the report is of.
    """
    from train.report import report as run

    written(run(model, data, options or ReportOptions(), _page(), Console(stderr=True)))


@app.command
def noise_check(
    *,
    data: Path,
    extra: Path | None = None,
    limit: int | None = None,
    out: Path = RESULTS,
    seed: int = 0,
) -> None:
    """Check the noise estimator on held-out pictures, real clips and real camera noise.

    Args:
        data: FER2013: the zip, the unpacked folder or the CSV.
        extra: folder of clips/, groups/ and real_noise/; by default the one that the data lie in.
        limit: measure so many pictures of each kind of material.
        out: folder of the results.
        seed: of the noise.
    """
    from train.noise_check import CheckOptions
    from train.noise_check import noise_check as run

    options = CheckOptions(extra=extra or data.parent, limit=limit, out=out, seed=seed)
    written(run(data, options, _page()))


@app.command
def noise_harm(
    model: Path, *, data: Path, limit: int | None = None, out: Path = RESULTS, seed: int = 0
) -> None:
    """Measure the filter chosen by the noise against none, where the estimate may fail.

    Args:
        model: an .onnx or .safetensors file with a card.
        data: FER2013: the zip, the unpacked folder or the CSV.
        limit: measure a seeded choice of so many images.
        out: folder of the results.
        seed: of the noise and of every choice.
    """
    from train.noise_harm import noise_harm as run

    written(run(model, data, _page(), limit, out, seed))


@app.command
def remedies(model: Path, *, data: Path, limit: int | None = None, out: Path = RESULTS) -> None:
    """Measure what helps against blocking, blur and darkness, on PublicTest.

    Args:
        model: an .onnx or .safetensors file with a card.
        data: FER2013: the zip, the unpacked folder or the CSV.
        limit: measure a seeded choice of so many images.
        out: folder of the results.
    """
    from train.remedies import remedies as run

    written(run(model, data, _page(), limit, out))


@app.command
def score(
    folder: Path,
    *,
    model: Path = MODEL,
    options: Annotated[ScoreOptions | None, Parameter(name="*")] = None,
) -> None:
    """Measure a model on any folder of labelled faces, FOLDER/CLASS/*.jpg, detector included.

    Prints tables and writes them as JSON and Markdown.

    Args:
        folder: holds a folder for each class; common synonyms of their names are known.
        model: an .onnx or .safetensors file with a card.
        options: how.
    """
    from train.score import score as run

    written(run(folder, model, options or ScoreOptions(), _page(), Console(stderr=True)))


bench = App(name="fer2013c", help="FER2013-C: FER2013 under 15 corruptions, five severities each.")
app.command(bench)


@bench.command
def generate(
    *,
    data: Path,
    out: Path,
    options: Annotated[BenchmarkOptions | None, Parameter(name="*")] = None,
) -> None:
    """Write the benchmark's pictures: 620 MB for all of PrivateTest.

    Args:
        data: FER2013: the zip, the unpacked folder or the CSV.
        out: folder of the .npy files, labels and a manifest with their checksums.
        options: which images.
    """
    from train.fer2013c_run import generate as run

    written(run(data, out, options or BenchmarkOptions(), Console(stderr=True))[-1:])


@bench.command(name="measure")
def measure_benchmark(
    model: Path,
    *,
    data: Path,
    options: Annotated[BenchmarkMeasure | None, Parameter(name="*")] = None,
) -> None:
    """Measure a model on the benchmark: errors, and mCE against a reference model.

    Prints tables and writes them as JSON and Markdown.

    Args:
        model: an .onnx or .safetensors file with a card.
        data: FER2013: the zip, the unpacked folder or the CSV.
        options: which images, the reference, and where the results go.
    """
    from train.fer2013c_run import measure as run

    written(run(model, data, options or BenchmarkMeasure(), _page(), Console(stderr=True)))
