"""Face detection by MediaPipe's BlazeFace, on a picture that suits the noise.

This is the one module that imports mediapipe. It is pinned to a release that opens no network
sockets; its writing to file descriptor 2, some of it from C++, is caught and goes to the log at
DEBUG.
"""

import contextlib
import logging
import os
import tempfile
import weakref
from collections.abc import Iterator
from importlib import resources
from typing import Any, Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.errors import ModelLoadError
from fervid.filters import gaussian_by_level, impulse_median
from fervid.interrupt import held_interrupt
from fervid.noise import estimate_noise
from fervid.records import F32, Faces, Noise

U8 = NDArray[np.uint8]
ModelName = Literal["short", "full"]

MODEL_FILES: dict[ModelName, str] = {
    "short": "face_detection_short_range.tflite",
    "full": "face_detection_full_range_sparse.tflite",
}

# Height of the picture for the detector, and the noise that may be left in it. Measured on 35
# frames of ten one-person clips (288-480 px high), short range, score .3: at Gaussian .2 / .3 it
# finds .49 / .26 of the faces in the raw frame, 1.00 / 1.00 at 180 px filtered (360 px filtered:
# 1.00 / 1.00, boxes less exact); at 96 px boxes lose precision (IoU .80). Full range: .71 / .40.
CLEAN_HEIGHT = 360
NOISY_HEIGHT = 180
RMS_LEFT = 0.05
# Share of the RMS that an impulse-only median leaves (2-8 % impulses: .11-.15).
MEDIAN_GAIN = 0.15
FILTER_FROM = 0.02  # RMS noise below which filtering costs more than it brings

SCORE_CLEAN = 0.5
SCORE_NOISY = 0.3
OVERLAP = 0.6  # of the smaller box: above it two boxes are one face
WARM_UP_PX = 128

log = logging.getLogger(__name__)


def detector_picture(bgr: U8, noise: Noise) -> tuple[U8, float]:
    """The picture in which faces are looked for: reduced by area, filtered if noisy.

    Impulses are taken out before the reduction, which would smear them. The more noise, the
    stronger the reduction, until RMS_LEFT is left or the picture is NOISY_HEIGHT high; what noise
    remains is blurred by its level.

    Args:
        bgr: uint8 (H, W, 3).
        noise: of that frame.

    Returns:
        The picture, BGR uint8, at most CLEAN_HEIGHT high, and its scale (1: as large as the frame).
    """
    rms = noise.severity
    if noise.kind == "salt_pepper":
        bgr = impulse_median(bgr, rms)
        rms *= MEDIAN_GAIN
    h, w = bgr.shape[:2]
    height = CLEAN_HEIGHT
    if rms > FILTER_FROM:
        height = int(np.clip(h * RMS_LEFT / rms, NOISY_HEIGHT, CLEAN_HEIGHT))
    scale = min(1.0, height / h)
    if scale < 1:
        size = (max(1, round(w * scale)), height)
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    if rms * scale > FILTER_FROM:
        bgr = gaussian_by_level(bgr, rms * scale)
    return bgr, scale


@contextlib.contextmanager
def _stderr_to_log() -> Iterator[None]:
    """Send what C++ code writes to file descriptor 2 to the log, at DEBUG."""
    try:
        saved = os.dup(2)
    except OSError:  # no descriptor 2: nothing to protect
        yield
        return
    with tempfile.TemporaryFile() as caught:
        try:
            os.dup2(caught.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            for line in caught.read().decode(errors="replace").splitlines():
                log.debug("mediapipe: %s", line)


def _open_detector(model: ModelName, score: float) -> Any:
    """Create MediaPipe's detector and run it once: only then has it said all it has to say."""
    try:
        buffer = resources.files("fervid").joinpath("models", MODEL_FILES[model]).read_bytes()
    except (KeyError, OSError) as error:
        raise ModelLoadError(
            f"The face detector {model!r} cannot be read ({error}); "
            f"known are {', '.join(MODEL_FILES)}, and their files come with fervid."
        ) from error
    with _stderr_to_log():
        import mediapipe as mp
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceDetectorOptions(
            base_options=BaseOptions(model_asset_buffer=buffer), min_detection_confidence=score
        )
        try:
            detector = vision.FaceDetector.create_from_options(options)
            black = np.zeros((WARM_UP_PX, WARM_UP_PX, 3), np.uint8)
            detector.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=black))
        except (RuntimeError, ValueError) as error:
            raise ModelLoadError(
                f"MediaPipe cannot run the face detector {model!r} ({error}); "
                "install mediapipe==0.10.33."
            ) from error
    return detector


