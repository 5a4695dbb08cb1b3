"""`python -m train faces`: the faces of whole pictures, framed as the network sees them."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fervid import Frame, Pipeline, open_source, probe
from fervid.card import ModelCard
from fervid.config import Detector, FaceConfig, RunConfig
from fervid.crops import crop_faces
from fervid.errors import DataError, SourceError
from fervid.images import is_image, natural
from train.class_folders import SIDE
from train.telling import progress

U8 = NDArray[np.uint8]
FRAMING = ModelCard(name="faces", classes=("one", "other"), input_px=SIDE)  # any card's defaults


def cut_faces(pictures: Path, out: Path, detector: Detector, stderr: Console) -> Counter[str]:
    """Write the largest face of each picture, PICTURES/CLASS/*.jpg, as OUT/CLASS/*.png.

    Args:
        pictures: holds a folder for each class.
        out: is made; must not hold anything.
        detector: that finds the faces.
        stderr: gets the progress.

    Returns:
        How many were "cut", have "no face", or are "unreadable".

    Raises:
        DataError: there are no pictures, `out` holds files, or a face cannot be written.
    """
    files = _found(pictures)
    if probe.exists(out) and (not probe.is_folder(out) or any(out.iterdir())):
        raise DataError(f"{out} holds files already; name a folder that is new or empty.")
    config = RunConfig(faces=FaceConfig(detector=detector, max_faces=1))
    counts: Counter[str] = Counter()
    with Pipeline(config) as pipeline, progress(len(files), stderr) as tell:
        tell("pictures", 0)
        for file in files:
            target = out / file.parent.name / f"{file.stem}{file.suffix.replace('.', '-')}.png"
            counts[_cut(file, target, pipeline)] += 1
            tell("", 1)
    return counts


def _found(pictures: Path) -> list[Path]:
    if not probe.is_folder(pictures):
        raise DataError(f"There is no folder {pictures}; give one that holds a folder per class.")
    found = (p for p in pictures.glob("*/*") if is_image(p) and p.is_file())
    visible = (p for p in found if not any(part.startswith(".") for part in p.parts[-2:]))
    files = sorted(visible, key=natural)
    if not files:
        raise DataError(
            f"{pictures} holds no pictures in folders; lay them out as FOLDER/CLASS/*.jpg."
        )
    return files


def _cut(file: Path, target: Path, pipeline: Pipeline) -> str:
    """Write a picture's largest face; returns what became of it."""
    try:
        with open_source(str(file)) as source:
            bgr = next(iter(source)).bgr
    except SourceError:
        return "unreadable"
    pipeline.forget()
    faces = pipeline.process(Frame(0, 0.0, bgr)).faces
    if not len(faces):
        return "no face"
    crop: U8 = crop_faces(bgr, faces.boxes[:1], FRAMING)[1][0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(cv2.imencode(".png", crop)[1].tobytes())
    except OSError as error:
        raise DataError(f"{target} cannot be written ({error.strerror}).") from error
    return "cut"
