"""Folders of labelled faces, `FOLDER/<class>/*.jpg`: which folder is which class.

Data sets name the same expressions differently; what has no counterpart among a model's classes is
listed as skipped. Numbers are no names: RAF-DB's 1 to 7, FER2013's 0 to 6 and AffectNet's 0 to 7
mean different classes, so such folders are to be renamed by whoever knows which it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid import probe
from fervid.errors import DataError
from fervid.images import is_image, natural

I64 = NDArray[np.int64]

# Each row is one class, by the names under which data sets have it.
SYNONYMS: tuple[frozenset[str], ...] = tuple(
    map(
        frozenset,
        (
            ("angry", "anger"),
            ("disgust", "disgusted"),
            ("fear", "fearful", "afraid"),
            ("happy", "happiness"),
            ("sad", "sadness"),
            ("surprise", "surprised"),
            ("neutral",),
        ),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFolder:
    """Pictures of faces with their classes.

    Attributes:
        files: N pictures, in natural order.
        labels: int64 (N,), places in the model's classes.
        matched: name of a folder -> class it was taken for.
        skipped: folders that are none of the model's classes -> how many pictures they hold.
    """

    files: tuple[Path, ...]
    labels: I64
    matched: Mapping[str, str]
    skipped: Mapping[str, int]


def class_of(name: str, classes: Sequence[str]) -> int | None:
    """The place of the class that a folder's name means; None: it is none of them."""
    word = name.strip().casefold()
    same = next((row for row in SYNONYMS if word in row), frozenset((word,)))
    return next((k for k, known in enumerate(classes) if known.casefold() in same), None)


def find_labelled(folder: Path, classes: Sequence[str]) -> LabelledFolder:
    """The labelled pictures of a folder; hidden files and what is no picture are passed over.

    Args:
        folder: holds a folder for each class.
        classes: of the model.

    Raises:
        DataError: there is no such folder, it cannot be read, none of its folders is a class, or
            there is no picture in those that are.
    """
    if not probe.is_folder(folder):
        raise DataError(f"There is no folder {folder}; give one that holds a folder per class.")
    try:
        inside = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: natural(p.name))
        inside = [p for p in inside if not p.name.startswith(".")]
        found = {p: class_of(p.name, classes) for p in inside}
        pictures = {p: _pictures(p) for p in inside}
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error}); check its permissions.") from error
    wanted = f"the model's classes ({', '.join(classes)})"
    if all(k is None for k in found.values()):
        has = ", ".join(p.name for p in inside) or "no folders"
        raise DataError(f"{folder} has no folder named as one of {wanted}; it has {has}.")
    pairs = [(file, k) for p, k in found.items() if k is not None for file in pictures[p]]
    if not pairs:
        raise DataError(f"{folder}'s class folders hold no pictures; put them right inside.")
    return LabelledFolder(
        files=tuple(file for file, _ in pairs),
        labels=np.array([k for _, k in pairs], np.int64),
        matched={p.name: classes[k] for p, k in found.items() if k is not None},
        skipped={p.name: len(pictures[p]) for p, k in found.items() if k is None},
    )


def _pictures(folder: Path) -> list[Path]:
    found = (p for p in folder.iterdir() if is_image(p) and not p.name.startswith("."))
    return sorted((p for p in found if p.is_file()), key=lambda p: natural(p.name))
