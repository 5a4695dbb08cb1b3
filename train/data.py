"""Labelled faces as arrays: FER2013 in all its forms, or folders of one's own."""

import csv
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.card import ModelCard
from fervid.errors import DataError
from train.class_folders import is_class_folders, load_class_folders

# FER2013's own order of classes; also the order of the network's outputs.
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SPLITS = {"Training": "train", "PublicTest": "public", "PrivateTest": "private"}
PICTURES = (".jpg", ".png")
SIZES = {"train": 28709, "public": 3589, "private": 3589}

# What `zipfile` raises: no zip, damaged members, a way of packing it cannot read, a password.
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)

Split = tuple[NDArray[np.uint8], NDArray[np.int64]]
FER2013_LICENCE, OWN_LICENCE = "LicenseRef-FER2013-weights", "LicenseRef-own-data"


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What a network learns from and is chosen on.

    Attributes:
        classes: K names, in the order of the network's outputs.
        splits: "train" and "public" (held out), of FER2013 also "private".
        about: in words, for the card.
        licence: SPDX expression for the weights that learn from it.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    about: str
    licence: str


def load_data(path: Path) -> Data:
    """Read labelled faces.

    Args:
        path: FER2013 as `load_fer2013` takes it, or a folder of one's own, FOLDER/CLASS/*.jpg.

    Raises:
        DataError: it cannot be read.
    """
    if is_class_folders(path):
        own = load_class_folders(path)
        seen, kept = len(own.train[1]), len(own.held_out[1])
        about = f"{seen} pictures of {len(own.classes)} classes of one's own, {kept} held out"
        splits = {"train": own.train, "public": own.held_out}
        return Data(own.classes, splits, about, OWN_LICENCE)
    about = "FER2013, 28,709 training images (Goodfellow et al. 2013)"
    return Data(CLASSES, load_fer2013(path), about, FER2013_LICENCE)


def check_classes(data: Data, card: ModelCard) -> None:
    """Refuse data whose labels mean other classes than a model's outputs.

    Raises:
        DataError: so it is.
    """
    if data.classes != card.classes:
        raise DataError(
            f"The data have the classes {', '.join(data.classes)}, and {card.name} knows "
            f"{', '.join(card.classes)}; give the data that it was trained on."
        )


def load_fer2013(path: Path) -> dict[str, Split]:
    """Read all of FER2013.

    Args:
        path: the zip or unpacked folder with `<split>/<class>/<Split>_<n>.jpg`, or fer2013.csv.

    Returns:
        "train", "public" (validation) and "private" (test), each with images uint8 (N, 48, 48)
        and labels int64 (N,), in the order of the numbers in the file names or of the CSV.

    Raises:
        DataError: the path is missing, something in it is damaged or not FER2013's, or a split has
            no images.
    """
    if not path.exists():
        raise DataError(f"FER2013 is not at {path}; give --data the zip, the folder or the CSV.")
    if path.suffix == ".csv":
        splits = _from_csv(path)
    else:
        splits = _from_pictures(_zip_members(path) if path.is_file() else _folder_members(path))
    for name, (images, _) in splits.items():
        if not len(images):
            raise DataError(f"{path} holds no images of FER2013's {name} split; is it complete?")
    return splits


def _zip_members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(PICTURES):
                    yield name, archive.read(name)
    except _BAD_ZIP as error:
        raise DataError(
            f"{path} is not a readable zip file ({error}); fetch FER2013 again."
        ) from error


def _folder_members(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(p for p in path.rglob("*") if p.suffix in PICTURES):
        try:
            content = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error}).") from error
        yield str(file.relative_to(path)), content


def _from_pictures(members: Iterator[tuple[str, bytes]]) -> dict[str, Split]:
    found: dict[str, list[tuple[int, NDArray[np.uint8], int]]] = {s: [] for s in SIZES}
    for name, content in members:
        file = PurePosixPath(name)
        prefix, _, number = file.stem.partition("_")
        if prefix not in SPLITS or file.parent.name not in CLASSES or not number.isdecimal():
            continue
        coded = np.frombuffer(content, np.uint8)
        image = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE) if coded.size else None
        if image is None or image.shape != (48, 48):
            raise DataError(f"{name} is not a 48x48 picture; is this FER2013?")
        label = CLASSES.index(file.parent.name)
        found[SPLITS[prefix]].append((int(number), np.asarray(image, np.uint8), label))
    return {split: _stack(rows) for split, rows in found.items()}


def _from_csv(path: Path) -> dict[str, Split]:
    found: dict[str, list[tuple[int, NDArray[np.uint8], int]]] = {s: [] for s in SIZES}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file)):
                split, pixels, label = _from_row(row, f"Row {number + 1} of {path}")
                found[split].append((number, pixels, label))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} is not a readable CSV file ({error}); give --data FER2013's."
        ) from error
    return {split: _stack(rows) for split, rows in found.items()}


def _from_row(row: Mapping[str, Any], where: str) -> tuple[str, NDArray[np.uint8], int]:
    """Split, pixels and label of a row; a cell that is missing is None."""
    try:
        pixels = np.array(row["pixels"].split(), np.uint8).reshape(48, 48)
        split, label = SPLITS[row["Usage"]], int(row["emotion"])
    except (KeyError, ValueError, OverflowError, AttributeError, TypeError) as error:
        raise DataError(f"{where} is not FER2013's ({error}).") from error
    if not 0 <= label < len(CLASSES):
        raise DataError(f"{where} has the label {label}; FER2013's are 0 to {len(CLASSES) - 1}.")
    return split, pixels, label


def _stack(rows: list[tuple[int, NDArray[np.uint8], int]]) -> Split:
    rows.sort(key=lambda row: row[0])
    images = np.stack([row[1] for row in rows]) if rows else np.zeros((0, 48, 48), np.uint8)
    return images, np.array([row[2] for row in rows], np.int64)


def leaked(split: Split, train: Split) -> NDArray[np.bool_]:
    """Which images of a split are pixel-identical to a training image, bool (N,)."""
    known = {image.tobytes() for image in train[0]}
    return np.array([image.tobytes() in known for image in split[0]], np.bool_)
