"""Still pictures and sequences of them: ImageSource, whose entry is capture.open_source.

A sequence is named by a pattern, `frames/%05d.png`, or by its folder. A folder counts as one only
where the names of its images differ in their last number alone (`frame_0001.png`,
`frame_0002.png`): other images are photographs, each a source of its own (expand.py).
"""

import logging
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid import probe
from fervid.containers import check_file, check_size
from fervid.errors import SourceError, SourceOpenError, SourceReadError
from fervid.picture_size import MOST_BYTES, MOST_PIXELS, box_turns, is_animated, stated_size
from fervid.records import Frame, SourceInfo
from fervid.refusals import reason
from fervid.silence import silent_opencv

U8 = NDArray[np.uint8]
SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff"),
        *(".pgm", ".ppm", ".pnm", ".jp2", ".avif"),
    )
)
JPEG, PNG, PNG_END = b"\xff\xd8", b"\x89PNG", b"IEND"
EXIF = (b"eXIf", b"EXIF")  # as PNG and WebP mark it
ROWS = 64
HEAD_BYTES = 1 << 16  # in which an animation says that it is one
# Sizes whose shapes differ by less are one shape, rounded.
SAME_SHAPE = 0.01
_PATTERN = re.compile(r"%(?:0\d+)?d")
_log = logging.getLogger(__name__)


def is_image(path: PurePath) -> bool:
    """Whether a file's name is that of a still picture."""
    return path.suffix.lower() in SUFFIXES


def is_pattern(uri: str) -> bool:
    """Whether a source is a pattern of numbered images, and not a file with an odd name."""
    path = Path(uri)
    return is_image(path) and len(_PATTERN.findall(path.name)) == 1 and not probe.exists(path)


def natural(text: object) -> list[tuple[int, str]]:
    """A key that sorts a name as people do: 2 before 10."""
    parts = re.split(r"(\d+)", str(text))
    return [(int(part), "") if n % 2 else (-1, part.casefold()) for n, part in enumerate(parts)]


def is_sequence(images: Sequence[PurePath]) -> bool:
    """Whether images, of one folder, are the pictures of one sequence by their names."""
    names = {re.sub(r"\d+(?=\D*$)", "%d", image.stem) + image.suffix for image in images}
    return len(images) > 1 and len(names) == 1 and "%d" in next(iter(names))


def sequence(uri: str) -> list[Path]:
    """Return the pictures of a sequence in natural order; none where `uri` names no sequence.

    Numbers that a pattern's files leave out are not missed: the pictures that are there follow
    each other.

    Args:
        uri: a pattern or a folder.
    """
    path = Path(uri)
    if uri and probe.is_folder(path):
        images = _visible_images(path)
        return images if is_sequence(images) else []
    if not is_pattern(uri) or not probe.is_folder(path.parent):
        return []
    before, after = _PATTERN.split(path.name)
    digits = (_PATTERN.search(path.name) or [""])[0][2:-1]
    number = rf"\d{{{int(digits)},}}" if digits else r"\d+"
    fits = re.compile(re.escape(before) + number + re.escape(after))
    return [image for image in _visible_images(path.parent) if fits.fullmatch(image.name)]


def _visible_images(folder: Path) -> list[Path]:
    found = (f for f in folder.iterdir() if is_image(f) and not f.name.startswith("."))
    return sorted((f for f in found if probe.is_file(f)), key=lambda f: natural(f.name))


