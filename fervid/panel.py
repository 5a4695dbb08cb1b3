"""The state of a run as text: a panel for a terminal, a line for a log; pure functions."""

from rich import box
from rich.panel import Panel
from rich.text import Text

from fervid.link import Outage
from fervid.records import FaceView, Snapshot

MAX_WIDTH = 140  # columns; wider lines are hard to follow
BESIDES = 22  # columns of a face's line that are neither bar nor tail
TAIL = 31  # columns for the doubts or the next labels
CELL = 25  # columns of one stage's name and latencies
LEVEL_NAMES = {"gaussian": "sigma", "salt_pepper": "density", "speckle": "sigma"}
UNICODE_BAR, ASCII_BAR = "█░", "#."
UNICODE_SPARKS, ASCII_SPARKS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
DAY_S = 86_400.0
SPARK_FULL = 0.3  # severity that fills a spark; the paper's strongest noise


def render(snapshot: Snapshot, width: int, height: int, ascii_only: bool = False) -> Panel:
    """A panel of at most `width` x `height` - 1 characters, the last row left to the cursor.

    Args:
        snapshot: what to show.
        width: of the terminal, in columns.
        height: of the terminal, in rows.
        ascii_only: the terminal's encoding has no block characters.
    """
    width = min(width, MAX_WIDTH)
    inner = max(width - 4, 20)
    bar = ASCII_BAR if ascii_only else UNICODE_BAR
    stages = [*_stages(snapshot, inner), Text()]
    lines = [_progress(snapshot, inner, bar), _counts(snapshot), Text()]
    lines += [_noise(snapshot, inner, ASCII_SPARKS if ascii_only else UNICODE_SPARKS)]
    lines += [Text(f"filter  {snapshot.filter_name}"), Text()]
    if height - 3 - len(lines) - len(stages) >= min(len(snapshot.faces), 3):
        lines += stages  # of a low terminal the faces get the room
    lines += _faces(snapshot.faces, height - 3 - len(lines), inner, bar)
    for line in lines:
        line.truncate(inner, overflow="crop" if ascii_only else "ellipsis")
    title = Text(f"fervid  {_shown(snapshot.source)}", style="bold")
    title.truncate(inner, overflow="crop" if ascii_only else "ellipsis")
    return Panel(
        Text("\n").join(lines),
        box=box.ASCII if ascii_only else box.ROUNDED,
        title=title,
        title_align="left",
        width=width,
        border_style="dim",
    )


def _shown(text: str) -> str:
    """Text without characters that a terminal would obey or cannot show."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _clock_time(seconds: float) -> str:
    """Seconds as 1:02 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(share: float, length: int, chars: str) -> str:
    """A bar of `length` characters, filled by a share of 0-1."""
    filled = round(min(max(share, 0.0), 1.0) * length)
    return chars[0] * filled + chars[1] * (length - filled)


def offline_words(outage: Outage) -> str:
    """Since when (local time), for how long, why and how often it was tried."""
    since = outage.since.astimezone()
    day = f"{since:%Y-%m-%d} " if outage.seconds >= DAY_S else ""
    return (
        f"offline since {day}{since:%H:%M:%S} ({_clock_time(outage.seconds)}, attempts "
        f"{outage.attempts}): {_shown(outage.cause)}"
    )


def _share_done(snapshot: Snapshot) -> float | None:
    """How much of a file is done, 0-1; None for a live source and where nobody knows."""
    if snapshot.live:
        return None
    if snapshot.n_frames:
        return min(snapshot.frames / snapshot.n_frames, 1.0)
    if snapshot.duration_s:
        return min(snapshot.position_s / snapshot.duration_s, 1.0)
    return None


def _left(snapshot: Snapshot) -> str:
    """The time left, as ", 1:02 left"; empty where it cannot be told yet."""
    done = _share_done(snapshot)
    if not done or snapshot.elapsed_s < 1:
        return ""
    return f", {_clock_time(snapshot.elapsed_s * (1 - done) / done)} left"


def _frames(snapshot: Snapshot) -> str:
    """Frames done, of how many where that is known."""
    of = f"/{snapshot.n_frames:,}" if snapshot.n_frames and not snapshot.live else ""
    return f"{snapshot.frames:,}{of}"


def _progress(snapshot: Snapshot, inner: int, bar: str) -> Text:
    """Frames, and for a file a bar with the time left."""
    head = f"frame   {_frames(snapshot)}"
    if snapshot.offline:
        return Text.assemble(f"{head}   ", (offline_words(snapshot.offline), "bold red"))
    done = _share_done(snapshot)
    if done is None:
        return Text(
            f"{head}   {'live' if snapshot.live else 'at'} {_clock_time(snapshot.position_s)}"
        )
    tail = f" {done:4.0%}  at {_clock_time(snapshot.position_s)}{_left(snapshot)}"
    length = min(max(inner - len(head) - len(tail) - 3, 5), 60)
    return Text.assemble(f"{head}   ", (_bar(done, length, bar), "cyan"), tail)


