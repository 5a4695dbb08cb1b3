"""The state of one source as a panel for a terminal; pure functions."""

from rich.text import Text

from fervid.glyphs import ACCENT, ASCII, LOST, SURE, UNICODE, UNSURE, Framed, Glyphs, in_rows
from fervid.history import FRAMES
from fervid.portraits import faces_lines
from fervid.status import Snapshot
from fervid.words import (
    clock_time,
    drop_words,
    filter_words,
    frames_words,
    left_words,
    noise_words,
    offline_words,
    share_done,
    shown,
    state_word,
)

MAX_WIDTH = 200  # columns
CELL = 25  # columns of one stage's name and latencies
SPARK_FULL = 0.3  # severity that fills a spark; the paper's strongest noise
ROOMY = 13  # rows from which a panel has keys and latencies
NARROW = 70  # columns under which what is not needed is left out
NO_WINDOW_KEYS = "Ctrl-C ends the run; what is written stays readable"
WINDOW_KEYS = (
    "window: q quit, space pause, h heatmap, f filter, c map, 1-7 class, s picture, e still, ? help"
)


def render(snapshot: Snapshot, width: int, height: int, ascii_only: bool = False) -> Framed:
    """A panel of at most `width` x `height` - 1 characters, the last row left to the cursor.

    Args:
        snapshot: what to show.
        width: of the terminal, in columns.
        height: of the terminal, in rows.
        ascii_only: the terminal's encoding has no block characters.
    """
    width = max(min(width, MAX_WIDTH), 20)
    inner, rows = width - 4, height - 3
    glyphs = ASCII if ascii_only else UNICODE
    run = [_progress(snapshot, inner, glyphs), _counts(snapshot)]
    picture = [
        _noise(snapshot, inner, glyphs),
        Text(f"filter   {filter_words(snapshot)}"),
        _quality(snapshot, inner),
    ]
    keys = [keys_line(snapshot)] if rows >= ROOMY else []
    few_stages = [slowest_line(snapshot)] if snapshot.stages and rows >= ROOMY else []
    room = rows - len(run) - len(picture) - len(keys)
    faces = faces_lines(snapshot.faces, max(room - len(few_stages), 1), inner, glyphs)
    stages = stage_lines(snapshot, inner)
    stages = stages if len(faces) + len(stages) <= room else few_stages
    parts = [run, picture, faces, stages, keys]
    title = Text(f"fervid  {shown(snapshot.source)}", style="bold")
    lines = _spread(parts, rows)[: max(rows, 1)]
    return Framed(title, state_text(snapshot), lines, width, glyphs)


def _spread(parts: list[list[Text]], rows: int) -> list[Text]:
    """The parts one below the other, with blank lines between them as far as there is room."""
    parts = [part for part in parts if part]
    spare = rows - sum(map(len, parts))
    lines = parts[0]
    for part in parts[1:]:
        lines = [*lines, *([Text()] if spare > 0 else []), *part]
        spare -= 1
    return lines


def state_text(snapshot: Snapshot) -> Text:
    """What the source does, in a word."""
    word = state_word(snapshot)
    lost = word in ("offline", "failed")
    return Text(word, f"bold {LOST}" if lost else f"bold {SURE}" if word == "live" else "bold")


def keys_line(snapshot: Snapshot) -> Text:
    """The keys that do something."""
    if snapshot.state != "running":
        return Text()
    return Text(WINDOW_KEYS if snapshot.window else NO_WINDOW_KEYS, "dim")


def _progress(snapshot: Snapshot, inner: int, glyphs: Glyphs) -> Text:
    """Frames, and for a file a bar with the time left."""
    head = f"frame    {frames_words(snapshot)}"
    if snapshot.offline:
        return Text.assemble(f"{head}   ", (offline_words(snapshot.offline), f"bold {LOST}"))
    done, place = share_done(snapshot), clock_time(snapshot.position_s)
    if done is None:
        return Text(f"{head}   {'live' if snapshot.live else 'at'} {place}")
    tail = f" {done:4.0%}  at {place}{left_words(snapshot)}"
    length = min(max(inner - len(head) - len(tail) - 3, 5), 60)
    return Text.assemble(f"{head}   ", (glyphs.drawn_bar(done, length), ACCENT), tail)


def _counts(snapshot: Snapshot) -> Text:
    """Rate, drops, memory and totals."""
    drops = drop_words(snapshot)
    return Text.assemble(
        "speed    ",
        (f"{snapshot.fps:.1f} fps", "bold"),
        "   dropped ",
        (drops, "" if drops == "0" else UNSURE),
        f"   faces {snapshot.faces_total:,} in {snapshot.tracks_total:,} "
        f"track{'' if snapshot.tracks_total == 1 else 's'}",
        f"   memory {snapshot.memory_mb:,.0f} MB",
    )


def _noise(snapshot: Snapshot, inner: int, glyphs: Glyphs) -> Text:
    """Kind, level and severity, and how the severity went."""
    clean = snapshot.noise_kind == "clean"
    words = f"{noise_words(snapshot):<27}"
    words += f" severity {snapshot.severity:.3f}  " if inner >= NARROW else ""
    span = f" last {snapshot.history_s:.0f} s" if snapshot.history_s >= 1 else ""
    room = min(inner - 9 - len(words) - len(span), 60)
    drawn = glyphs.sparkline(snapshot.noise_history, SPARK_FULL, room, FRAMES)
    colour = SURE if clean else UNSURE
    return Text.assemble("noise    ", (words, colour), (drawn, colour), (span, "dim"))


def _quality(snapshot: Snapshot, inner: int) -> Text:
    """What else is wrong with the picture, each 0 (good) to 1 (bad)."""
    parts = [
        f"{name} {value:.2f}"
        for name, value in zip(("blocks", "blur", "darkness"), snapshot.quality, strict=True)
    ]
    scale = "   0 good, 1 bad" if inner >= NARROW else ""
    return Text.assemble("quality  ", "   ".join(parts), (scale, "dim"))


def stage_lines(snapshot: Snapshot, inner: int) -> list[Text]:
    """Latencies of the stages, several on a line."""
    if not snapshot.stages:
        return []
    cells = [
        f"{name[:10]:<10}{p50:6.1f}{p95:6.1f}".ljust(CELL) for name, p50, p95 in snapshot.stages
    ]
    rows = map("".join, in_rows(cells, max(inner // CELL, 1)))
    return [
        Text("latency in ms: median and 95th percentile of each stage", "dim"),
        *map(Text, rows),
    ]


def slowest_line(snapshot: Snapshot) -> Text:
    """The stages on one line, the slowest first."""
    slowest = sorted(snapshot.stages, key=lambda stage: -stage[1])
    words = ", ".join(f"{name} {p50:.1f}" for name, p50, _ in slowest)
    return Text(f"latency  {words} ms")
