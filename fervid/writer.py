"""Writer: a thread that draws and writes a source's frames beside the analysis of the next ones.

    lane -> queue of frames with their results, bounded in bytes -> draw -> every output

Ctrl-C reaches Python's main thread alone, so a frame is in all outputs or in none.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fervid.interrupt import held_interrupt
from fervid.link import LinkEvent
from fervid.records import Frame, FrameResult

U8 = NDArray[np.uint8]
Write = Callable[[Frame, FrameResult, U8 | None], object]
Tell = Callable[[LinkEvent], object]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A frame on its way to the outputs.

    Attributes:
        frame: what was analysed.
        result: what was found.
        took_s: seconds that stages outside the pipeline took until now, by their names.
        paint: makes the picture for outputs that want one, uint8 (H, W, 3); called in the thread.
        drawn: that picture, where it is there already.
    """

    frame: Frame
    result: FrameResult
    took_s: Mapping[str, float]
    paint: Callable[[], U8] | None = None
    drawn: U8 | None = None

    @property
    def nbytes(self) -> int:
        """Memory of its pictures."""
        return self.frame.bgr.nbytes + (0 if self.drawn is None else self.drawn.nbytes)


class Writer:
    """Draws and writes frames in their order, in a thread of its own; a context manager.

    Memory stays flat: `put` is allowed while there is `room()`. Leaving the context writes what
    waits. After an error nothing more is written, and the owner gets the error itself, once.

    Args:
        write: takes a frame, its result and its picture to all outputs; called in the thread.
        news: notified when there is room again, when all is written, and when writing failed.
        limit_bytes: of what waits; one frame always fits.
        live: no more than one frame waits, so that pictures do not grow old.
        tell: takes an event of a live source to all outputs; called in the thread.
    """

    def __init__(
        self,
        write: Write,
        news: threading.Condition,
        limit_bytes: int,
        *,
        live: bool = False,
        tell: Tell = lambda event: None,
    ) -> None:
        self._write, self._tell, self._changed = write, tell, news
        self._limit_bytes, self._live = limit_bytes, live
        self._waiting: deque[Work | LinkEvent] = deque()
        self._waiting_bytes = self._largest = 0
        self._finished: deque[tuple[FrameResult, dict[str, float]]] = deque()
        self._error: BaseException | None = None
        self._busy = self._failed = self._closed = False
        self._thread = threading.Thread(target=self._run, name="fervid-writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if error is None:
            self.check()
        elif self._error is not None:
            _log.warning("%s", self._error)  # the first error is the one to tell
            self._error = None

    def room(self, frames: int = 1) -> bool:
        """Whether so many frames as large as those before them may be put."""
        if self._failed or (frames == 1 and not self._waiting):
            return True
        return not self._live and self._waiting_bytes + frames * self._largest <= self._limit_bytes

    @property
    def idle(self) -> bool:
        """Whether all that was put is written, or nothing more will be."""
        return self._failed or not (self._waiting or self._busy)

    @property
    def failed(self) -> bool:
        """Whether `check` has an error to raise."""
        return self._error is not None

    def put(self, work: Work) -> None:
        """Hand over the next frame; after an error it is left out, as in every output."""
        with self._changed:
            if self._failed or self._closed:
                return
            self._waiting.append(work)
            self._waiting_bytes += work.nbytes
            self._largest = max(self._largest, work.nbytes)
            self._changed.notify_all()

    def note(self, event: LinkEvent) -> None:
        """Hand over an event, which is written after the frames before it; safe after an error."""
        with self._changed:
            if not (self._failed or self._closed):
                self._waiting.append(event)
                self._changed.notify_all()

    def finished(self) -> list[tuple[FrameResult, dict[str, float]]]:
        """What was written since the last call, with the seconds that each stage took."""
        return [self._finished.popleft() for _ in range(len(self._finished))]

    def check(self) -> None:
        """Raise, once, the error that has stopped the writing.

        Raises:
            SinkError: an output could not be written; also whatever an output of one's own raises.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Write what waits and end the thread; closing twice is harmless."""
        with held_interrupt():  # the outputs must not be closed while the thread writes to them
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            if self._thread.ident is not None:
                self._thread.join()

    def _run(self) -> None:
        """Write until the owner closes and nothing waits, or an output fails; in the thread."""
        while (work := self._next()) is not None:
            try:
                if isinstance(work, LinkEvent):
                    self._tell(work)
                    continue
                took_s = self._deliver(work)
            except BaseException as error:  # noqa: BLE001 - raised again in the owner's thread
                self._fail(error)
                return
            self._finished.append((work.result, took_s))

    def _next(self) -> Work | LinkEvent | None:
        """Wait for the next frame or event; None at the end."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            self._busy = True
            work = self._waiting.popleft()
            self._waiting_bytes -= work.nbytes if isinstance(work, Work) else 0
            self._changed.notify_all()
            return work

    def _deliver(self, work: Work) -> dict[str, float]:
        """Draw and write one frame; returns the seconds of all stages."""
        began = time.perf_counter()
        drawn = work.drawn if work.paint is None else work.paint()
        painted = time.perf_counter()
        self._write(work.frame, work.result, drawn)
        draw_s = work.took_s.get("draw", 0.0) + painted - began
        return {**work.took_s, "draw": draw_s, "write": time.perf_counter() - painted}

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error, self._failed, self._busy = error, True, False
            self._waiting.clear()
            self._changed.notify_all()
