"""Panels at fixed sizes, displays with a clock that is told the time; nothing sleeps."""

import io
import math
from datetime import UTC, datetime

import pytest
from rich.console import Console

from fervid.dashboard import (
    PLAIN_EVERY_S,
    REFRESH_S,
    Dashboard,
    PlainLines,
    Silent,
    open_display,
)
from fervid.link import Outage
from fervid.panel import plain_line, render
from fervid.records import FaceView, Snapshot

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
STAGES = ("decode", "noise", "picture", "detect", "track", "filter", "crop", "model", "draw")


def face(track=0, reasons=(), label="happy", share=0.7):
    others = (1 - share) / 6
    shares = tuple((name, share if name == label else others) for name in CLASSES)
    return FaceView(track, label, shares, bool(reasons), tuple(reasons))


def snapshot(**changes):
    values = {
        "source": "clip.mp4",
        "live": False,
        "frames": 1250,
        "n_frames": 5000,
        "position_s": 41.0,
        "duration_s": 164.0,
        "dropped": 0,
        "fps": 29.83,
        "elapsed_s": 40.0,
        "stages": tuple((name, 1.0, 2.0) for name in STAGES),
        "noise_kind": "gaussian",
        "noise_level": 0.12,
        "severity": 0.118,
        "noise_history": tuple(0.15 + 0.15 * math.sin(i / 20) for i in range(240)),
        "filter_name": "gaussian",
        "faces": (face(3), face(4, ("small", "dark"), "sad")),
        "memory_mb": 512.3,
        "faces_total": 2034,
        "tracks_total": 17,
    }
    return Snapshot(**{**values, **changes})


def drawn(shown, width=80, height=24, ascii_only=False):
    console = Console(
        width=width, height=height, file=io.StringIO(), record=True, color_system=None
    )
    console.print(render(shown, width, height, ascii_only))
    return console.export_text()


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def terminal(file=None, **options):
    return Console(file=file or io.StringIO(), force_terminal=True, width=80, height=24, **options)


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (120, 30), (40, 10), (20, 5)])
@pytest.mark.parametrize("n", [0, 2, 100])
def test_the_panel_fits_its_terminal(width, height, n, ascii_only):
    shown = snapshot(
        faces=tuple(face(i, ("confidence", "small", "blurred", "dark")) for i in range(n))
    )
    lines = drawn(shown, width, height, ascii_only).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) == min(max(width, 1), 140)
    if height >= 10:
        assert len(lines) <= height - 1
    if ascii_only:
        assert all(line.isascii() for line in lines)


def test_the_panel_shows_everything():
    text = drawn(snapshot())
    for words in (
        *("clip.mp4", "1,250/5,000", "25%", "at 0:41, 2:00 left", "29.8 fps", "dropped 0"),
        *("512 MB", "2,034 in 17 tracks", "gaussian sigma 0.120", "severity 0.118"),
        *("filter  gaussian", "decode       1.0   2.0", "#3   happy", " 70%", "#4   sad"),
        *("uncertain: small, dark", "then angry 5%"),
    ):
        assert words in text, words


def test_a_probability_bar_is_as_long_as_its_share():
    line = next(x for x in drawn(snapshot(faces=(face(1, share=0.75),))).splitlines() if "#1" in x)
    full, empty = line.count("█"), line.count("░")
    assert full + empty >= 20
    assert full / (full + empty) == pytest.approx(0.75, abs=0.5 / (full + empty))


def test_the_sparkline_keeps_peaks_and_its_scale():
    history = [0.0] * 239 + [0.3]
    line = next(
        x for x in drawn(snapshot(noise_history=tuple(history))).splitlines() if "noise " in x
    )
    assert line.count("█") == 1
    assert not set("▁▂▃▄▅▆▇") & set(line)
    assert "█" not in drawn(
        snapshot(noise_history=(0.1,) * 240, faces=(), n_frames=None, live=True)
    )


def test_too_many_faces_are_cut_with_their_number():
    text = drawn(snapshot(faces=tuple(face(i) for i in range(30))))
    shown = sum(f"#{i} " in text for i in range(30))
    assert 5 < shown < 30
    assert f"+{30 - shown} more" in text
    assert "more" not in drawn(snapshot(faces=tuple(face(i) for i in range(shown))))


def test_a_low_terminal_keeps_the_faces():
    text = drawn(snapshot(), 60, 12)
    assert "#3" in text
    assert "#4" in text
    assert "latency" not in text


def test_a_live_source_has_drops_and_no_time_left():
    text = drawn(snapshot(live=True, n_frames=None, duration_s=None, dropped=1234))
    assert "live 0:41" in text
    assert "dropped 1,234" in text
    assert "left" not in text


def test_progress_by_time_where_the_number_of_frames_is_unknown():
    assert "25%" in drawn(snapshot(n_frames=None))
    assert "at 0:41" in drawn(snapshot(n_frames=None, duration_s=None))
    assert "100%" in drawn(snapshot(frames=6000))


