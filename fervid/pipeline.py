"""Pipeline: one frame in, everything that fervid says about it out.

    noise of the frame -> faces -> tracks -> filter and crop -> eta -> network -> smooth and explain

Nothing here draws or writes; whoever wants another order uses the stages by themselves.
"""

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from fervid.backends import Backend, open_backend
from fervid.batch import BeginSearch, Prepared, Sought, Stopwatch, infer, sought_here
from fervid.config import RunConfig
from fervid.controls import View
from fervid.cropper import Cropper
from fervid.crops import crop_boxes
from fervid.explain import HeatmapStream, MapBudget, ProbabilityStream, aligned
from fervid.faces import FaceDetector
from fervid.frames import Footage, open_frames
from fervid.interrupt import held_interrupt
from fervid.labels import calibrate, doubts
from fervid.noise import NoiseMeter
from fervid.records import CAM_NAMES, F32, Faces, Frame, FrameResult, ModelOutput, Noise, Timings
from fervid.search import FaceSearch
from fervid.tracks import FaceTracker


class Pipeline:
    """Analyses frames in order, source after source; a context manager.

    It remembers the last frames' noise and the tracks, all of it for a stated number of seconds or
    frames. What it opened itself is closed with it, or when nobody holds it any more; what it was
    given is the caller's and stays open.

    Args:
        config: of the run; None for the defaults.
        backend: the network; None opens the model that `config` names, or fervid's own.
        detector: None opens the one that `config` names.
        clock: seconds, for the timings.
        maps: whether anybody looks at heatmaps, or what says so of each frame; without, they stay
            0 where the network can spare itself the work.
        before: frames that others have analysed of the source, as of a file in chunks.

    Raises:
        ModelError: a model cannot be opened.
        ConfigError: `config` explains a class that the model does not know.
    """

    def __init__(
        self,
        config: RunConfig | None = None,
        backend: Backend | None = None,
        detector: FaceDetector | None = None,
        clock: Callable[[], float] = time.perf_counter,
        maps: bool | Callable[[], bool] = True,
        before: int = 0,
    ) -> None:
        self._looked_at = maps if callable(maps) else lambda: maps
        self._before = before
        self._config = config = config or RunConfig()
        model, faces, cores = config.model, config.faces, config.cores
        with ExitStack() as opened:
            if backend is None:
                backend = open_backend(model.model, model.device, cores.threads, cores.spin)
                opened.callback(backend.close)
            if detector is None:
                detector = FaceDetector(faces.detector, faces.min_score, faces.min_face_px)
                opened.callback(detector.close)
            self._opened, self._closed = opened.pop_all(), False
        self._backend, self._detector, self._clock = backend, detector, clock
        self._card = backend.card
        self._cropper = Cropper(self._card, config.filter.filter_set)
        self.forget()

    @property
    def classes(self) -> tuple[str, ...]:
        """The model's classes, in the order of all probabilities."""
        return self._card.classes

    def forget(self) -> None:
        """Forget the frames so far, as before another source; track ids start from 0 again."""
        self._meter = NoiseMeter()
        self._search = FaceSearch(self._before)
        self._tracker = FaceTracker()
        self._probabilities = ProbabilityStream(self._config.labels.smooth_s)
        self._heatmaps = HeatmapStream(self._config.explain.heatmap_smooth_s)
        self._budget = MapBudget(self._config.explain.map_every, self._before)
        self._view = View.of(self._config, self.classes)
        self._last: tuple[Frame, Noise, Faces] | None = None
        self._connection: int | None = None
        self._seeking: Future[Faces] | None = None
        self._run_now = object()

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
        """Close what the pipeline opened itself; closing twice is harmless."""
        self._closed = True
        with held_interrupt():  # a second Ctrl-C must not leave a detector open
            wait([self._seeking] if self._seeking else [])  # one in use would crash
            self._opened.close()

    def run(self, source: Footage) -> Generator[FrameResult, None, None]:
        """Analyse a source from its start, frame after frame.

        Memory stays bounded: only a few frames are held at any time. The source is closed at the
        end, also when the loop is left early.

        Args:
            source: a file, a URL or a camera ("camera:0"); an open source; frames; or pictures
                uint8 (H, W, 3), BGR, `config.read.fps` a second.

        Raises:
            SourceError: it cannot be opened, or cannot be read on.
            RuntimeError: another run of this pipeline was begun before the end of this one.
        """
        with closing(self.frames(source)) as pairs:
            for _, result in pairs:
                yield result

    def frames(self, source: Footage) -> Generator[tuple[Frame, FrameResult], None, None]:
        """Analyse a source as `run` does, and return each frame, with its pixels, too."""
        self.forget()
        this_run = self._run_now
        read = self._config.read
        if isinstance(source, str | Path):
            read = self._config.read_for(str(source))
        with open_frames(source, read) as frames:
            for frame, dropped in frames:
                if self._run_now is not this_run:
                    raise RuntimeError(
                        "Another run of this pipeline has begun; use a pipeline for each source "
                        "that is analysed at the same time."
                    )
                yield frame, self.process(frame, dropped)

    def process(self, frame: Frame, dropped: int = 0, view: View | None = None) -> FrameResult:
        """Analyse one frame.

        Args:
            frame: the next frame; times must not fall.
            dropped: frames lost since the last one.
            view: filter and maps, if a viewer has chosen others than the configuration's.

        Raises:
            ValueError: the pipeline is closed.
        """
        prepared = self.prepare(self.seek(frame, dropped, view))
        return self.conclude(prepared, infer(self._backend, [prepared])[0])

    def seek(
        self,
        frame: Frame,
        dropped: int = 0,
        view: View | None = None,
        begin: BeginSearch = sought_here,
    ) -> Sought:
        """The first part of `process`: noise; and the search for faces is begun.

        Frames go through each part in their order; several may be in one, with the same view.

        Args:
            frame: the next frame; times must not fall.
            dropped: as in `process`.
            view: as in `process`.
            begin: begins the search, in a thread that takes one after the other; by default it is
                done here.

        Raises:
            ValueError: the pipeline is closed.
        """
        if self._closed:
            raise ValueError("The pipeline is closed; make a new one.")
        if frame.connection != self._connection and self._connection is not None:
            # Tracks and averages know seconds; these count frames, and would reach over any gap.
            self._meter.reset()
            self._search = FaceSearch()
        self._connection = frame.connection
        watch, search = Stopwatch(self._clock), self._search
        with watch.stage("noise"):
            noise = self._meter.update(frame.bgr)

        def found() -> Faces:
            with watch.stage("faces"):
                return self._detector.detect(frame.bgr, noise, search)

        view = view or View.of(self._config, self.classes)
        self._seeking = begin(found)
        return Sought(frame, noise, self._seeking, view, dropped, watch)

    def prepare(self, sought: Sought) -> Prepared:
        """The second part of `process`, up to the network: tracks, filter, crops.

        Args:
            sought: as `seek` made it; its faces are waited for.
        """
        frame, watch = sought.frame, sought.watch
        found = sought.faces.result()
        with watch.stage("faces"):
            faces = largest(found, self._config.faces.max_faces)
            faces = self._tracker.update(faces, frame.time_s, frame.bgr)
        self._last = frame, sought.noise, faces
        maps = self._looked_at() and self._budget.wants(faces.track_ids)
        return self._prepare(watch, sought.view, sought.dropped, maps)

    def again(self, view: View) -> FrameResult:
        """The last frame's result as it would be with another view; it takes the last one's place.

        Raises:
            ValueError: no frame has been analysed yet.
        """
        prepared = self._prepare(Stopwatch(self._clock), view, 0)
        return self.conclude(prepared, infer(self._backend, [prepared])[0])

    def _prepare(self, watch: Stopwatch, view: View, dropped: int, maps: bool = True) -> Prepared:
        """Filter and crop the faces of the last frame."""
        if self._last is None:
            raise ValueError("There is no frame to analyse again.")
        frame, noise, faces = self._last
        if (view.cam, view.target) != (self._view.cam, self._view.target):  # no blend of two maps
            self._heatmaps = HeatmapStream(self._config.explain.heatmap_smooth_s)
            maps = self._looked_at()
        self._view = view
        name = self._cropper.filter_name(view.filter, noise, faces)
        with watch.stage("crops"):
            images, crops, eta = self._cropper.crop(frame.bgr, faces, noise, name)
        return Prepared(frame, noise, faces, view, name, images, crops, eta, dropped, watch, maps)

    def conclude(self, prepared: Prepared, output: ModelOutput) -> FrameResult:
        """The third part of `process`: what the network's output means.

        Args:
            prepared: as `prepare` made it.
            output: of the network, for its faces.
        """
        frame, faces, view, watch = prepared.frame, prepared.faces, prepared.view, prepared.watch
        with watch.stage("explain"):
            raw = calibrate(output.logits, prepared.eta, prepared.crops, self._card)
            smoothed = self._probabilities.update(raw, faces.track_ids, frame.time_s)
            heatmaps = self._heat(output, prepared)
            doubt = self._config.labels
            reasons = doubts(smoothed, faces, prepared.crops, doubt, self._card)
        labels = tuple(self._card.classes[k] for k in smoothed.argmax(1))
        self._budget.saw(faces.track_ids, labels)
        return FrameResult(
            index=frame.index,
            time_s=frame.time_s,
            faces=faces,
            noise=prepared.noise,
            filter_name=prepared.filter_name,
            eta=prepared.eta,
            classes=self._card.classes,
            probabilities=raw,
            smoothed=smoothed,
            labels=labels,
            uncertain=np.array([bool(r) for r in reasons], np.bool_),
            reasons=reasons,
            heatmaps=heatmaps,
            crop_boxes=crop_boxes(faces.boxes, self._card),
            timings=Timings(watch.stages_ms),
            dropped=prepared.dropped,
            crops=prepared.crops,
            cam=view.cam,
            target=self._card.classes[view.target] if view.target >= 0 else "",
            filter_reason=self._cropper.reason(prepared.filter_name, view.filter, prepared.noise),
        )

    def _heat(self, output: ModelOutput, prepared: Prepared) -> F32:
        """Heatmaps (N, S, S) of a frame: new ones, or those that its faces had last."""
        ids, time_s = prepared.faces.track_ids, prepared.frame.time_s
        if output.cams.size or not len(ids):
            cams = output.cams[:, CAM_NAMES.index(prepared.view.cam)]
            heat = self._heatmaps.update(cams, ids, time_s)
        else:
            heat = self._heatmaps.held(ids, time_s)
        return aligned(heat, self._card.input_px)


def largest(faces: Faces, n: int) -> Faces:
    """At most n faces, the largest, in their order."""
    if len(faces) <= n:
        return faces
    size = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(1)
    kept = np.sort(np.argsort(-size, kind="stable")[:n])
    return Faces(faces.boxes[kept], faces.scores[kept], faces.eyes[kept], faces.track_ids[kept])