def _counts(snapshot: Snapshot) -> Text:
    """Rate, drops, memory and totals."""
    return Text.assemble(
        (f"{snapshot.fps:.1f} fps", "bold"),
        "   dropped ",
        (f"{snapshot.dropped:,}", "yellow" if snapshot.dropped else ""),
        (f" late, {snapshot.missed:,} offline" if snapshot.missed else "", "yellow"),
        f"   memory {snapshot.memory_mb:,.0f} MB",
        f"   faces {snapshot.faces_total:,} in {snapshot.tracks_total:,} tracks",
    )


def _noise_words(snapshot: Snapshot) -> str:
    """Kind and level, such as "gaussian sigma 0.120"."""
    name = LEVEL_NAMES.get(snapshot.noise_kind)
    return snapshot.noise_kind + (f" {name} {snapshot.noise_level:.3f}" if name else "")


def _noise(snapshot: Snapshot, inner: int, sparks: str) -> Text:
    """Kind, level and severity, and how the severity went."""
    words = f"{_noise_words(snapshot):<26} severity {snapshot.severity:.3f}  "
    history = snapshot.noise_history
    room = max(inner - 8 - len(words), 1)
    group = -(-len(history) // room) or 1
    peaks = [max(history[i : i + group]) for i in range(0, len(history), group)]
    top = len(sparks) - 1
    drawn = "".join(sparks[min(round(peak / SPARK_FULL * top), top)] for peak in peaks)
    style = "green" if snapshot.noise_kind == "clean" else "yellow"
    return Text.assemble("noise   ", (words, style), drawn)


def _stages(snapshot: Snapshot, inner: int) -> list[Text]:
    """Latencies of the stages, several on a line."""
    cells = [
        f"{name[:10]:<10}{p50:6.1f}{p95:6.1f}".ljust(CELL) for name, p50, p95 in snapshot.stages
    ]
    across = max(inner // CELL, 1)
    rows = ["".join(cells[i : i + across]) for i in range(0, len(cells), across)]
    return [Text("latency in ms: p50 and p95 of each stage", "dim"), *(Text(row) for row in rows)]


def _faces(faces: tuple[FaceView, ...], rows: int, inner: int, bar: str) -> list[Text]:
    """A line for each face; if there are too many, the first ones and how many more."""
    if not faces:
        return [Text("no face", "dim")]
    shown = faces if len(faces) <= rows else faces[: max(rows - 1, 0)]
    tail = max([TAIL, *(len(_doubts(face)) for face in shown)])
    length = min(max(inner - BESIDES - tail, 10), 50)
    lines = [_face(face, inner, length, bar) for face in shown]
    if len(shown) < len(faces):
        lines.append(Text(f"+{len(faces) - len(shown)} more", "dim"))
    return lines


def _doubts(face: FaceView) -> str:
    """Why a label is uncertain; empty if it is not."""
    return f"uncertain: {', '.join(face.reasons)}" if face.uncertain else ""


def _face(face: FaceView, inner: int, length: int, bar: str) -> Text:
    """Track, label, probability as a bar, then the doubts and the next labels."""
    share = dict(face.probabilities).get(face.label, 0.0)
    tail, room = _doubts(face), inner - BESIDES - length
    others = [p for p in face.probabilities if p[0] != face.label and p[1] >= 0.005]
    others.sort(key=lambda p: -p[1])
    for i, (name, other) in enumerate(others):
        words = f"{', ' if i else '  then ' if tail else 'then '}{name} {other:.0%}"
        if len(tail) + len(words) > room:
            break
        tail += words
    return Text.assemble(
        f"{f'#{face.track_id}' if face.track_id >= 0 else '#?':<5}",
        (f"{face.label[:9]:<9} ", "bold"),
        (_bar(share, length, bar), "yellow" if face.uncertain else "green"),
        f" {share:4.0%}  ",
        (tail, "yellow" if face.uncertain else "dim"),
    )


def plain_line(snapshot: Snapshot) -> str:
    """A snapshot as one line without control characters, for logs and pipes."""
    done = _share_done(snapshot)
    faces = ", ".join(
        f"#{face.track_id} {face.label}{' (uncertain)' if face.uncertain else ''}"
        for face in snapshot.faces[:3]
    )
    more = f", +{len(snapshot.faces) - 3} more" if len(snapshot.faces) > 3 else ""
    parts = (
        f"{_shown(snapshot.source)}: frame {_frames(snapshot)}"
        + (f" {done:.0%}" if done is not None else "")
        + _left(snapshot),
        *([offline_words(snapshot.offline)] if snapshot.offline else []),
        f"{snapshot.fps:.1f} fps, dropped {snapshot.dropped:,}"
        + (f" late, {snapshot.missed:,} offline" if snapshot.missed else ""),
        f"{_noise_words(snapshot)}, filter {snapshot.filter_name}",
        f"faces {len(snapshot.faces)}" + (f" ({faces}{more})" if faces else ""),
        f"{snapshot.memory_mb:,.0f} MB",
    )
    return "; ".join(parts)
