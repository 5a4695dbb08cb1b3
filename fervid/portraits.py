"""Faces as lines for a terminal: a block of bars with their history, or one line each."""

from collections.abc import Sequence

from rich.text import Text

from fervid.glyphs import SURE, UNSURE, Glyphs, fitted, in_rows, padded
from fervid.history import FRAMES, STEP
from fervid.status import FaceView
from fervid.words import doubt_words

MOST_CLASSES = 8  # of a block
LEAST_BLOCK = 52  # columns of a block
MOST_BLOCK = 96
BLOCKS_ACROSS = 3
NAME = 9  # columns of a class
BESIDES = 22  # columns of a face's line that are neither bar nor tail
LEAST_BAR, MOST_BAR = 10, 50
TAIL = 31  # columns for the doubts or the next labels


def faces_lines(faces: Sequence[FaceView], rows: int, inner: int, glyphs: Glyphs) -> list[Text]:
    """As many faces in blocks as fit while the others have a line each.

    Args:
        faces: in the order in which they are shown.
        rows: that they may take.
        inner: columns.
        glyphs: what is drawn with.
    """
    if not faces:
        return [Text("no face", "dim")]
    across = min(max(inner // LEAST_BLOCK, 1), BLOCKS_ACROSS, len(faces))
    high = 1 + min(len(faces[0].probabilities), MOST_CLASSES)
    most = rows // high * across
    n = next(
        (n for n in range(min(most, len(faces)), 0, -1) if _fits(faces, n, across, high, rows)), 0
    )
    width = min(inner // across, MOST_BLOCK)
    lines: list[Text] = []
    for row in in_rows(faces[:n], across):
        blocks = [_block(face, width, glyphs) for face in row]
        lines += [
            Text.assemble(*(fitted(line, width, glyphs) for line in across_line))
            for across_line in zip(*blocks, strict=True)
        ]
    return lines + short_lines(faces[n:], rows - len(lines), inner, glyphs)


def _fits(faces: Sequence[FaceView], n: int, across: int, high: int, rows: int) -> bool:
    """Whether n blocks leave the others a line each, or three of them at least."""
    left = len(faces) - n
    return -(-n // across) * high + min(left, 3) <= rows


def short_lines(faces: Sequence[FaceView], rows: int, inner: int, glyphs: Glyphs) -> list[Text]:
    """A line for each face; if there are too many, the first ones and how many more."""
    if not faces:
        return []
    shown = faces if len(faces) <= rows else faces[: max(rows - 1, 0)]
    tail = max([TAIL, *(len(doubt_words(face)) for face in shown)])
    length = min(max(inner - BESIDES - tail, LEAST_BAR), MOST_BAR)
    lines = [_short(face, inner, length, glyphs) for face in shown]
    if len(shown) < len(faces):
        lines.append(Text(f"+{len(faces) - len(shown)} more", "dim"))
    return lines


def _name(face: FaceView) -> str:
    return f"#{face.track_id}" if face.track_id >= 0 else "#?"


def _ranked(face: FaceView) -> list[tuple[str, float]]:
    """The other classes, the most probable first."""
    others = [p for p in face.probabilities if p[0] != face.label and p[1] >= 0.005]
    return sorted(others, key=lambda p: -p[1])


def _block(face: FaceView, width: int, glyphs: Glyphs) -> list[Text]:
    """Label and doubts, then a bar a class with how it went."""
    rows = list(enumerate(face.probabilities))
    if len(rows) > MOST_CLASSES:
        likely = sorted(rows, key=lambda row: -row[1][1])[:MOST_CLASSES]
        rows = sorted(likely)
    long = (width - 5 - NAME - 1 - 7 - 2) // 2
    lines = [_head(face, width)]
    for k, (name, p) in rows:
        chosen = name == face.label
        strong, colour = ("bold", _colour(face)) if chosen else ("", "dim")
        past = face.history[k] if k < len(face.history) else ()
        line = Text.assemble(
            "     ",
            (f"{padded(name, NAME)} ", strong),
            (glyphs.drawn_bar(p, long), colour),
            (f" {p:4.0%}  ", strong),
            (glyphs.sparkline(past, 1.0, long, FRAMES // STEP), colour),
        )
        lines.append(line)
    return lines


def _head(face: FaceView, width: int) -> Text:
    """The two most probable classes and the doubts; where there is little room, these go first."""
    share, second = dict(face.probabilities).get(face.label, 0.0), _ranked(face)[:1]
    told = f"{face.label}{'?' if face.uncertain else ''} {share:.0%}"
    then = "".join(f", then {name} {p:.0%}" for name, p in second)
    room = width - 5 - len(told) - 4
    if len(then) + len(doubt_words(face)) > room and face.uncertain:
        then = ""
    doubts = doubt_words(face, room - len(then))
    return Text.assemble(
        f"{_name(face):<5}",
        (told, f"bold {_colour(face)}"),
        then,
        (f"   {doubts}" if doubts else "", UNSURE),
    )


def _colour(face: FaceView) -> str:
    return UNSURE if face.uncertain else SURE


def _short(face: FaceView, inner: int, length: int, glyphs: Glyphs) -> Text:
    """Track, label, probability as a bar, then the doubts and the next labels."""
    share = dict(face.probabilities).get(face.label, 0.0)
    room = inner - BESIDES - length
    tail = doubt_words(face, room)
    for i, (name, other) in enumerate(_ranked(face)):
        words = f"{', ' if i else '  then ' if tail else 'then '}{name} {other:.0%}"
        if len(tail) + len(words) > room:
            break
        tail += words
    return Text.assemble(
        f"{_name(face):<5}",
        (f"{padded(face.label, NAME)} ", "bold"),
        (glyphs.drawn_bar(share, length), _colour(face)),
        f" {share:4.0%}  ",
        (tail, UNSURE if face.uncertain else "dim"),
    )
