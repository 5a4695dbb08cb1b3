"""How far a measurement is, for a person who waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Tell = Callable[[str, int], None]  # what is being done, steps that were finished


@contextmanager
def progress(total: int, stderr: Console) -> Iterator[Tell]:
    """A bar with the time left; where stderr is no terminal, a line for each thing begun."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=stderr,
        disable=not stderr.is_terminal,
    )
    done = 0

    def tell(what: str, steps: int) -> None:
        nonlocal done
        done += steps
        bar.update(task, completed=done, description=what or None)
        if what and not stderr.is_terminal:
            stderr.print(f"{done} of {total}: {what}", highlight=False)

    with bar:
        task = bar.add_task("", total=total)
        yield tell
