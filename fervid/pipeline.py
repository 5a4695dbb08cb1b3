"""Pipeline: one frame in, everything that fervid says about it out.

    noise of the frame -> faces -> tracks -> filter and crop -> eta -> network -> smooth and explain

Nothing here reads, draws or writes; whoever wants another order uses the stages by themselves.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import numpy as np

from fervid.backends import Backend
from fervid.config import LabelConfig, RunConfig
from fervid.controls import View
from fervid.crops import crop_boxes, crop_faces, residual_noise
from fervid.explain import HeatmapStream, ProbabilityStream, aligned
from fervid.faces import FaceDetector
from fervid.filters import PAPER_CHOICE, FilterName, choose_filter, get_filter
from fervid.labels import calibrate, doubts
from fervid.noise import NoiseMeter
from fervid.records import CAM_NAMES, F32, Faces, Frame, FrameResult, ModelOutput, Noise, Timings
from fervid.tracks import FaceTracker


class Stopwatch:
    """Times the stages of one frame."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.stages_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = self._clock()
        yield
        self.stages_ms[name] = (self._clock() - start) * 1000


class Pipeline:
    """Analyses the frames of one source, in order; a context manager.

    It remembers the last frames' noise and the tracks, all of it for a stated number of seconds or
    frames. The backend is the caller's and stays open; the detector is closed with the pipeline.

    Args:
        config: of the run.
        backend: the network.
        detector: None opens the one that `config` names.
        clock: seconds, for the timings.
    """

    def __init__(
        self,
        config: RunConfig,
        backend: Backend,
        detector: FaceDetector | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._config, self._backend, self._clock = config, backend, clock
        self._card = backend.card
        faces = config.faces
        self._detector = detector or FaceDetector(
            faces.detector, faces.min_score, faces.min_face_px
        )
        self._meter = NoiseMeter()
        self._tracker = FaceTracker()
        self._probabilities = ProbabilityStream(config.labels.smooth_s)
        self._heatmaps = HeatmapStream(config.explain.heatmap_smooth_s)
        self._view = View.of(config)
        self._last: tuple[Frame, Noise, Faces] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the detector; closing twice is harmless."""
        self._detector.close()

    def process(self, frame: Frame, dropped: int = 0, view: View | None = None) -> FrameResult:
        """Analyse one frame.

        Args:
            frame: the next frame; times must not fall.
            dropped: frames lost since the last one.
            view: filter and maps, if a viewer has chosen others than the configuration's.
        """
        watch = Stopwatch(self._clock)
        with watch.stage("noise"):
            noise = self._meter.update(frame.bgr)
        with watch.stage("faces"):
            faces = largest(self._detector.detect(frame.bgr, noise), self._config.faces.max_faces)
            faces = self._tracker.update(faces, frame.time_s, frame.bgr)
        self._last = frame, noise, faces
        return self._judge(watch, view or View.of(self._config), dropped)

    def again(self, view: View) -> FrameResult:
        """The last frame's result as it would be with another view; it takes the last one's place.

        Raises:
            ValueError: no frame has been analysed yet.
        """
        return self._judge(Stopwatch(self._clock), view, 0)

    def _judge(self, watch: Stopwatch, view: View, dropped: int) -> FrameResult:
        """Filter, network and maps for the faces of the last frame."""
        if self._last is None:
            raise ValueError("There is no frame to analyse again.")
        frame, noise, faces = self._last
        if (view.cam, view.target) != (self._view.cam, self._view.target):  # no blend of two maps
            self._heatmaps = HeatmapStream(self._config.explain.heatmap_smooth_s)
        self._view = view
        name = self._filter_name(noise)
        with watch.stage("crops"):
            images, crops, eta = self._crop(frame, faces, noise, name)
        with watch.stage("network"):
            output = self._run(images, eta)
        with watch.stage("explain"):
            raw = calibrate(output.logits, eta, crops, self._card)
            smoothed = self._probabilities.update(raw, faces.track_ids, frame.time_s)
            cams = output.cams[:, CAM_NAMES.index(view.cam)]
            heatmaps = aligned(
                self._heatmaps.update(cams, faces.track_ids, frame.time_s), self._card.input_px
            )
            reasons = doubts(smoothed, faces, crops, self._labels(), self._card)
        return FrameResult(
            index=frame.index,
            time_s=frame.time_s,
            faces=faces,
            noise=noise,
            filter_name=name,
            eta=eta,
            classes=self._card.classes,
            probabilities=raw,
            smoothed=smoothed,
            labels=tuple(self._card.classes[k] for k in smoothed.argmax(1)),
            uncertain=np.array([bool(r) for r in reasons], np.bool_),
            reasons=reasons,
            heatmaps=heatmaps,
            crop_boxes=crop_boxes(faces.boxes, self._card),
            timings=Timings(watch.stages_ms),
            dropped=dropped,
            crops=crops,
            cam=view.cam,
            target=self._card.classes[view.target] if view.target >= 0 else "",
        )

    def _labels(self) -> LabelConfig:
        return self._config.labels

    def _filter_name(self, noise: Noise) -> FilterName:
        """The filter for this frame: as told, or by the card's table from kind to filter."""
        told = self._view.filter
        if told != "auto":
            return told
        return choose_filter(noise, {**PAPER_CHOICE, **self._card.filters})  # type: ignore[dict-item]

    def _crop(
        self, frame: Frame, faces: Faces, noise: Noise, name: FilterName
    ) -> tuple[F32, "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", F32]:
        family = self._config.filter.filter_set
        images, crops = crop_faces(
            frame.bgr, faces.boxes, self._card, get_filter(name, family), noise.severity
        )
        sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(1, initial=0)
        eta = [residual_noise(noise, name, float(n), self._card, family) for n in sides]
        return images, crops, np.minimum(np.array(eta, np.float32), self._card.eta_max)

    def _run(self, images: F32, eta: F32) -> ModelOutput:
        """All faces in one batch; none costs nothing."""
        n, k = len(images), len(self._card.classes)
        if n:
            return self._backend.run(images, eta, np.full(n, self._view.target, np.int64))
        empty = np.zeros((0, len(CAM_NAMES), 1, 1), np.float32)
        return ModelOutput(np.zeros((0, k), np.float32), np.zeros((0, k, 1, 1), np.float32), empty)


def largest(faces: Faces, n: int) -> Faces:
    """At most n faces, the largest, in their order."""
    if len(faces) <= n:
        return faces
    size = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(1)
    kept = np.sort(np.argsort(-size, kind="stable")[:n])
    return Faces(faces.boxes[kept], faces.scores[kept], faces.eyes[kept], faces.track_ids[kept])
