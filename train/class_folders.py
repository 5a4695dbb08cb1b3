"""Labelled faces of one's own, `FOLDER/CLASS/*.jpg`: any classes, read as FER2013 is.

The pictures are faces that are framed already (`python -m train faces` cuts them out of larger
ones). One in five of each class is held out, the same ones each time; what a model is used with is
chosen on them, as on FER2013's PublicTest.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid import open_source, probe
from fervid.card import LONGEST_NAME, MOST_CLASSES
from fervid.errors import DataError, SourceError
from fervid.images import is_image, natural

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

SIDE = 48  # px of the pictures in memory, as FER2013's
HELD_OUT = 5  # of so many pictures of a class one is held out
FEWEST = 5  # pictures of a class
OFFICIAL = re.compile(r"(Training|PublicTest|PrivateTest)_\d+")  # FER2013's own names


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFaces:
    """Faces with their classes.

    Attributes:
        classes: K names, those of the folders.
        train: uint8 (N, 48, 48) and labels int64 (N,).
        held_out: the same of the pictures that training does not see.
    """

    classes: tuple[str, ...]
    train: tuple[U8, I64]
    held_out: tuple[U8, I64]


def is_class_folders(path: Path) -> bool:
    """Whether a folder holds folders of pictures, and none is named as FER2013's are."""
    if not probe.is_folder(path):
        return False
    found = [file for folder in _folders(path) for file in _pictures(folder)]
    return bool(found) and not any(OFFICIAL.fullmatch(file.stem) for file in found)


def load_class_folders(path: Path) -> LabelledFaces:
    """Read a folder of class folders.

    Args:
        path: holds a folder for each class, whose name is the class's.

    Raises:
        DataError: fewer than two classes, a name that no card may hold, a class of fewer than 5
            pictures, or a picture that cannot be read or is not square.
    """
    folders = _folders(path)
    files = [_pictures(folder) for folder in folders]
    names = tuple(folder.name for folder in folders)
    _check(path, names, [len(found) for found in files])
    train: list[tuple[U8, int]] = []
    held_out: list[tuple[U8, int]] = []
    for label, found in enumerate(files):
        for file, rank in zip(found, _ranks(found), strict=True):
            (held_out if rank % HELD_OUT == 0 else train).append((_face(file), label))
    return LabelledFaces(names, _stack(train), _stack(held_out))


def _folders(path: Path) -> list[Path]:
    inside = (p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    return sorted(inside, key=lambda p: natural(p.name))


def _pictures(folder: Path) -> list[Path]:
    found = (p for p in folder.iterdir() if is_image(p) and not p.name.startswith("."))
    return sorted((p for p in found if p.is_file()), key=lambda p: (natural(p.name), p.name))


def _check(path: Path, names: Sequence[str], counts: Sequence[int]) -> None:
    """Stop where the classes are none that a model can have.

    Raises:
        DataError: so it is.
    """
    if not 2 <= len(names) <= MOST_CLASSES:
        raise DataError(
            f"{path} holds {len(names)} folders with names of their own; give one that holds a "
            f"folder for each class, 2 to {MOST_CLASSES} of them."
        )
    for name, count in zip(names, counts, strict=True):
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise DataError(
                f"{path / name!r} is no name for a class; a class has 1 to {LONGEST_NAME} "
                "printable letters, so rename the folder."
            )
        if count < FEWEST:
            raise DataError(
                f"{path / name} holds {count} pictures and a class needs {FEWEST}; add some, or "
                "take the folder away."
            )


def _ranks(files: Sequence[Path]) -> list[int]:
    """A place for each file that depends on the names alone, as if they were shuffled."""
    names = [f"{file.parent.name}/{file.name}" for file in files]
    keys = [hashlib.sha256(os.fsencode(name)).digest() for name in names]
    places = {key: place for place, key in enumerate(sorted(keys))}
    return [places[key] for key in keys]


def _face(file: Path) -> U8:
    """A framed face, grey uint8 (48, 48).

    Raises:
        DataError: it cannot be read, or is not square.
    """
    try:
        with open_source(str(file)) as source:
            bgr = next(iter(source)).bgr
    except SourceError as error:
        raise DataError(f"{error} Mend the picture, or take it away.") from error
    h, w = bgr.shape[:2]
    if abs(h - w) > 1:
        raise DataError(
            f"{file} is {w} x {h} px, and a face that is framed already is square; cut faces out "
            "of whole pictures with `python -m train faces`."
        )
    gray = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    how = cv2.INTER_AREA if h > SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(gray, (SIDE, SIDE), interpolation=how), np.uint8)


def _stack(rows: Sequence[tuple[U8, int]]) -> tuple[U8, I64]:
    return np.stack([face for face, _ in rows]), np.array([label for _, label in rows], np.int64)
