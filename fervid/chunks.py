"""Chunks of a long recording, each analysed by itself (`--chunk`), and how early each begins.

What is remembered from frame to frame, and for how long:

    noise of the frame      its last 5 frames; a kind stays until another has 3 of them
    search for faces        15 frames: a look that found faces; which look has its turn is counted
                            from the file's first frame (`before`)
    identities              2 s without the face; its looks are renewed with a time constant of 1 s
    probabilities           time constant --smooth-s (.5 s), exponential: below what float32 holds
                            after SETTLED time constants, 8.5 s
    heatmaps                none: a chunk makes no pictures

Kinds of noise and faces that were there before have hysteresis, so what was decided long ago may
hold on in the whole run and not in a chunk; docs/archives.md says what that makes of the rows.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from fervid.capture import open_source
from fervid.config import LabelConfig, ReadConfig, RunConfig
from fervid.errors import SourceOpenError
from fervid.logins import Logins
from fervid.records import Frame, SourceInfo
from fervid.source import Source

SETTLED = 17.0  # time constants: exp(-17) is less than the last bit of a float32
IDENTITIES_S = 8.0  # of which the looks of before weigh exp(-8) = .03 %
FRAMES = 30  # twice the memory of the search for faces, so that what it has led to is forgotten


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a recording; times are those of the file's frames.

    Attributes:
        number: of the chunk in its file, from 0.
        begin_s: of its first frame that is analysed; None for the file's, or what --start says.
        from_s: of its first frame that counts.
        end_s: of the first frame that is left to the next chunk; None for the last chunk.
        first: number of the first frame that is analysed of the file.
        info: of the file as a whole.
    """

    number: int
    begin_s: float | None
    from_s: float
    end_s: float | None
    first: int
    info: SourceInfo

    def read(self, read: ReadConfig) -> ReadConfig:
        """How this chunk is read where the file would be read like this."""
        start = read.start if self.begin_s is None else self.begin_s
        end = read.end if self.end_s is None else self.end_s
        return replace(read, every=1, start=start, end=end)


def overlap_s(labels: LabelConfig, info: SourceInfo) -> float:
    """Seconds by which a chunk begins early, so that it remembers what the whole run would."""
    frames_s = float(FRAMES / info.rate) if info.rate else 0.0
    return max(SETTLED * labels.smooth_s, IDENTITIES_S, frames_s)


def cut(config: RunConfig, source: str) -> list[Chunk]:
    """The chunks of a recording; none where it is too short for two, or nobody knows its length.

    Raises:
        SourceError: it cannot be opened or read.
    """
    length_s = config.cores.chunk_s
    read = config.read_for(source)
    with open_source(source, read, threads=config.cores.decode_threads) as opened:
        info, first = opened.info, next(iter(opened), None)
    if first is None or info.live or not info.duration_s:
        return []
    early_s = overlap_s(config.labels, info)
    # What is shorter than the overlap is cheaper as the end of the chunk before it.
    number = math.ceil((info.duration_s - early_s) / length_s)
    from_s = [first.time_s + n * length_s for n in range(number)]
    begin_s = [at - early_s if at - early_s > first.time_s else None for at in from_s]
    # Where nobody counted the pictures, the length may be that of a longer sound.
    while info.n_frames is None and begin_s and not _reaches(config, source, begin_s[-1]):
        del from_s[-1], begin_s[-1]
    if len(from_s) < 2:
        return []
    ends = [*from_s[1:], None]
    return [Chunk(n, begin_s[n], at, ends[n], first.index, info) for n, at in enumerate(from_s)]


def _reaches(config: RunConfig, source: str, at_s: float | None) -> bool:
    """Whether a recording has pictures from a time on; None is its start."""
    if at_s is None:
        return True
    read = replace(config.read_for(source), every=1, start=at_s)
    try:
        open_source(source, read, threads=config.cores.decode_threads).close()
    except SourceOpenError:
        return False
    return True


class ChunkSource:
    """The frames of a chunk, and those before it from which it remembers.

    Args:
        source: the file from where the chunk begins, every frame; closed with this one.
        chunk: which part of it.
        every: one frame of so many counts, from the file's first one on.

    Attributes:
        info: of the file as a whole.
        before: frames that the whole run would have analysed before the first one of these.

    Raises:
        SourceReadError: it cannot be read up to its first frame.
    """

    def __init__(self, source: Source, chunk: Chunk, every: int) -> None:
        self._source, self._chunk = source, chunk
        self.info = chunk.info
        frames = (f for f in source if (f.index - chunk.first) % every == 0)
        first = next(frames, None)
        self.before = 0 if first is None else (first.index - chunk.first) // every
        self._frames = frames if first is None else itertools.chain((first,), frames)
        self._earlier = 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if frame.time_s < self._chunk.from_s:
                self._earlier = self._source.damaged
            yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def damaged(self) -> int:
        """As the source counts, without what the chunk before has counted."""
        return self._source.damaged - self._earlier

    def close(self) -> None:
        """Close the source; closing twice is harmless."""
        self._source.close()


def open_part(
    uri: str, chunk: Chunk | None, read: ReadConfig, *, logins: Logins, threads: int
) -> Source:
    """Open a source, or a chunk of it; as `capture.open_source`."""
    if chunk is None:
        return open_source(uri, read, logins=logins, threads=threads)
    source = open_source(uri, chunk.read(read), logins=logins, threads=threads)
    try:
        return ChunkSource(source, chunk, read.every)
    except BaseException:
        source.close()
        raise
