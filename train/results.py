"""Where a measurement is written, and what it says of itself."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fervid.card import ModelCard, sha256
from fervid.errors import DataError, SinkError
from fervid.sinks.text import write_whole
from train.metrics import rounded
from train.options import EvaluateOptions
from train.tables import Table

FORMAT = 2  # of the files; what is of another one is measured again
TITLES = {
    "evaluate": "Evaluation",
    "in-frame": "Faces in video frames",
    "faults": "Faults of poor video",
    "maps": "Heatmaps",
}
SAID = (
    "in_frame",
    "faults",
    "maps",
    "split",
    "limit",
    "seed",
    "filter",
    "filter_set",
    "detector",
    "snr_images",
)


def protocol(options: EvaluateOptions) -> str:
    """Which measurement it is; the first part of the files' name."""
    flags = {"in-frame": options.in_frame, "faults": options.faults, "maps": options.maps}
    return next((name for name, asked in flags.items() if asked), "evaluate")


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
    return {name: getattr(options, name) for name in SAID}


def stem(model: Path, options: EvaluateOptions) -> str:
    """The files' name; whatever is measured otherwise than by default gets its own."""
    parts = [f"{protocol(options)}-{model.stem}"]
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


def write(
    model: Path,
    card: ModelCard,
    figures: Mapping[str, Any],
    tables: Sequence[Table],
    options: EvaluateOptions,
) -> list[Path]:
    """Write JSON and Markdown.

    Raises:
        DataError: they cannot be written.
    """
    about = about_model(model, card)
    figures = {"format": FORMAT, "model": about, "options": _said(options), **figures}
    name = stem(model, options)
    said = ", ".join(f"{name} {value}" for name, value in _said(options).items())
    head = (
        f"# {TITLES[protocol(options)]}: {model.name}\n\n"
        f"Made by `python -m train evaluate`; {said}. Model {about['name']}, "
        f"{about['precision']}, {about['input_px']} px, SHA-256 `{about['sha256']}`."
    )
    return write_results(options.out, name, figures, head, tables)


def write_results(
    out: Path, name: str, figures: Mapping[str, Any], head: str, tables: Sequence[Table]
) -> list[Path]:
    """Write `<name>.json` with rounded figures and `<name>.md` with a head and tables.

    Raises:
        DataError: they cannot be written.
    """
    text = "\n\n".join([head, *(table.markdown() for table in tables)]) + "\n"
    files = [out / f"{name}{suffix}" for suffix in (".json", ".md")]
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(files[0], json.dumps(rounded(figures), indent=1) + "\n")
        write_whole(files[1], text)
    except (OSError, SinkError) as error:
        raise DataError(f"The results cannot be written to {out} ({error}).") from error
    return files
