"""What a person sees of a run, on standard error.

A display decides when a snapshot is shown, and overview.py how: `Dashboard` in a terminal,
`PlainLines` elsewhere, `Silent` with --quiet.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from fervid.errors import ReaderGone
from fervid.overview import render_all
from fervid.status import Snapshot
from fervid.words import plain_line

REFRESH_S = 1 / 8
MOST_OF_TIME = 0.02  # that drawing may take, on a slow terminal too
PLAIN_EVERY_S = 5.0

Make = Callable[[], tuple[Snapshot, ...]]  # one a source


class Display(Protocol):
    """Shows the state of a run while it lasts; `update` may be called with every frame."""

    def __enter__(self) -> Self:
        """Take the terminal."""

    def update(self, make: Make) -> None:
        """Show new snapshots if it is time for them; only then are they made."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show the last state and give the terminal back."""


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def update(self, make: Make) -> None:
        """Do nothing."""

    def __exit__(self, *exc: object) -> None:
        pass


class PlainLines:
    """A line a source every few seconds and at the end, for what is no terminal."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._next_s = clock() + PLAIN_EVERY_S
        self._make: Make | None = None

    def __enter__(self) -> Self:
        return self

    def update(self, make: Make) -> None:
        """Print a line if it is time for one."""
        self._make = make
        now = self._clock()
        if now >= self._next_s:
            self._next_s = now + PLAIN_EVERY_S
            self._print(make)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        make, self._make = self._make, None
        if make is not None and not isinstance(error, ReaderGone):
            self._print(make)

    def _print(self, make: Make) -> None:
        for snapshot in make():
            line = plain_line(snapshot)
            self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


class Dashboard:
    """The panels of `render_all`, redrawn in place at most eight times a second.

    Args:
        console: a terminal.
        clock: seconds.
        footer: a line below the panels.
    """

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float],
        footer: Callable[[], str] | None = None,
    ) -> None:
        self._console = console
        self._clock = clock
        self._footer = footer
        self._next_s = clock()
        self._make: Make | None = None
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def update(self, make: Make) -> None:
        """Redraw if it is time; the slower the terminal, the more seldom."""
        self._make = make
        began = self._clock()
        if began < self._next_s:
            return
        self._draw(make)
        now = self._clock()
        self._next_s = began + max(REFRESH_S, (now - began) / MOST_OF_TIME)

    def __exit__(self, *exc: object) -> None:
        make, self._make = self._make, None
        try:
            if make is not None:
                self._draw(make)
        finally:
            self._live.stop()

    def _draw(self, make: Make) -> None:
        width, height = self._console.size
        below = [Text(self._footer())] if self._footer else []
        ascii_only = self._console.options.ascii_only
        panels = render_all(make(), width, height - len(below), ascii_only)
        self._live.update(Group(*panels, *below), refresh=True)


def open_display(
    console: Console,
    *,
    quiet: bool,
    clock: Callable[[], float],
    shared: bool = False,
    footer: Callable[[], str] | None = None,
) -> Display:
    """The display that suits a console.

    Args:
        console: writes to standard error.
        quiet: show nothing.
        clock: seconds, monotonic.
        shared: data are written to the same terminal; a panel redrawn in place would mix with
            them.
        footer: a line below the panels of a terminal.
    """
    if quiet:
        return Silent()
    if not console.is_terminal or console.is_dumb_terminal or shared:
        return PlainLines(console, clock)
    return Dashboard(console, clock, footer)
