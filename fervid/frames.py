"""Frames from whatever a caller has: a name, an open source, or pictures of their own."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from fervid.capture import Source, open_source
from fervid.config import ReadConfig
from fervid.prefetch import Prefetch
from fervid.records import Frame

Footage = str | Path | Source | Iterable[Frame] | Iterable[NDArray[np.uint8]]


@contextmanager
def open_frames(footage: Footage, config: ReadConfig) -> Iterator[Iterable[tuple[Frame, int]]]:
    """Open what frames come from, and close it at the end.

    A source is read ahead in a thread of its own. Any other iterable is read in the caller's
    thread, one item at a time: nobody promised that it works in another one.

    Args:
        footage: a file, a URL or a camera as `open_source` takes it; an open source, which is
            closed at the end; frames; or pictures uint8 (H, W, 3), BGR, `config.fps` a second.
        config: how it is read.

    Returns:
        A context of the pairs (frame, frames lost since the last one).

    Raises:
        SourceOpenError: it cannot be opened.
        SourceReadError: while it is iterated: it cannot be read on.
    """
    if isinstance(footage, str | Path):
        footage = open_source(str(footage), config)
    if _is_source(footage):
        with Prefetch(footage) as frames:
            yield frames
    else:
        yield ((frame, 0) for frame in _numbered(footage, config.fps))


def _is_source(footage: object) -> TypeGuard[Source]:
    return hasattr(footage, "info") and hasattr(footage, "close")


def _numbered(items: Iterable[Frame | NDArray[np.uint8]], fps: float) -> Iterator[Frame]:
    """Frames as they are, pictures with a number and a time."""
    for index, item in enumerate(items):
        if isinstance(item, Frame):
            yield item
        else:
            yield Frame(index, index / fps, np.ascontiguousarray(item))
