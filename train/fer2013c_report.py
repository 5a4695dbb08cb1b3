"""FER2013-C's figures: errors, mCE and relative mCE against a reference model, and their table.

Source: Hendrycks & Dietterich 2019, arXiv 1903.12261, section 4.1. With E the top-1 error of a
    model f on corruption c at severity s, and E_clean on clean pictures:
    CE_c = sum_s E_{s,c}^f / sum_s E_{s,c}^ref and
    relative CE_c = sum_s (E_{s,c}^f - E_clean^f) / sum_s (E_{s,c}^ref - E_clean^ref);
    mCE and relative mCE are their means over corruptions. The paper's reference is AlexNet, which
    says nothing of faces; here it is the model whose figures are given.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fervid.errors import DataError
from train.fer2013c import FAULTS, SEVERITIES
from train.robustness_tables import TITLES
from train.tables import Table, percent

GROUPS = ("all", "trained", "held out")


@dataclass(frozen=True, slots=True)
class Errors:
    """Top-1 errors of a model, 0-1.

    Attributes:
        pictures: which ones: the benchmark's version, split, number of images, seed.
        clean: error on the clean pictures.
        corrupted: corruption -> errors at severity 1 to 5.
        of: what was measured, for the text.
    """

    pictures: Mapping[str, Any]
    clean: float
    corrupted: Mapping[str, Sequence[float]]
    of: str = ""


def read_errors(path: Path) -> Errors:
    """The errors that `python -m train fer2013c measure` wrote.

    Raises:
        DataError: the file is missing or something else.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); check --reference.") from error
    try:
        figures = json.loads(text)
        corrupted = {name: [float(e) for e in figures["errors"][name]] for name in FAULTS}
        model = figures["model"]
        of = f"{model['file']} (SHA-256 {model['sha256'][:8]})"
        errors = Errors(dict(figures["pictures"]), float(figures["clean"]), corrupted, of)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} holds no figures of FER2013-C ({error!r}); give --reference a JSON file "
            "that `python -m train fer2013c measure` wrote."
        ) from error
    if any(len(row) != len(SEVERITIES) for row in errors.corrupted.values()):
        raise DataError(f"{path} has not five severities of each corruption; measure it again.")
    return errors


def corruption_error(ours: Errors, reference: Errors, name: str) -> float | None:
    """CE of a corruption, as a share; None where the reference makes no error."""
    below = sum(reference.corrupted[name])
    return sum(ours.corrupted[name]) / below if below > 0 else None


def relative_error(ours: Errors, reference: Errors, name: str) -> float | None:
    """Relative CE of a corruption, as a share; None where the reference loses nothing by it."""
    below = sum(error - reference.clean for error in reference.corrupted[name])
    above = sum(error - ours.clean for error in ours.corrupted[name])
    return above / below if below > 0 else None


def summarise(ours: Errors, reference: Errors | None) -> dict[str, Any]:
    """Mean errors, CE and mCE: for each corruption, and for all, trained and held-out families.

    Returns:
        "corruptions": name -> group, trained, mean_error, ce, relative_ce; "families": one of
        GROUPS -> corruptions, mean_error, mce, relative_mce. What is undefined is None.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, fault in FAULTS.items():
        rows[name] = {
            "group": fault.group,
            "trained": fault.trained,
            "mean_error": float(np.mean(ours.corrupted[name])),
            "ce": corruption_error(ours, reference, name) if reference else None,
            "relative_ce": relative_error(ours, reference, name) if reference else None,
        }
    families = {}
    for family in GROUPS:
        among = [r for r in rows.values() if family in ("all", _family(r))]
        families[family] = {"corruptions": len(among)} | {
            title: _mean([row[name] for row in among])
            for title, name in (
                ("mean_error", "mean_error"),
                ("mce", "ce"),
                ("relative_mce", "relative_ce"),
            )
        }
    return {"corruptions": rows, "families": families}


def _family(row: Mapping[str, Any]) -> str:
    return "trained" if row["trained"] else "held out"


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean; None where there are no values, or one of them is undefined."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def benchmark_tables(
    ours: Errors, summary: Mapping[str, Any], reference: Errors | None
) -> list[Table]:
    """Errors by corruption and severity, and the means of the families."""
    head = ("corruption", "family", *map(str, SEVERITIES), "mean", "CE", "relative CE")
    blank = ("-",) * (len(SEVERITIES) - 1)
    rows = [("clean", "", percent(ours.clean), *blank, percent(ours.clean), "-", "-")]
    for name, row in summary["corruptions"].items():
        rows.append(
            (
                name,
                _family(row),
                *map(percent, ours.corrupted[name]),
                *map(percent, (row["mean_error"], row["ce"], row["relative_ce"])),
            )
        )
    means = tuple(
        (
            family,
            str(part["corruptions"]),
            *(percent(part[name]) for name in ("mean_error", "mce", "relative_mce")),
        )
        for family, part in summary["families"].items()
    )
    pictures = ours.pictures
    title = f"FER2013-C of {pictures['images']:,} {TITLES[pictures['split']]} images"
    return [
        Table(
            f"{title}: means over severities and corruptions, %",
            ("families", "corruptions", "mean error", "mCE", "relative mCE"),
            means,
            _said_of(reference),
        ),
        Table(f"{title}: error % by severity", head, tuple(rows), FAMILIES_NOTE),
    ]


FAMILIES_NOTE = (
    "trained: the shipped model's training draws this fault or one like it (train/augment.py: "
    "FAMILIES, KINDS, and light jitter for brightness), whatever the measured model was trained "
    "on; held out: it draws nothing like it, though light and geometry jitter may help a little."
)


def _said_of(reference: Errors | None) -> str:
    if reference is None:
        return (
            "No reference model measured on the same pictures was given, so there is no mCE: "
            "name its JSON file with --reference."
        )
    return (
        f"CE and relative CE as in Hendrycks & Dietterich 2019, % of the reference's: "
        f"{reference.of}, clean error {percent(reference.clean)} %. "
        "A dash: the reference loses nothing by a corruption, so the ratio is undefined."
    )
