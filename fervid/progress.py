"""How far a run over many files is, and how long it will take: one line, and how it is shown."""

from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from fervid.console import printable, say

REFRESH_S = 1 / 4
PLAIN_EVERY_S = 5.0
BAR = 40  # columns
MOST_NAMES = 8  # of files that are under way


class Progress:
    """Counts files, and tells from the bytes that are done how long the others will take.

    Args:
        sizes: bytes of each file that has to be analysed.
        done: files that need no work.
        clock: seconds.
    """

    def __init__(self, sizes: Mapping[str, int], done: int, clock: Callable[[], float]) -> None:
        self._left = {source: max(size, 1) for source, size in sizes.items()}
        self._clock, self._began_s = clock, clock()
        self._bytes = 0
        self.total = len(sizes) + done
        self.finished, self.failed = done, 0
        self._parts: dict[str, int] = {}  # bytes of a chunk, by file
        self.n_parts = self.parts_left = 0

    @property
    def several(self) -> bool:
        """Whether there is more than one thing to count."""
        return self.total > 1 or self.n_parts > 0

    def split(self, source: str, n_parts: int, n_left: int) -> None:
        """A file has several chunks, of which so many are left to do."""
        size = self._parts[source] = self._left[source] // n_parts
        self._left[source] = max(size * n_left, 1)
        self.n_parts += n_parts
        self.parts_left += n_left

    def part(self, source: str) -> None:
        """A chunk of a file is done."""
        size = self._parts[source]
        self.parts_left -= 1
        self._bytes += size
        if source in self._left:
            self._left[source] = max(self._left[source] - size, 1)

    def count(self, source: str, *, complete: bool) -> None:
        """A file has ended; one that failed says nothing of how long the others take."""
        size = self._left.pop(source, 0)
        self.finished += 1
        if complete:
            self._bytes += size
        else:
            self.failed += 1

    def left_s(self) -> float | None:
        """Seconds that are left; None while nobody can know."""
        if not self._left:
            return 0.0
        if not self._bytes:
            return None
        return (self._clock() - self._began_s) / self._bytes * sum(self._left.values())

    def line(self) -> str:
        """As in `12 of 200 files, 1 failed, about 3 min left`."""
        parts = [f"{self.finished} of {self.total} files"]
        if self.n_parts:
            parts.append(f"{self.n_parts - self.parts_left} of {self.n_parts} chunks")
        if self.failed:
            parts.append(f"{self.failed} failed")
        left_s = self.left_s()
        if left_s:
            parts.append(f"about {duration(left_s)} left")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time for people, as `40 s`, `3 min` or `2 h 10 min`."""
    if seconds < 59.5:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


class ProgressDisplay:
    """Shows progress while files are analysed elsewhere; a context manager.

    In a terminal it is a bar that is redrawn in place, elsewhere a line every few seconds.

    Args:
        progress: what is shown.
        console: standard error.
        quiet: show nothing.
        clock: seconds.
    """

    def __init__(
        self, progress: Progress, console: Console, *, quiet: bool, clock: Callable[[], float]
    ) -> None:
        self._progress, self._console, self._clock = progress, console, clock
        self._quiet, self._said = quiet, ""
        self._live: Live | None = None
        if not quiet and console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True)
        self._next_s = clock() + (0.0 if self._live else PLAIN_EVERY_S)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def update(self, under_way: Collection[str] = ()) -> None:
        """Show the present state if it is time for it.

        Args:
            under_way: names of the files that are being analysed, where they are known.
        """
        now = self._clock()
        if self._quiet or now < self._next_s:
            return
        if self._live:
            self._next_s = now + REFRESH_S
            self._live.update(self._drawn(under_way), refresh=True)
            return
        self._next_s = now + PLAIN_EVERY_S
        line = self._progress.line()
        if line != self._said:
            self._said = line
            say(self._console, f"{line}.")

    def _drawn(self, under_way: Collection[str]) -> Group:
        bar = ProgressBar(self._progress.total, self._progress.finished, width=BAR)
        names = [Text(f"  {printable(name)}") for name in list(under_way)[:MOST_NAMES]]
        return Group(bar, Text(self._progress.line()), *names)