class ImageSource:
    """One picture, or many that are shown at a rate; every one upright, as 8-bit BGR.

    A damaged picture of a sequence is counted and passed over; its place in time stays empty.
    One of another size is brought to the first one's, if it has the same shape.

    Args:
        uri: an image, a pattern or a folder.
        rate: pictures a second.

    Raises:
        SourceOpenError: there is no picture, none can be decoded, or they are tiny.
    """

    def __init__(self, uri: str, rate: float) -> None:
        self.damaged = 0
        path = Path(uri)
        self._single = not (probe.is_folder(path) or is_pattern(uri))
        self._paths = [path] if self._single else sequence(uri)
        if self._single:
            check_file(uri)
        if not self._paths:
            raise SourceOpenError(
                f"No image fits {uri}; check the folder and how many digits the numbers have.", uri
            )
        first = self._first_picture(uri)
        self._size = first.shape[1], first.shape[0]
        per_s = Fraction(rate).limit_denominator(1001)
        self.info = SourceInfo(
            uri=uri,
            label=path.name or uri,
            width=first.shape[1],
            height=first.shape[0],
            live=False,
            rate=per_s,
            n_frames=len(self._paths),
            duration_s=float(len(self._paths) / per_s),
            codec=self._paths[0].suffix[1:].lower(),
        )
        check_size(self.info)
        self.damaged = 0
        if self._single:
            _tell_animated(path)

    def __iter__(self) -> Iterator[Frame]:
        rate = self.info.rate or Fraction(1)
        for index, path in enumerate(self._paths):
            if (picture := self._read(path)) is not None:
                yield Frame(index, float(index / rate), self._sized(picture, path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: every picture is read at once."""

    def _first_picture(self, uri: str) -> U8:
        for path in self._paths:
            if (picture := self._read(path)) is not None:
                return picture
        if self._single:
            what = f"{uri} is no picture that can be read; it is damaged, was cut off, or is"
            raise SourceOpenError(f"{what} another kind of file, so copy it again.", uri)
        raise SourceOpenError(f"Not one image of {uri} can be read; copy them again.", uri)

    def _read(self, path: Path) -> U8 | None:
        """The picture of a file, None (and counted) if it cannot be decoded."""
        try:
            n_bytes = path.stat().st_size
            data = path.read_bytes() if n_bytes <= MOST_BYTES else b""
        except OSError as error:
            raise self._error(
                path, f"cannot be read ({reason(error)}); check its permissions and the disk."
            ) from error
        if n_bytes > MOST_BYTES:
            raise self._error(path, f"is no picture: it has {n_bytes / 1e9:.1f} GB; copy it again.")
        size = stated_size(data)
        if size is not None and size[0] * size[1] > MOST_PIXELS:
            raise self._error(
                path,
                f"has too many pixels ({size[0]} x {size[1]}); scale it down to "
                f"{MOST_PIXELS / 1e6:.0f} million or fewer.",
            )
        picture = None if size is None else decode(data)
        self.damaged += picture is None
        return picture

    def _error(self, path: Path, what: str) -> SourceError:
        kind = SourceOpenError if self._single else SourceReadError
        return kind(f"{path} {what}", str(path))

    def _sized(self, picture: U8, path: Path) -> U8:
        """The picture at the first one's size.

        Raises:
            SourceReadError: its shape is another one, so that faces would be distorted.
        """
        height, width = picture.shape[:2]
        if (width, height) == self._size:
            return picture
        wide, high = self._size
        if abs(width * high / (height * wide) - 1) > SAME_SHAPE:
            raise SourceReadError(
                f"{path} is {width} x {height} px and the first image of its sequence {wide} x "
                f"{high}; give images of one shape, or quote a glob ('{path.parent}/*"
                f"{path.suffix}') to analyse each by itself.",
                str(path),
            )
        shrinks = width > wide
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, self._size, interpolation=how), np.uint8)


def _tell_animated(path: Path) -> None:
    """Say that of an animation the first picture alone is read."""
    with path.open("rb") as file:
        animated = is_animated(file.read(HEAD_BYTES))
    if animated:
        _log.warning(
            "%s is an animation, of which only the first picture is analysed; make a video of it "
            "for all.",
            path,
        )


def decode(data: bytes) -> U8 | None:
    """Return the picture (H, W, 3) BGR of an image file, upright; None if it is damaged.

    16 bits become 8, grey becomes BGR, and what is transparent is white, as on paper.

    Args:
        data: the file.
    """
    # libpng and libjpeg would complain on standard error by themselves.
    if not data or (data.startswith(PNG) and PNG_END not in data[-4096:]):
        return None
    raw = np.frombuffer(data, np.uint8)
    with silent_opencv():
        try:
            if data.startswith(JPEG):  # never transparent, and OpenCV knows its orientation
                return _bgr(cv2.imdecode(raw, cv2.IMREAD_COLOR))
            picture = _turned(_bgr(cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)), *box_turns(data))
            if picture is not None and any(mark in data for mark in EXIF):
                # IMREAD_UNCHANGED leaves the orientation aside; such files are photographs.
                return _bgr(cv2.imdecode(raw, cv2.IMREAD_COLOR))
        except cv2.error:
            return None
    return picture


def _turned(picture: U8 | None, quarters: int, mirror: int | None) -> U8 | None:
    """A picture as its file wants it turned; OpenCV leaves that aside in AVIF files."""
    if picture is None or (not quarters and mirror is None):
        return picture
    picture = np.rot90(picture, quarters)
    return np.ascontiguousarray(picture if mirror is None else np.flip(picture, mirror))


def _bgr(picture: Any) -> U8 | None:
    """A decoded picture as 8-bit BGR; None if there is none, or of numbers without a range."""
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        return None
    if picture.dtype == np.uint16:
        picture = cv2.convertScaleAbs(picture, alpha=1 / 257)
    if picture.ndim == 2 or picture.shape[2] == 1:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if picture.shape[2] == 4:
        picture = _on_white(picture)
    return np.ascontiguousarray(picture, np.uint8)


def _on_white(picture: Any) -> U8:
    """A transparent picture on white; some rows at a time, as its fractions take much memory."""
    opaque = np.empty((*picture.shape[:2], 3), np.uint8)
    for top in range(0, len(picture), ROWS):
        part = picture[top : top + ROWS]
        alpha = part[:, :, 3:].astype(np.float32) / 255
        opaque[top : top + ROWS] = np.rint(part[:, :, :3] * alpha + 255 * (1 - alpha))
    return opaque
