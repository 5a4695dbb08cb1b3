"""Passage: the frames of one source that are under way, from the search for faces to the result.

    enter -> (faces are sought) -> ask -> (the network works) -> conclude

What stands in brackets happens in other threads; nothing here waits but `conclude`.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition
from typing import Self

from fervid.batch import Answer, BeginSearch, Prepared, Sought
from fervid.controls import View
from fervid.pipeline import Pipeline
from fervid.records import Faces, Frame, FrameResult


class Seeker:
    """Seeks faces beside the caller, one frame after the other; a context manager.

    Args:
        news: notified when the faces of a frame are found.
    """

    def __init__(self, news: Condition) -> None:
        self._news = news
        self._thread = ThreadPoolExecutor(1, "fervid-seeker")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def begin(self, seek: Callable[[], Faces]) -> Future[Faces]:
        """Begin a search, and do not wait."""
        found = self._thread.submit(seek)
        found.add_done_callback(self._tell)
        return found

    def _tell(self, found: Future[Faces]) -> None:
        with self._news:
            self._news.notify_all()


class Passage:
    """The frames of one source that are under way, in their order.

    Args:
        pipeline: analyses them.
        begin: begins the search for faces in a frame.
    """

    def __init__(self, pipeline: Pipeline, begin: BeginSearch) -> None:
        self._pipeline, self._begin = pipeline, begin
        self._sought: deque[tuple[Sought, float]] = deque()
        self._asked: deque[tuple[Prepared, float, Answer]] = deque()

    def __len__(self) -> int:
        return len(self._sought) + len(self._asked)

    @property
    def found(self) -> bool:
        """Whether `ask` has something to do: the oldest search is over."""
        return bool(self._sought) and self._sought[0][0].faces.done()

    @property
    def answered(self) -> bool:
        """Whether `conclude` would answer at once."""
        return bool(self._asked) and self._asked[0][2].done()

    def enter(self, frame: Frame, dropped: int, view: View, wait_s: float) -> None:
        """Take a frame; `wait_s` are the seconds that it was waited for."""
        self._sought.append((self._pipeline.seek(frame, dropped, view, self._begin), wait_s))

    def ask(self, begin: Callable[[Prepared], Answer]) -> None:
        """Prepare the oldest frame whose faces are found, and have the network begin it.

        Raises:
            FervidError: the search failed.
        """
        sought, wait_s = self._sought.popleft()
        prepared = self._pipeline.prepare(sought)
        self._asked.append((prepared, wait_s, begin(prepared)))

    def conclude(self) -> tuple[Frame, FrameResult, float]:
        """Wait for the network's output for the oldest frame; its result, and `wait_s`.

        Raises:
            FervidError: the network failed.
        """
        prepared, wait_s, answer = self._asked.popleft()
        return prepared.frame, self._pipeline.conclude(prepared, answer.result()), wait_s
