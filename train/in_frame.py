"""The same faces inside video frames, through the whole pipeline with the detector.

FER2013's faces are enlarged (bicubic) and pasted into a 640x480 frame with a soft, slightly
textured background; noise and H.264 act on the frame, at its resolution. Every frame is a source
of its own: nothing is remembered from the one before. The pictures are cut tightly, often through
the forehead and the chin, which a detector made for whole heads does not like: how many faces are
found here says less of real video than how the two shares move with size and noise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend
from fervid.card import ModelCard
from fervid.config import RunConfig
from fervid.faces import FaceDetector
from fervid.pipeline import Pipeline
from fervid.records import F32, Frame, FrameResult
from train.h264 import last_coded
from train.metrics import accuracy_interval
from train.robustness import CLEAN, SETTINGS, Setting, corrupt
from train.telling import Tell

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

WIDTH, HEIGHT = 640, 480
SIZES_PX = (48, 96, 160, 240)
H264 = (Setting(20, "h264", 28), Setting(21, "h264", 35))
FRAME_SETTINGS = (*SETTINGS, *H264)
RUNNING_IN = 2  # frames before the one that is looked at, so that H.264 predicts it
OVERLAP = 0.3  # IoU with the box that the picture stands for, from which a box is this face


@dataclass(frozen=True, slots=True)
class Cell:
    """One size and setting: shares 0-1.

    `found`: faces that were found; `accuracy`: over all faces, not found counts as wrong;
    `accuracy_found`: over those found, and `accuracy_thumbnail`: of the same faces as thumbnails
    under the same noise (H.264: clean), None without any; `kind_right`: frames whose noise kind was
    right (H.264: called clean); `extra_boxes`: other boxes a frame.
    """

    setting: str
    face_px: int
    faces: int
    found: float
    accuracy: float
    accuracy_95: tuple[float, float]
    accuracy_found: float | None
    accuracy_thumbnail: float | None
    kind_right: float
    extra_boxes: float


@dataclass(frozen=True, slots=True, eq=False)
class Subjects:
    """Whose faces: images uint8 (M, 48, 48), labels int64 (M,), which of them int64 (N,).

    `seed` draws backgrounds, places and noise.
    """

    images: U8
    labels: I64
    indices: I64
    seed: int


def make_frame(face: U8, face_px: int, rng: np.random.Generator) -> tuple[U8, tuple[int, int]]:
    """A frame with a face picture in it.

    Args:
        face: uint8 (48, 48).
        face_px: side of the picture in the frame.
        rng: draws the background and the place.

    Returns:
        BGR uint8 (HEIGHT, WIDTH, 3), and x, y of the picture's corner.
    """
    frame = np.full((HEIGHT, WIDTH, 3), 118, np.float32)
    for cells, strength in (((6, 8, 3), 14), ((60, 80, 3), 2)):
        texture = rng.standard_normal(cells, np.float32) * strength
        frame += cv2.resize(texture, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    bgr = np.rint(frame.clip(0, 255)).astype(np.uint8)
    margin = 16
    x = int(rng.integers(margin, WIDTH - face_px - margin))
    y = int(rng.integers(margin, HEIGHT - face_px - margin))
    large = cv2.resize(face, (face_px, face_px), interpolation=cv2.INTER_CUBIC)
    bgr[y : y + face_px, x : x + face_px] = large[:, :, None]
    return bgr, (x, y)


def h264(bgr: U8, crf: int) -> U8:
    """The frame after H.264: the last of a few in which the picture slides into its place.

    Args:
        bgr: uint8 (H, W, 3), H and W even.
        crf: x264's constant rate factor; 23 is its default, higher is worse.
    """
    shifts = range(RUNNING_IN, -1, -1)
    return last_coded([np.roll(bgr, 2 * shift, axis=1) for shift in shifts], crf)


def spoil(bgr: U8, setting: Setting, seed: int, *place: int) -> U8:
    """The frame under a setting, at its own resolution."""
    if setting.kind == "h264":
        return h264(bgr, int(setting.level))
    return corrupt(bgr, setting, seed, *place)


def expected_box(x: int, y: int, face_px: int, card: ModelCard) -> F32:
    """The box (4,) whose crop is exactly the picture at x, y: crop_boxes, backwards."""
    side = face_px / card.crop_scale
    centre = np.array([x + face_px / 2, y + face_px / 2 + card.crop_shift * side])
    return np.concatenate([centre - side / 2, centre + side / 2]).astype(np.float32)


def overlap(boxes: F32, box: F32) -> F32:
    """IoU (N,) of boxes (N, 4) with one box (4,)."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    common = np.maximum(high - low, 0).prod(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return np.asarray(common / (area - common), np.float32)


