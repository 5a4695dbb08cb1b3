"""The state of several sources in one panel: a compact row each, and their faces below it."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from fervid.glyphs import ASCII, LOST, UNICODE, UNSURE, Framed, padded
from fervid.panel import MAX_WIDTH, keys_line, render, state_text
from fervid.portraits import short_lines
from fervid.status import FaceView, Snapshot
from fervid.words import clock_time, doubt_words, drop_words, noise_words, offline_words, shown

LEAST_PANEL = 14  # rows of a panel of its own
STATE, FPS, NOISE = 13, 6, 24  # columns
NAMES = (10, 24)  # least and most columns of a source's name
WIDE = 100  # columns from which the noise has one


def render_all(
    snapshots: Sequence[Snapshot], width: int, height: int, ascii_only: bool = False
) -> list[RenderableType]:
    """Panels that together have at most `width` x `height` - 1 characters.

    Each source has a panel of its own where there is room, else a row.

    Args:
        snapshots: of the sources, in their order.
        width: of the terminal, in columns.
        height: of the terminal, in rows.
        ascii_only: the terminal's encoding has no block characters.
    """
    share = (height - 1) // max(len(snapshots), 1)
    if len(snapshots) < 2 or share >= LEAST_PANEL:
        return [render(snapshot, width, share + 1, ascii_only) for snapshot in snapshots]
    width = max(min(width, MAX_WIDTH), 20)
    glyphs = ASCII if ascii_only else UNICODE
    inner, rows = width - 4, height - 3
    name = min(max(NAMES[0], *(len(s.source) for s in snapshots)), NAMES[1], max(inner // 4, 8))
    shown_ones = snapshots if len(snapshots) < rows else snapshots[: max(rows - 2, 1)]
    each = max((rows - 3 - len(shown_ones)) // len(shown_ones), 0)
    lines = [_heading(name, inner)]
    for snapshot in shown_ones:
        lines.append(_row(snapshot, name, inner))
        faces = [] if snapshot.state != "running" else snapshot.faces
        lines += [_indented(line) for line in short_lines(faces, each, inner - 2, glyphs)[:each]]
    if len(shown_ones) < len(snapshots):
        lines.append(Text(f"+{len(snapshots) - len(shown_ones)} more", "dim"))
    if len(lines) + 2 <= rows:
        lines += [Text(), keys_line(_with_keys(snapshots))]
    running = [s for s in snapshots if s.state == "running"]
    title = Text(f"fervid  {len(snapshots)} sources", "bold")
    state = Text(f"{sum(s.fps for s in running):.1f} fps in all", "bold")
    return [Framed(title, state, lines[: max(rows, 1)], width, glyphs)]


def _with_keys(snapshots: Sequence[Snapshot]) -> Snapshot:
    """A source whose keys are to be told: one with a window, if there is one."""
    running = [s for s in snapshots if s.state == "running"] or list(snapshots)
    return next((s for s in running if s.window), running[0])


def _heading(name: int, inner: int) -> Text:
    noise = padded("noise", NOISE) if inner >= WIDE else ""
    words = f"{padded('source', name)} {padded('state', STATE)}{'fps':>{FPS}}  {noise}"
    return Text(f"{words}faces, dropped frames", "dim")


def _row(snapshot: Snapshot, name: int, inner: int) -> Text:
    label = padded(shown(snapshot.source), name)
    if snapshot.offline and snapshot.state == "running":
        return Text.assemble(f"{label} ", (offline_words(snapshot.offline), f"bold {LOST}"))
    state = state_text(snapshot)
    if snapshot.state == "running" and snapshot.live:
        state.append(f" {clock_time(snapshot.position_s)}")
    state.truncate(STATE - 1, pad=True)
    noise = padded(noise_words(snapshot), NOISE) if inner >= WIDE else ""
    drops = drop_words(snapshot)
    return Text.assemble(
        (label, "bold"),
        " ",
        state,
        f" {snapshot.fps:{FPS}.1f}  {noise}",
        _faces(snapshot),
        ("" if drops == "0" else f"   dropped {drops}", UNSURE),
    )


def _faces(snapshot: Snapshot) -> Text:
    """The largest face by its label, and how many more; of an ended source the totals."""
    if snapshot.state != "running":
        return Text(f"{snapshot.faces_total:,} faces in {snapshot.frames:,} frames")
    if not snapshot.faces:
        return Text("no face", "dim")
    face = max(snapshot.faces, key=lambda face: face.width_px)
    more = f" +{len(snapshot.faces) - 1}" if len(snapshot.faces) > 1 else ""
    return Text(_told(face) + more, UNSURE if face.uncertain else "")


def _told(face: FaceView) -> str:
    share = dict(face.probabilities).get(face.label, 0.0)
    return f"{face.label}{'?' if doubt_words(face) else ''} {share:.0%}"


def _indented(line: Text) -> Text:
    return Text.assemble("  ", line)
