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
from functools import partial
from importlib import resources
from threading import RLock
from typing import Any, Literal, Self

import cv2
import numpy as np

from fervid.errors import ModelLoadError
from fervid.interrupt import held_interrupt
from fervid.looks import (
    U8,
    Look,
    ModelName,
    by_score,
    chosen,
    look_picture,
    suppressed,
    whole,
)
from fervid.noise import estimate_noise
from fervid.records import F32, Faces, Noise
from fervid.search import FULL_SHARE, FaceSearch, Terms

DetectorName = Literal["auto", "short", "full"]

MODEL_FILES: dict[ModelName, str] = {
    "short": "face_detection_short_range.tflite",
    "full": "face_detection_full_range_sparse.tflite",
}

SCORE_CLEAN = 0.5
SCORE_NOISY = 0.3
WARM_UP_PX = 128

# Descriptor 2 is the process's. Detectors of two threads take turns: else the one would put back
# what the other had set, and what is written there would be lost for good. Closing may happen
# inside opening, when Python collects a detector that nobody holds.
_DESCRIPTOR_2 = RLock()

log = logging.getLogger(__name__)


@contextlib.contextmanager
def _stderr_to_log() -> Iterator[None]:
    """Send what C++ code writes to file descriptor 2 to the log, at DEBUG; a thread at a time."""
    with _DESCRIPTOR_2:
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
            f"known are auto, {', '.join(MODEL_FILES)}, and their files come with fervid."
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


def _close_detectors(models: dict[ModelName, Any]) -> None:
    with held_interrupt():  # one in between would leave a detector that nobody closes
        for detector in models.values():
            _close_detector(detector)


class FaceDetector:
    """BlazeFace, open until `close`; a context manager.

    Args:
        model: "short" (faces within about 2 m, robust to noise), "full" (small faces, needs a
            clean picture) or "auto": both, tiles for smaller faces, and a second look at new faces.
        score: least score of a face in a clean frame; None: SCORE_CLEAN. In a noisy frame the
            least score is SCORE_NOISY, or `score` if that is lower.
        min_face_px: least width of a face, in pixels of the frame.

    Raises:
        ModelLoadError: a model's file cannot be read or run.
    """

    def __init__(
        self, model: DetectorName = "short", score: float | None = None, min_face_px: float = 20
    ) -> None:
        self._score = SCORE_CLEAN if score is None else score
        self._noisy_score = min(self._score, SCORE_NOISY)
        self._min_face_px = min_face_px
        self._auto = model == "auto"
        names: tuple[ModelName, ...] = ("short", "full") if model == "auto" else (model,)
        self._models: dict[ModelName, Any] = {}
        least = min(self._noisy_score, FULL_SHARE * self._score)
        with held_interrupt():  # one in between would leave a detector that nobody closes
            self._close = weakref.finalize(self, _close_detectors, self._models)
            for name in names:
                self._models[name] = _open_detector(name, least)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Release MediaPipe's graphs and threads; closing twice is harmless."""
        self._close()

    def detect(
        self, bgr: U8, noise: Noise | None = None, search: FaceSearch | None = None
    ) -> Faces:
        """The faces of one frame.

        Args:
            bgr: uint8 (H, W, 3).
            noise: of that frame; it decides on the picture and the score that are used. None
                measures it.
            search: what "auto" remembers of the frames before, one for each source; without it
                the frame is a picture of its own, which costs every look. The others need none.

        Returns:
            Faces by falling score, boxes clipped to the frame, all track ids -1.

        Raises:
            ValueError: the detector is closed.
        """
        if not self._close.alive:
            raise ValueError("The face detector is closed; make a new one.")
        noise = estimate_noise(bgr) if noise is None else noise
        terms = Terms.of(noise, self._score, self._noisy_score, self._min_face_px)
        see = partial(self._see, bgr=bgr, noise=noise)
        if self._auto:
            return by_score((search or FaceSearch()).faces(see, bgr.shape[:2], terms))
        (model,) = self._models
        found = see(whole(model, *bgr.shape[:2]))
        return chosen(found, found.scores >= terms.frame_score)

    def _see(self, look: Look, bgr: U8, noise: Noise) -> Faces:
        """What a look at a frame finds, by falling score, each face once."""
        import mediapipe as mp

        picture = look_picture(look, bgr, noise)
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)
        found = self._models[look.model].detect(image).detections
        faces, wide = _faces(found, look.window, picture.shape[:2], bgr.shape[:2])
        big = wide >= (0 if look.close_up else self._min_face_px)
        return suppressed(by_score(chosen(faces, big)))


def _faces(
    found: list[Any],
    window: tuple[int, int, int, int],
    picture_hw: tuple[int, ...],
    frame_hw: tuple[int, ...],
) -> tuple[Faces, F32]:
    """MediaPipe's detections (boxes in the picture's pixels, key points 0-1) as Faces.

    Also how wide each is, (N,), with what lies beyond the frame.
    """
    if not found:
        return Faces.empty(), np.zeros(0, np.float32)
    corner = np.array(window[:2], np.float32)
    size = np.array(window[2:], np.float32) - corner  # width, height
    scale = size / np.array(picture_hw[::-1], np.float32)
    corners = [(d.bounding_box.origin_x, d.bounding_box.origin_y) for d in found]
    sides = [(d.bounding_box.width, d.bounding_box.height) for d in found]
    low = corner + np.array(corners, np.float32) * scale
    high = low + np.array(sides, np.float32) * scale
    limit = np.array(frame_hw[::-1], np.float32)
    boxes = np.concatenate([low.clip(0, limit), high.clip(0, limit)], axis=1)  # (N, 4)
    scores = np.array([d.categories[0].score for d in found], np.float32)
    eyes = np.array([[(k.x, k.y) for k in d.keypoints[:2]] for d in found], np.float32)
    eyes = (corner + eyes * size).astype(np.float32)
    faces = Faces(boxes, scores, eyes, np.full(len(boxes), -1, np.int64))
    there = np.all(boxes[:, 2:] - boxes[:, :2] >= 1, axis=1)
    return chosen(faces, there), (high - low)[there, 0]
