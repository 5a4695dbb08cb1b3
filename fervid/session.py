"""Session: what all sources of a run share."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fervid.backends import Backend
from fervid.config import ReadConfig, RunConfig
from fervid.link import LinkEvent
from fervid.live import LivePage
from fervid.logins import Logins, read_logins
from fervid.outputs import Target
from fervid.progress import Progress
from fervid.records import Frame, FrameResult
from fervid.sinks import EventSink, RunHeader, Sink
from fervid.writing import RunOutputs


@dataclass(frozen=True, slots=True)
class Session:
    """What all sources of a run share.

    `digest` is the hash of the model's file, `sinks` are outputs that get the results of every
    source, one at a time, `progress` is over all files of a run, `page` is the live page if there
    is one, and `summaries` collects what is known of those that have ended.
    """

    config: RunConfig
    backend: Backend
    digest: str
    stderr: Console
    stdout: TextIO
    clock: Callable[[], float]
    outputs: RunOutputs
    logins: Logins
    sinks: Sequence[Sink] = ()
    progress: Progress | None = None
    page: LivePage | None = None
    summaries: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def logins_for(self, read: ReadConfig) -> Logins:
        """Users and passwords for a source, which may have a file of its own.

        Raises:
            ConfigError: that file cannot be used.
        """
        if read.credentials == self.config.read.credentials:
            return self.logins
        return read_logins(read.credentials, os.environ)

    @property
    def page_maps(self) -> bool:
        """Whether the live page draws heatmaps for those who look."""
        config = self.config
        return self.page is not None and config.output.images and config.explain.heatmap

    @contextmanager
    def sinks_of(
        self, target: Target, header: RunHeader, damaged: Callable[[], int]
    ) -> Iterator[list[Sink]]:
        """Open the sinks of a source, the live page's too, and close them all.

        Args:
            target: the source and its outputs.
            header: of the run over it.
            damaged: how many of its frames could not be read so far.

        Raises:
            SinkError: one cannot be opened, or not be finished.
        """
        with self.outputs.sinks(target, header, damaged) as own, ExitStack() as shown:
            page = [] if self.page is None else [self.page.feed(header.source)]
            yield [*own, *map(shown.enter_context, page)]

    def deliver(
        self,
        target: Target,
        own: Sequence[Sink],
        frame: Frame,
        result: FrameResult,
        drawn: NDArray[np.uint8] | None,
    ) -> None:
        """Take a frame to a source's own sinks, then to those of all sources.

        Raises:
            SinkError: an output cannot be written, or a file has gone.
        """
        for sink in own:
            sink.write(frame, result, drawn)
        with self.lock:
            for sink in self.sinks:
                sink.write(frame, result, drawn)
        self.outputs.refuse_gone(target)

    def announce(self, target: Target, own: Sequence[Sink], event: LinkEvent) -> None:
        """Take an event of a live source to those of its sinks that want to know.

        Raises:
            SinkError: an output cannot be written, or a file has gone.
        """
        for sink in own:
            if isinstance(sink, EventSink):
                sink.note(event)
        with self.lock:
            for sink in self.sinks:
                if isinstance(sink, EventSink):
                    sink.note(event)
        self.outputs.refuse_gone(target)
