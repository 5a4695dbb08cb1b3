"""What panels in a terminal are drawn with: bars, sparklines, frames and colours.

The colours are as far from black as from white (at least 4:1), so they are seen on light and on
dark terminals; nothing is said by colour alone, so it may be missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

T = TypeVar("T")
SURE, UNSURE, LOST, ACCENT = "#118a3c", "#b86800", "#d03030", "#0878c8"
DIM = Style(dim=True)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters for a kind of terminal.

    Attributes:
        bar: of a full and of an empty cell.
        sparks: from nothing to full.
        frame: corners from the upper left by lines, then a horizontal and a vertical line.
        overflow: how rich shortens a text.
    """

    bar: str
    sparks: str
    frame: str
    overflow: str

    def drawn_bar(self, share: float, length: int) -> str:
        """A bar of `length` characters, filled by a share of 0-1."""
        filled = round(min(max(share, 0.0), 1.0) * length)
        return self.bar[0] * filled + self.bar[1] * (length - filled)

    def sparkline(self, values: Sequence[float], full: float, length: int, most: int) -> str:
        """A history in at most `length` characters, each the highest of its values.

        Args:
            values: oldest first.
            full: the value that fills a character.
            length: characters.
            most: values that there can be, so that a character always stands for as many.
        """
        if length < 1 or not values:
            return ""
        length, scale = min(length, most), (len(self.sparks) - 1) / full
        kept = np.array(values[-most:], np.float64)
        starts = -(-np.arange(length) * most // length)
        highest = np.maximum.reduceat(kept, starts[starts < len(kept)])
        places = np.minimum(highest * scale + 0.5, len(self.sparks) - 1).astype(np.int64)
        return "".join([self.sparks[place] for place in places.tolist()])


UNICODE = Glyphs("█░", " ▁▂▃▄▅▆▇█", "╭╮╰╯─│", "ellipsis")
ASCII = Glyphs("#.", " .:-=+*#@", "++++-|", "crop")


@dataclass(frozen=True, slots=True)
class Framed:
    """Lines in a frame with a title, as something that rich prints.

    rich's own Panel lays every text out anew, which takes ten times as long.

    Attributes:
        title: in the frame's upper side.
        state: the same, at its right end.
        lines: each is one row, and cut where it is too long.
        width: of the whole, in columns.
        glyphs: for the frame.
    """

    title: Text
    state: Text
    lines: Sequence[Text]
    width: int
    glyphs: Glyphs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._top(console)
        side, inner = self.glyphs.frame[5], self.width - 4
        for line in self.lines:
            yield Segment(f"{side} ", DIM)
            yield from fitted(line, inner, self.glyphs).render(console)
            yield Segment(f" {side}\n", DIM)
        corners, rule = self.glyphs.frame[2:4], self.glyphs.frame[4]
        yield Segment(f"{corners[0]}{rule * (self.width - 2)}{corners[1]}\n", DIM)

    def _top(self, console: Console) -> Iterable[Segment]:
        corners, rule = self.glyphs.frame[:2], self.glyphs.frame[4]
        state = self.state if self.state.cell_len + 12 < self.width else Text()
        room = self.width - 6 - (state.cell_len + 2 if state else 0)
        title = self.title.copy()
        title.truncate(max(room, 1), overflow=self.glyphs.overflow)  # type: ignore[arg-type]
        title.end = state.end = ""
        yield Segment(f"{corners[0]}{rule} ", DIM)
        yield from title.render(console)
        used = title.cell_len + (state.cell_len + 2 if state else 0)
        yield Segment(f" {rule * max(self.width - 5 - used, 0)}", DIM)
        if state:
            yield Segment(" ", DIM)
            yield from state.render(console)
            yield Segment(" ", DIM)
        yield Segment(f"{corners[1]}\n", DIM)


def fitted(line: Text, width: int, glyphs: Glyphs) -> Text:
    """A line of exactly `width` columns, cut or filled up."""
    line = line.copy()
    line.truncate(width, overflow=glyphs.overflow, pad=True)  # type: ignore[arg-type]
    line.end = ""
    return line


def padded(text: str, width: int) -> str:
    """A text of exactly `width` columns, also where letters take two."""
    while cell_len(text) > width:
        text = text[:-1]
    return text + " " * (width - cell_len(text))


def in_rows(items: Sequence[T], across: int) -> list[Sequence[T]]:
    """Items in rows of so many."""
    return [items[i : i + across] for i in range(0, len(items), across)]
