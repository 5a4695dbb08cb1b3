"""A table once, for the terminal and for Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.markup import escape
from rich.table import Table as RichTable


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table of text; `note` says how to read it."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def rich(self) -> RichTable:
        """For the terminal: the first column left, figures right."""
        table = RichTable(
            title=escape(self.title),
            caption=escape(self.note),
            box=box.SIMPLE,
            title_justify="left",
            caption_justify="left",
        )
        for number, name in enumerate(self.head):
            table.add_column(escape(name), justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*map(escape, row))
        return table

    def markdown(self) -> str:
        """A section with the table and its note."""
        lines = [_line(self.head), _line(["---", *["---:"] * (len(self.head) - 1)])]
        lines += [_line(row) for row in self.rows]
        parts = [f"## {self.title}", *([self.note] if self.note else []), "\n".join(lines)]
        return "\n\n".join(parts)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}"


def figure(value: float | None, digits: int = 3) -> str:
    """A figure with fixed decimals; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
