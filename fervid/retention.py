"""Retention: which segments are removed, by --keep and --max-disk."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fervid.config import SegmentConfig
from fervid.segment_folder import (
    Segment,
    is_being_written,
    read_segment,
    remove_segment,
    size_of,
)

# How often sizes are looked at while a segment grows.
CHECK_S = 5.0
SILENT_S = 10.0  # without such a look: nothing is written, as while a camera is away

_log = logging.getLogger(__name__)


class Retention:
    """Removes segments that are too old, then the oldest until the rest is small enough.

    Those of all sources of a run count together, whichever run has written them. A segment that
    is being written stays, and so does every file that fervid has not written itself. What cannot
    be removed is told once and left.

    Args:
        places: the sources' folders.
        config: says how long and how much.
        now: the present moment.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        places: Sequence[Path],
        config: SegmentConfig,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places, self._now, self._clock = places, now, clock
        self._keep = None if config.keep_s is None else timedelta(seconds=config.keep_s)
        self._max_bytes, self._limit = config.max_bytes, config.max_disk
        self._ended: dict[Path, tuple[Segment, int]] = {}  # with their sizes
        self._failed: set[Path] = set()
        self._told_large = False
        self._looked_s = float("-inf")
        self._lock = threading.Lock()

    def look(self) -> None:
        """Remove what has to go, unless that was done a moment ago."""
        if self._clock() - self._looked_s >= CHECK_S:
            self.enforce()

    def look_in_silence(self) -> None:
        """The same where nobody has looked for a while, as nothing is written."""
        if self._clock() - self._looked_s >= SILENT_S:
            self.enforce()

    def enforce(self) -> None:
        """Remove what has to go; nothing is done where another thread is about it already."""
        if self._keep is None and self._max_bytes is None:
            return
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._looked_s = self._clock()
            found = self._found()
            if self._keep is not None:
                oldest = self._now() - self._keep
                found = [s for s in found if s.latest >= oldest or not self._remove(s)]
            if self._max_bytes is not None:
                self._shrink(found, self._max_bytes)
        finally:
            self._lock.release()

    def _found(self) -> list[Segment]:
        """All segments, the oldest first; of those that have ended, each is read once."""
        folders = [f for place in self._places if place.is_dir() for f in place.iterdir()]
        known = {folder: self._ended[folder] for folder in folders if folder in self._ended}
        found = [segment for segment, _ in known.values()]
        for folder in folders:
            segment = None if folder in known else read_segment(folder)
            if segment is None:
                continue
            found.append(segment)
            if segment.ended is not None:
                known[folder] = segment, size_of(segment)
        self._ended = known
        return sorted(found, key=lambda s: (s.begun, s.folder.name))

    def _shrink(self, found: Sequence[Segment], limit: int) -> None:
        """Remove the oldest until the rest is small enough."""
        sizes = [self._size(segment) for segment in found]
        total = sum(sizes)
        for segment, size in zip(found, sizes, strict=True):
            if total <= limit:
                return
            if self._remove(segment):
                total -= size
        if total > limit and not self._told_large:
            self._told_large = True
            _log.warning(
                "The segments take more than --max-disk %s, and what is left of them cannot be "
                "removed or is being written; make the limit larger or --segment shorter",
                self._limit,
            )

    def _size(self, segment: Segment) -> int:
        known = self._ended.get(segment.folder)
        return size_of(segment) if known is None else known[1]

    def _remove(self, segment: Segment) -> bool:
        """Remove a segment unless it is being written; returns whether it is gone."""
        if is_being_written(segment):
            return False
        try:
            remove_segment(segment)
        except OSError as error:
            if segment.folder not in self._failed:
                self._failed.add(segment.folder)
                _log.warning("%s cannot be removed: %s", segment.folder, error.strerror)
            return False
        self._ended.pop(segment.folder, None)
        return True
