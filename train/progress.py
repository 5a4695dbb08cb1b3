"""A progress bar with the time left; plain lines where stderr is no terminal."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """Counts steps of a run; a context manager. `quiet` ones say nothing."""

    def __init__(
        self,
        total: int,
        done: int,
        clock: Callable[[], float],
        every_s: float = 60,
        *,
        quiet: bool = False,
    ) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.total, self.done, self.first = total, done, done
        self.clock, self.every_s = clock, every_s
        self.began = self.said = clock()
        self.bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("training", total=total, completed=done)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def advance(self, what: str, loss: float) -> None:
        """One step is done."""
        self.done += 1
        self.bar.update(self.task, completed=self.done, description=f"{what}, loss {loss:.3f}")
        now = self.clock()
        if not self.console.is_terminal and now - self.said >= self.every_s:
            self.said = now
            left = (now - self.began) / (self.done - self.first) * (self.total - self.done)
            self.console.print(
                f"{what}: step {self.done} of {self.total}, loss {loss:.3f}, "
                f"{left / 60:.0f} min left at this pace"
            )
