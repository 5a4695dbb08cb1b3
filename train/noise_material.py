"""What the noise estimator is checked on beside FER2013: clips, group pictures, real noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.capture import open_source
from fervid.errors import DataError
from fervid.faces import FaceDetector
from fervid.records import F32

U8 = NDArray[np.uint8]

VIDEOS = (".mp4", ".mov", ".mkv", ".mpg", ".avi", ".webm")
KEPT, EVERY = 4, 24  # frames of a clip that get noise: so many, so far apart
MAX_WIDTH = 640
CROP_PX = (64, 300)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Clean pictures uint8 (H, W) or BGR; `places` seed their noise, one number a picture."""

    name: str
    pictures: Sequence[U8]
    places: Sequence[int]

    def some(self, limit: int, seed: int) -> "Material":
        """A seeded choice of at most `limit` pictures, with the noise that each has among all."""
        if limit >= len(self.pictures):
            return self
        at = np.sort(np.random.default_rng(seed).permutation(len(self.pictures))[:limit])
        return Material(
            self.name, [self.pictures[i] for i in at], [self.places[int(i)] for i in at]
        )


def material(name: str, pictures: Sequence[U8]) -> Material:
    """Pictures whose places are their numbers."""
    return Material(name, pictures, range(len(pictures)))


def clip_files(folder: Path) -> list[Path]:
    """The videos of a folder by name; none where it is missing."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in VIDEOS)


def clip_frames(path: Path, limit: int | None = None) -> Iterator[U8]:
    """The first `limit` frames of a clip, BGR, upright, at native size.

    Raises:
        SourceError: it cannot be read.
    """
    with open_source(str(path)) as source:
        for number, frame in enumerate(source):
            if number == limit:
                return
            yield frame.bgr


def kept(number: int) -> bool:
    """Whether the frame of this number gets noise."""
    return number % EVERY == 0 and number < KEPT * EVERY


def at_most_wide(bgr: U8, width: int = MAX_WIDTH) -> U8:
    """The picture reduced by area to at most `width`; H and W even, as H.264 wants them."""
    h, w = bgr.shape[:2]
    scale = min(1.0, width / w)
    size = (round(w * scale) // 2 * 2, round(h * scale) // 2 * 2)
    if scale == 1:
        return bgr[: size[1], : size[0]]
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)


def face_square(bgr: U8, box: F32) -> U8 | None:
    """The square around a face, its noise untouched: native pixels, moved into the picture.

    Args:
        bgr: uint8 (H, W, 3).
        box: (4,), x0 y0 x1 y1.

    Returns:
        uint8 (n, n, 3), n even, the box's longer side, but at least 64 (then with surroundings)
        and, reduced by area, at most 300; None where the picture is too small.
    """
    low, high = CROP_PX
    h, w = bgr.shape[:2]
    side = max(low, round(float((box[2:] - box[:2]).max()))) // 2 * 2
    if side > min(h, w):
        return None
    centre = (box[:2] + box[2:]) / 2
    x, y = (
        int(np.clip(round(float(c) - side / 2), 0, n - side))
        for c, n in zip(centre, (w, h), strict=True)
    )
    return at_most_wide(np.ascontiguousarray(bgr[y : y + side, x : x + side]), high)


def detected_squares(frames: Sequence[U8]) -> list[U8]:
    """The squares of all faces that fervid's detector finds in frames."""
    found = []
    with FaceDetector() as detector:
        for bgr in frames:
            found += [face_square(bgr, box) for box in detector.detect(bgr).boxes]
    return [square for square in found if square is not None]


def labelled_squares(folder: Path) -> list[U8]:
    """The squares of all faces in `boxes.xml` (dlib's format); none where that is missing.

    Raises:
        DataError: it or one of its pictures cannot be read.
    """
    file, found = folder / "boxes.xml", []
    if not file.is_file():
        return []
    try:
        for entry in ElementTree.parse(file).iter("image"):
            bgr = read_picture(folder / entry.attrib["file"])
            for box in entry.iter("box"):
                x, y, w, h = (float(box.attrib[n]) for n in ("left", "top", "width", "height"))
                found.append(face_square(bgr, np.array([x, y, x + w, y + h], np.float32)))
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise DataError(
            f"{file} is not a list of face boxes as dlib writes it ({error})."
        ) from error
    return [square for square in found if square is not None]


def noise_pairs(folder: Path) -> list[tuple[U8, U8]]:
    """Real camera noise: (one shot, mean of many shots), from NAME_real.JPG and NAME_mean.JPG.

    Raises:
        DataError: one of a pair is missing or cannot be read.
    """
    return [
        (read_picture(shot), read_picture(shot.with_name(shot.name.replace("_real", "_mean"))))
        for shot in sorted(folder.glob("*_real.*"))
    ]


def read_picture(path: Path) -> U8:
    """A picture as BGR.

    Raises:
        DataError: it is missing or none.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if picture is None:
        raise DataError(f"{path} is not a picture that can be read.")
    return np.asarray(picture, np.uint8)
