"""Less of a recording: every Nth frame (`--every`), from and up to a time (`--start`, `--end`)."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

from fervid.config import ReadConfig
from fervid.errors import ConfigError, SourceOpenError
from fervid.link import Link, link_of
from fervid.records import Frame, SourceInfo
from fervid.source import Source


class ThinnedSource:
    """Some frames of a source, at their own times and with their own numbers.

    The first frame is that at or after `start`; from there every `every`th follows, up to but
    without `end`. It is read when the source is opened, so that a start beyond the end is told at
    once; its time is `info.start_s`.

    Args:
        source: is closed with this one.
        read: names `every`, `start` and `end`.

    Raises:
        ConfigError: `start` or `end` is given for a live source.
        SourceOpenError: the recording ends before `start`.
        SourceReadError: it cannot be read up to there.
    """

    def __init__(self, source: Source, read: ReadConfig) -> None:
        self._source, self._every, self._end = source, read.every, read.end
        self._frames: Iterator[Frame] | None = None
        self.info = source.info
        if read.start is None and read.end is None:
            self.info = self._describe(None)
            return
        if self.info.live:
            raise ConfigError(
                f"--start and --end are for recordings, and {self.info.label} is live; leave them "
                "out.",
                "start",
            )
        first = self._first(read.start or 0.0)
        self.info = self._describe(first)

    @property
    def damaged(self) -> int:
        """As the source counts."""
        return self._source.damaged

    @property
    def link(self) -> Link | None:
        """As the source's."""
        return link_of(self._source)

    def __iter__(self) -> Iterator[Frame]:
        for place, frame in enumerate(self._frames or self._source):
            if self._end is not None and frame.time_s >= self._end:
                return
            if place % self._every == 0:
                yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source; closing twice is harmless."""
        self._source.close()

    def _first(self, start_s: float) -> Frame:
        """Read up to the first frame that is wanted, and keep it for the iteration."""
        frames, last = iter(self._source), None
        for frame in frames:
            if frame.time_s >= start_s and (self._end is None or frame.time_s < self._end):
                self._frames = itertools.chain((frame,), frames)
                return frame
            last = frame
            if frame.time_s >= start_s:
                break
        label, uri = self.info.label, self.info.uri
        if last is not None and last.time_s >= start_s:
            raise SourceOpenError(
                f"{label} has no picture between --start and --end; the next comes at "
                f"{last.time_s:.2f} s.",
                uri,
            )
        length = self.info.duration_s or (last.time_s if last else 0.0)
        raise SourceOpenError(
            f"{label} ends at {length:.2f} s, before --start {start_s:g} s; give an earlier time.",
            uri,
        )

    def _describe(self, first: Frame | None) -> SourceInfo:
        """What is left of the source; a number of frames that only counting would tell is None."""
        info, duration_s, n_frames = self.info, self.info.duration_s, self.info.n_frames
        if first is not None:
            if duration_s is not None:
                end_s = duration_s if self._end is None else min(self._end, duration_s)
                duration_s = max(end_s - first.time_s, 0.0)
            if n_frames is not None:
                n_frames = None if self._end is not None else n_frames - first.index
        return replace(
            info,
            rate=info.rate and info.rate / self._every,
            n_frames=None if n_frames is None else -(-max(n_frames, 1) // self._every),
            duration_s=duration_s,
            start_s=first.time_s if first else 0.0,
        )


def thinned(source: Source, read: ReadConfig) -> Source:
    """Return the source with as much left out as a configuration wants."""
    if read.every == 1 and read.start is None and read.end is None:
        return source
    return ThinnedSource(source, read)