def which_face(result: FrameResult, box: F32) -> int | None:
    """The index of the detected face that is the pasted one; None where it was not found."""
    if not len(result.faces):
        return None
    found = overlap(result.faces.boxes, box)
    best = int(found.argmax())
    return best if found[best] >= OVERLAP else None


def measure_in_frame(
    backend: Backend,
    subjects: Subjects,
    thumbnails: Mapping[str, NDArray[np.bool_]],
    config: RunConfig,
    tell: Tell,
) -> list[Cell]:
    """Run every size and setting.

    Args:
        backend: the model.
        subjects: the faces.
        thumbnails: by the setting's name, which of them are right as thumbnails, bool (N,).
        config: of the pipeline: filter, filter set, detector.
        tell: is told of progress.
    """
    faces = config.faces
    cells = []
    with FaceDetector(faces.detector, faces.min_score, faces.min_face_px) as detector:

        def fresh() -> Pipeline:
            """A pipeline without memory of the last face; the detector is shared, stays open."""
            return Pipeline(config, backend, detector)

        for px in SIZES_PX:
            for setting in FRAME_SETTINGS:
                tell(f"{setting.name}, {px} px", 0)
                flags, extra = _flags(subjects, setting, px, fresh, backend.card, tell)
                small = thumbnails.get(setting.name, thumbnails[CLEAN.name])
                cells.append(_summary(setting, px, (*flags, small), extra))
    return cells


def _flags(
    subjects: Subjects,
    setting: Setting,
    px: int,
    fresh: Callable[[], Pipeline],
    card: ModelCard,
    tell: Tell,
) -> tuple[NDArray[np.bool_], int]:
    """Found, right and kind right, bool (3, N), and the number of other boxes."""
    wanted_kind = "clean" if setting.kind == "h264" else setting.kind
    flags, extra = [], 0
    for index in subjects.indices:
        pipeline, place = fresh(), (int(index), px)
        rng = np.random.default_rng((subjects.seed, *place))
        bgr, (x, y) = make_frame(subjects.images[index], px, rng)
        bgr = spoil(bgr, setting, subjects.seed, *place)
        result = pipeline.process(Frame(0, 0.0, bgr))
        face = which_face(result, expected_box(x, y, px, card))
        best = None if face is None else int(result.probabilities[face].argmax())
        right = best == int(subjects.labels[index])
        flags.append((face is not None, right, result.noise.kind == wanted_kind))
        extra += len(result.faces) - (face is not None)
        tell("", 1)
    return np.array(flags, np.bool_).T, extra


def _summary(setting: Setting, px: int, flags: Sequence[NDArray[np.bool_]], extra: int) -> Cell:
    """A cell from found, right, kind right and right as thumbnails, bool (N,) each."""
    found, right, kinds, small = flags
    return Cell(
        setting=setting.name,
        face_px=px,
        faces=len(found),
        found=float(found.mean()),
        accuracy=float(right.mean()),
        accuracy_95=accuracy_interval(right),
        accuracy_found=float(right[found].mean()) if found.any() else None,
        accuracy_thumbnail=float(small[found].mean()) if found.any() else None,
        kind_right=float(kinds.mean()),
        extra_boxes=extra / len(found),
    )
