"""The live page: what a run sees, in a browser, while it goes on (`--serve`).

    run -> Feed (a slot of one a source) -> server, in a thread of its own -> viewers

Nothing here is imported, and no socket opened, without `--serve`; aiohttp is the extra `serve`.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from types import TracebackType
from typing import Any, Self

from fervid.config import RunConfig
from fervid.errors import LibraryMissing
from fervid.live.address import bind, url
from fervid.live.feed import Feed
from fervid.live.figures import greeting
from fervid.live.guard import Guard
from fervid.records import SourceInfo
from fervid.status import Snapshot

WATCHED_S, UNWATCHED_S = 0.25, 2.0  # between two states of a source
MOST_ENDED = 8  # sources that have ended and are still shown

State = tuple[SourceInfo, Callable[[], Snapshot]]


class LivePage:
    """The page of a run; a context manager, which ends its server.

    Args:
        config: of the run; it names the address.
        clock: seconds, monotonic.

    Raises:
        LibraryMissing: aiohttp is not installed.
        SinkError: the address cannot be had.
    """

    def __init__(self, config: RunConfig, clock: Callable[[], float] = time.monotonic) -> None:
        server = _library()
        self._config, self._clock = config, clock
        self._feeds: tuple[Feed, ...] = ()
        self._numbers = itertools.count()
        self._lock = Lock()
        self._next_s = clock()
        host = config.serving.host
        listening = bind(host, config.serving.port)
        self.guard = Guard.of(host, listening.getsockname()[0])
        self.url = url(listening, self.guard)
        hello = greeting(config.output.anonymize)
        self._server = server(listening, self.guard, lambda: self._feeds, hello)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()

    @contextmanager
    def feed(self, info: SourceInfo) -> Iterator[Feed]:
        """Show a source, from now on until others begin after its end."""
        with self._lock:
            open_, ended = ([f for f in self._feeds if f.over is o] for o in (False, True))
            feed = Feed(next(self._numbers), info, self._config)
            self._feeds = (*(ended[-MOST_ENDED:] if open_ else ()), *open_, feed)
        try:
            yield feed
        finally:
            feed.close()

    def update(self, states: Iterable[State]) -> None:
        """Take the states of sources, if it is time for it or they have ended; else none is made.

        Args:
            states: the `info` that each was begun with, and what makes its snapshot.
        """
        now = self._clock()
        due = now >= self._next_s
        if due:
            watched = any(feed.watched for feed in self._feeds)
            self._next_s = now + (WATCHED_S if watched else UNWATCHED_S)
        feeds = {id(feed.info): feed for feed in self._feeds if due or feed.over}
        for info, make in states if feeds else ():
            if id(info) in feeds:
                feeds[id(info)].snapshot = make()


def _library() -> Any:
    """The server's class.

    Raises:
        LibraryMissing: the library that it is made with is not installed.
    """
    try:
        from fervid.live.server import Server
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("fervid"):
            raise
        raise LibraryMissing(
            f"--serve needs {error.name}, which is not installed; pip install 'fervid[serve]'.",
            "serve",
        ) from error
    return Server