def test_a_hostile_source_name_is_only_shown():
    text = drawn(snapshot(source="[red]a\x1b[2J\n.mp4"))
    assert "[red]a?[2J?.mp4" in text
    assert "\x1b" not in plain_line(snapshot(source="a\x1b[2J"))


def test_no_face_and_a_face_not_followed():
    assert "no face" in drawn(snapshot(faces=()))
    assert "#?   happy" in drawn(snapshot(faces=(face(-1),)))


def test_plain_line():
    assert plain_line(snapshot()) == (
        "clip.mp4: frame 1,250/5,000 25%, 2:00 left; 29.8 fps, dropped 0; "
        "gaussian sigma 0.120, filter gaussian; faces 2 (#3 happy, #4 sad (uncertain)); 512 MB"
    )
    assert "+7 more" in plain_line(snapshot(faces=tuple(face(i) for i in range(10))))


def test_the_display_suits_the_console(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    clock = Clock()
    pipe = Console(file=io.StringIO())
    assert isinstance(open_display(terminal(), quiet=False, clock=clock), Dashboard)
    assert isinstance(open_display(terminal(), quiet=False, clock=clock, shared=True), PlainLines)
    assert isinstance(open_display(terminal(), quiet=True, clock=clock), Silent)
    assert isinstance(open_display(pipe, quiet=False, clock=clock), PlainLines)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_display(terminal(), quiet=False, clock=clock), PlainLines)


def test_plain_lines_come_every_few_seconds_and_at_the_end():
    clock, file = Clock(), io.StringIO()
    with PlainLines(Console(file=file, width=40), clock) as display:
        for i in range(101):  # 10 s
            clock.now = i / 10
            display.update(lambda i=i: (snapshot(frames=i),))
    lines = file.getvalue().splitlines()
    assert PLAIN_EVERY_S == 5
    assert [line.split()[2] for line in lines] == ["50/5,000", "100/5,000", "100/5,000"]


def test_nothing_is_printed_for_a_run_without_frames_nor_by_silent():
    file = io.StringIO()
    with PlainLines(Console(file=file), Clock()):
        pass
    with Silent() as display:
        display.update(lambda: pytest.fail("made a snapshot"))
    assert file.getvalue() == ""


def test_the_dashboard_makes_at_most_eight_snapshots_a_second():
    clock, made = Clock(), []
    with Dashboard(terminal(), clock) as display:
        for i in range(1000):  # 1 s
            clock.now = i / 1000
            display.update(lambda: made.append(1) or (snapshot(),))
        assert len(made) == 8
    assert len(made) == 9  # and the last state


def test_a_slow_terminal_is_drawn_to_less_often():
    clock, made = Clock(), []

    def slow():
        clock.now += 0.05
        made.append(clock.now)
        return (snapshot(),)

    with Dashboard(terminal(), clock) as display:
        while clock.now < 10:
            clock.now += 0.01
            display.update(slow)
        assert len(made) == pytest.approx(10, abs=1)  # 0.05 s is 5 % of each second
    assert REFRESH_S < 0.2


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_terminal_is_restored_whatever_happens(error):
    file = io.StringIO()
    display = Dashboard(terminal(file), Clock())

    def interrupted():
        with display:
            display.update(lambda: (snapshot(),))
            raise error

    with pytest.raises(error):
        interrupted()
    text = file.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert text.rindex("\x1b[?25h") > text.rindex("╯")


def test_the_terminal_is_restored_when_drawing_fails():
    file = io.StringIO()
    display = Dashboard(terminal(file), Clock())
    failing = iter([(snapshot(),)])
    with pytest.raises(StopIteration), display:
        display.update(lambda: next(failing))
    assert file.getvalue().endswith("\x1b[?25h")


def test_no_colour_is_written_without_a_colour_system():
    file = io.StringIO()
    with Dashboard(terminal(file, color_system=None), Clock()) as display:
        display.update(lambda: (snapshot(),))
    assert "\x1b[3" not in file.getvalue()
    assert "#3" in file.getvalue()


def test_several_sources_share_the_terminal():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=40)
    with Dashboard(console, Clock()) as display:
        display.update(lambda: (snapshot(source="door"), snapshot(source="yard")))
    drawn = file.getvalue().split("fervid  door")
    assert len(drawn) > 1
    assert all(text.count("fervid  yard") == 1 for text in drawn[1:])
    assert all(text.count("╰") == 2 for text in drawn[1:])


SINCE = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "long"), [(62.0, "1:02"), (90_000.0, "25:00:00")])
def test_a_source_that_is_offline_says_since_when_and_why(seconds, long):
    lost = Outage(SINCE, "The stream x broke\x1b off (reset)", seconds, 7)
    shown = snapshot(live=True, n_frames=None, duration_s=None, offline=lost, missed=1234, faces=())
    local = SINCE.astimezone()
    day = f"{local:%Y-%m-%d} " if seconds > 86_400 else ""
    words = f"offline since {day}{local:%H:%M:%S} ({long}, attempts 7): The stream x broke? off"
    for text in (drawn(shown, 140), plain_line(shown)):
        assert words in text
        assert "dropped 0 late, 1,234 offline" in text
        assert "live" not in text
    assert "offline" not in drawn(snapshot())