def _suppress(boxes: F32, scores: F32) -> NDArray[np.intp]:
    """Indices of the boxes that stay, best first: of two that cover each other, the better one."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        low = np.maximum(boxes[kept, :2], boxes[i, :2])
        high = np.minimum(boxes[kept, 2:], boxes[i, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=1)
        if not np.any(common > OVERLAP * np.minimum(area[kept], area[i])):
            kept.append(int(i))
    return np.array(kept, np.intp)


def _close_detector(detector: Any) -> None:
    """Release MediaPipe's graph and thread; at Python's exit the thread has gone already.

    Then the process frees the rest, and the handle is forgotten so that MediaPipe's own `__del__`
    does not print a traceback.
    """
    with _stderr_to_log():
        try:
            detector.close()
        except RuntimeError as error:
            if "shutdown" not in str(error):
                raise
            detector._handle = None  # noqa: SLF001


class FaceDetector:
    """BlazeFace, open until `close`; a context manager.

    Args:
        model: "short" (faces within about 2 m, robust to noise) or "full" (small faces, needs a
            clean picture).
        score: least score of a face in a clean frame; None: SCORE_CLEAN. In a noisy frame the
            least score is SCORE_NOISY, or `score` if that is lower.
        min_face_px: least width of a face, in pixels of the frame.

    Raises:
        ModelLoadError: the model's file cannot be read or run.
    """

    def __init__(
        self, model: ModelName = "short", score: float | None = None, min_face_px: float = 20
    ) -> None:
        self._score = SCORE_CLEAN if score is None else score
        self._min_face_px = min_face_px
        with held_interrupt():  # one in between would leave a detector that nobody closes
            self._detector = _open_detector(model, min(self._score, SCORE_NOISY))
            self._close = weakref.finalize(self, _close_detector, self._detector)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Release MediaPipe's graph and thread; closing twice is harmless."""
        self._close()

    def detect(self, bgr: U8, noise: Noise | None = None) -> Faces:
        """The faces of one frame.

        Args:
            bgr: uint8 (H, W, 3).
            noise: of that frame; it decides on the picture and the score that are used. None
                measures it.

        Returns:
            Faces by falling score, boxes clipped to the frame, all track ids -1.

        Raises:
            ValueError: the detector is closed.
        """
        import mediapipe as mp

        if not self._close.alive:
            raise ValueError("The face detector is closed; make a new one.")
        noise = estimate_noise(bgr) if noise is None else noise
        picture, _ = detector_picture(bgr, noise)
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        found = self._detector.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb))
        least = self._score if noise.kind == "clean" else min(self._score, SCORE_NOISY)
        return self._faces(found.detections, bgr.shape[:2], picture.shape[:2], least)

    def _faces(
        self, found: list[Any], frame_hw: tuple[int, ...], picture_hw: tuple[int, ...], least: float
    ) -> Faces:
        """MediaPipe's detections (boxes in the picture's pixels, key points 0-1) as Faces."""
        found = [d for d in found if d.categories[0].score >= least]
        if not found:
            return Faces.empty()
        size = np.array(frame_hw[::-1], np.float32)  # width, height
        scale = size / np.array(picture_hw[::-1], np.float32)
        corners = [(d.bounding_box.origin_x, d.bounding_box.origin_y) for d in found]
        sides = [(d.bounding_box.width, d.bounding_box.height) for d in found]
        low = np.array(corners, np.float32) * scale
        high = low + np.array(sides, np.float32) * scale
        boxes = np.concatenate([low.clip(0, size), high.clip(0, size)], axis=1)  # (N, 4)
        scores = np.array([d.categories[0].score for d in found], np.float32)
        eyes = np.array([[(k.x, k.y) for k in d.keypoints[:2]] for d in found], np.float32) * size
        big = (high - low)[:, 0] >= self._min_face_px
        visible = np.all(boxes[:, 2:] - boxes[:, :2] >= 1, axis=1)
        kept = _suppress(boxes, scores)
        kept = kept[(big & visible)[kept]]
        ids = np.full(len(kept), -1, np.int64)
        return Faces(boxes[kept], scores[kept], eyes[kept].astype(np.float32), ids)
