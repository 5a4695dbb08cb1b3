"""What `train.score` measured, as figures for JSON and as tables for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.records import F32
from train.calibration import BINS, calibration_error, calibration_interval
from train.metrics import accuracy_interval
from train.tables import Table, figure, percent

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST = 10 * BINS  # faces under which nothing is said of calibration
LISTED = 20  # pictures that the tables name; JSON has all


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a model said of N pictures that could be read.

    labels int64 (N,); probabilities float32 (N, K), calibrated, all 0 where no face was found;
    found, uncertain bool (N,); `unreadable`: name and reason of each picture that could not.
    """

    labels: I64
    probabilities: F32
    found: Bools
    uncertain: Bools
    unreadable: tuple[tuple[str, str], ...]


def score_figures(
    judged: Judged, classes: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """All figures of a folder.

    A face that was not found counts as wrong, except in `accuracy_found`; `uncertain` and `ece`
    are of the faces found. `mean_recall` is over the classes that the folder has.

    Args:
        judged: N pictures.
        classes: K names, in the order of the probabilities.
        rng: resamples the pictures for the interval of the calibration error.
    """
    labels, found, k = judged.labels, judged.found, len(classes)
    predicted = np.where(found, judged.probabilities.argmax(1), k)
    right = predicted == labels
    confusion = np.zeros((k, k + 1), np.int64)  # the last column: no face found
    np.add.at(confusion, (labels, predicted), 1)
    rows = [_class_row(name, confusion[i], i) for i, name in enumerate(classes)]
    recalls = [row["recall"] for row in rows if row["recall"] is not None]
    return {
        "images": len(labels),
        "found": float(found.mean()),
        "accuracy": float(right.mean()),
        "accuracy_95": accuracy_interval(right),
        "accuracy_found": float(right[found].mean()) if found.any() else None,
        "mean_recall": float(np.mean(recalls)),
        "classes": list(classes),
        "per_class": rows,
        "confusion": confusion,
        "uncertain": float(judged.uncertain[found].mean()) if found.any() else None,
        "calibration": _calibration(judged.probabilities[found].max(1), right[found], rng),
    }


def _class_row(name: str, counts: I64, place: int) -> dict[str, Any]:
    """A class from its row of the confusion matrix; recall is None where it has no pictures."""
    images, seen = int(counts.sum()), int(counts[:-1].sum())
    return {
        "class": name,
        "images": images,
        "found": seen / images if images else None,
        "recall": int(counts[place]) / images if images else None,
    }


def _calibration(confidence: F32, right: Bools, rng: np.random.Generator) -> dict[str, Any] | None:
    """ECE with its 95 % interval; None with fewer than FEWEST faces."""
    if len(right) < FEWEST:
        return None
    low, high = calibration_interval(confidence[None], right[None], rng)
    error = asdict(calibration_error(confidence, right))
    return error | {"debiased_95": [low, high], "confidence": float(confidence.mean())}


def score_tables(figures: Mapping[str, Any]) -> list[Table]:
    """The whole, the classes, the confusion matrix, and what was left out."""
    title = f"{figures['folder']}: {figures['images']:,} labelled faces"
    return [_whole_table(title, figures), *_class_tables(figures), *_left_out(figures)]


def _whole_table(title: str, figures: Mapping[str, Any]) -> Table:
    low, high = figures["accuracy_95"]
    ece = figures["calibration"]
    rows = [
        ("images", f"{figures['images']:,}"),
        ("face found %", "not looked for" if _crops(figures) else percent(figures["found"])),
        ("accuracy %, not found is wrong", percent(figures["accuracy"])),
        ("  95 % interval", f"{percent(low)} - {percent(high)}"),
        ("accuracy % of faces found", percent(figures["accuracy_found"])),
        ("mean recall % of the classes", percent(figures["mean_recall"])),
        ("uncertain % of faces found", percent(figures["uncertain"])),
        ("ECE, debiased", figure(ece["debiased"]) if ece else f"fewer than {FEWEST} faces"),
    ]
    if ece:
        rows += [
            ("  95 % interval", " - ".join(map(figure, ece["debiased_95"]))),
            ("  plain", figure(ece["plain"])),
            ("  plain, by chance alone", figure(ece["chance"])),
        ]
    note = "Confidence is calibrated by the model's card, as fervid shows it."
    return Table(title, ("figure", "value"), tuple(rows), note)


def _crops(figures: Mapping[str, Any]) -> bool:
    return bool(figures["options"]["crops"])


def _class_tables(figures: Mapping[str, Any]) -> list[Table]:
    classes = figures["classes"]
    rows = tuple(
        (r["class"], f"{r['images']:,}", percent(r["found"]), percent(r["recall"]))
        for r in figures["per_class"]
    )
    matrix = tuple(
        (name, *map(str, counts))
        for name, counts in zip(classes, figures["confusion"], strict=True)
    )
    return [
        Table("By class", ("class", "images", "found %", "recall %"), rows),
        Table("Confusion: labelled (down), said (across)", ("", *classes, "no face"), matrix),
    ]


def _left_out(figures: Mapping[str, Any]) -> list[Table]:
    """Folders that are no class of the model, and pictures that could not be used."""
    tables = []
    if figures["skipped"]:
        rows = tuple((name, f"{count:,}") for name, count in figures["skipped"].items())
        note = "They are none of the model's classes; their pictures are in no figure."
        tables.append(Table("Folders skipped", ("folder", "pictures"), rows, note))
    if figures["unreadable"]:
        count = len(figures["unreadable"])
        rows = tuple(tuple(row) for row in figures["unreadable"][:LISTED])
        note = f"{count:,} in all, in no figure" + (
            f"; the first {LISTED} are listed." if count > LISTED else "."
        )
        tables.append(Table("Pictures that could not be used", ("picture", "why"), rows, note))
    return tables
