"""Frames on their way into the network, which takes the faces of several in one call."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Condition, Lock
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend
from fervid.controls import View
from fervid.errors import ModelError
from fervid.filters import FilterName
from fervid.records import CAM_NAMES, F32, Faces, Frame, ModelOutput, Noise

Answer = Future[ModelOutput]
BeginSearch = Callable[[Callable[[], Faces]], Future[Faces]]  # seeks faces, here or in a thread


class Stopwatch:
    """Times the stages of one frame."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.stages_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside; a stage may have several parts."""
        start = self._clock()
        yield
        took_ms = (self._clock() - start) * 1000
        self.stages_ms[name] = self.stages_ms.get(name, 0.0) + took_ms


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """A frame whose faces are sought.

    Attributes:
        frame: what is analysed.
        noise: of it.
        faces: what the detector finds, once it has.
        view: how it is analysed.
        dropped: frames lost before it.
        watch: times its stages.
    """

    frame: Frame
    noise: Noise
    faces: Future[Faces]
    view: View
    dropped: int
    watch: Stopwatch


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame up to the network.

    Attributes:
        frame: what is analysed.
        noise: of it.
        faces: that are followed in it, N.
        view: how it is analysed.
        filter_name: of the filter that the crops have seen.
        images: float32 (N, 3, S, S), the network's input.
        crops: uint8 (N, S, S), the same before normalisation.
        eta: float32 (N,), noise left in each crop.
        dropped: frames lost before it.
        watch: times its stages.
        maps: whether new heatmaps are wanted.
    """

    frame: Frame
    noise: Noise
    faces: Faces
    view: View
    filter_name: FilterName
    images: F32
    crops: NDArray[np.uint8]
    eta: F32
    dropped: int
    watch: Stopwatch
    maps: bool = True


def sought_here(seek: Callable[[], Faces]) -> Future[Faces]:
    """Seek faces here and now, as a `BeginSearch` that has no thread."""
    found: Future[Faces] = Future()
    found.set_result(seek())
    return found


class Network:
    """Runs the network beside the caller; a context manager.

    While a call runs, the frames that are begun wait; the next call takes the faces of all of them.

    Args:
        backend: runs it; it stays open.
        news: notified when the output for a frame is there.
        at_once: calls at the same time.
    """

    def __init__(self, backend: Backend, news: Condition, at_once: int = 1) -> None:
        self._backend, self._news, self.at_once = backend, news, at_once
        self._threads = ThreadPoolExecutor(at_once, "fervid-network")
        self._waiting: list[tuple[Prepared, Answer]] = []
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def begin(self, frame: Prepared) -> Answer:
        """Begin a frame, and do not wait.

        Returns:
            The network's output for it, once it is there, or what the call raised.
        """
        answer: Answer = Future()
        with self._lock:
            self._waiting.append((frame, answer))
        self._threads.submit(self._call)
        return answer

    def _call(self) -> None:
        """One call for all that waits; nothing, if the call before took it along."""
        with self._lock:
            taken, self._waiting = self._waiting, []
        if not taken:
            return
        try:
            outputs = infer(self._backend, [frame for frame, _ in taken])
        except BaseException as error:  # noqa: BLE001 - raised where the output is awaited
            for _, answer in taken:
                answer.set_exception(error)
        else:
            for (_, answer), output in zip(taken, outputs, strict=True):
                answer.set_result(output)
        with self._news:
            self._news.notify_all()


def infer(backend: Backend, frames: Sequence[Prepared]) -> list[ModelOutput]:
    """The network's output for each frame, all their faces in one call; none costs nothing.

    Args:
        backend: runs the network.
        frames: of one source or of several; each is timed as long as the whole call takes.

    Raises:
        ModelError: what it gives are no numbers: the first class would pass for certain, and an
            average over time would never be rid of them.
    """
    with ExitStack() as timed:
        for frame in frames:
            timed.enter_context(frame.watch.stage("network"))
        outputs = _run(backend, [frame for frame in frames if len(frame.faces)])
    empty = _nothing(len(backend.card.classes))
    return [next(outputs) if len(frame.faces) else empty for frame in frames]


def _run(backend: Backend, frames: Sequence[Prepared]) -> Iterator[ModelOutput]:
    """Outputs of frames with faces."""
    if not frames:
        return iter(())
    counts = [len(frame.faces) for frame in frames]
    images = np.concatenate([frame.images for frame in frames])
    eta = np.concatenate([frame.eta for frame in frames])
    target = np.repeat(np.array([frame.view.target for frame in frames], np.int64), counts)
    spared = getattr(backend, "spares_maps", False) and not any(frame.maps for frame in frames)
    if spared:
        out = backend.run(images, eta, target, maps=False)  # type: ignore[call-arg]
    else:
        out = backend.run(images, eta, target)
    if not np.isfinite(out.logits).all():
        raise ModelError(
            f"The model {backend.card.name} gives values that are no numbers; choose another "
            "--device, or export it again."
        )
    cuts = np.cumsum(counts)[:-1]
    parts = (np.split(array, cuts) for array in (out.logits, out.maps, out.cams))
    return iter([ModelOutput(*arrays) for arrays in zip(*parts, strict=True)])


def _nothing(n_classes: int) -> ModelOutput:
    empty = np.zeros((0, len(CAM_NAMES), 1, 1), np.float32)
    maps = np.zeros((0, n_classes, 1, 1), np.float32)
    return ModelOutput(np.zeros((0, n_classes), np.float32), maps, empty)
