"""Panels at fixed sizes: what they show, that they fit, how they look (tests/fervid/panels/)."""

import io
import os
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console, Group

from fervid import glyphs
from fervid.glyphs import UNICODE
from fervid.link import Outage
from fervid.overview import render_all
from fervid.words import doubt_words, filter_words, plain_line
from tests.panels import CLASSES, drawn, face, live, snapshot

SIZES = [(60, 20), (80, 24), (100, 30), (120, 40), (132, 50), (200, 60)]
PANELS = Path(__file__).parent / "panels"
SINCE = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)
LOST = Outage(SINCE, "The stream x broke\x1b off (reset)", 62.0, 7)
ALL = ("confidence", "small", "blurred", "dark")


def several():
    """Four sources in four states."""
    return [
        live("front door", dropped=12, damaged=2),
        live("rtsp://10.0.0.5/live", offline=LOST, faces=(), missed=1340),
        live("顔 yard", faces=(), noise_kind="clean", filter_name="none", filter_reason="clean"),
        snapshot(state="ended", frames=5000, fps=0.0),
    ]


def as_kept(name, text):
    """Compare a picture in text with the one that is kept; UPDATE_GOLDEN=1 keeps this one."""
    path, text = PANELS / f"{name}.txt", re.sub(r" +$", "", text, flags=re.MULTILINE)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path} differs; UPDATE_GOLDEN=1 rewrites it"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_how_a_panel_looks(width, height):
    as_kept(f"one-{width}x{height}", drawn(snapshot(), width, height))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_how_a_panel_looks_in_ascii(width, height):
    text = drawn(snapshot(), width, height, ascii_only=True)
    assert text.isascii()
    as_kept(f"ascii-{width}x{height}", text)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_how_several_sources_look(width, height, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    as_kept(f"several-{width}x{height}", drawn(several(), width, height))


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(("width", "height"), [*SIZES, (40, 10), (20, 5), (250, 80)])
@pytest.mark.parametrize("n", [0, 1, 2, 5, 100])
@pytest.mark.parametrize("sources", [1, 2, 9])
def test_panels_fit_their_terminal(width, height, n, sources, ascii_only):
    shown = snapshot(faces=tuple(face(i, ALL) for i in range(n)), source="顔" * 30)
    lines = drawn([shown] * sources, width, height, ascii_only).splitlines()
    assert {cell_len(line) for line in lines} == {min(width, 200)}
    if height >= 10:
        assert len(lines) <= height - 1
    if ascii_only:
        assert all(line.replace("顔", "").isascii() for line in lines)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 240), st.integers(1, 90), st.integers(0, 20), st.text(max_size=20))
def test_any_size_is_drawn(width, height, n, name):
    shown = snapshot(faces=tuple(face(i, ALL[: i % 5]) for i in range(n)), source=name)
    lines = drawn(shown, width, height).splitlines()
    assert {cell_len(line) for line in lines} == {min(max(width, 20), 200)} or width < 20
    assert len(lines) <= max(height - 1, 3)


def test_the_panel_shows_everything():
    text = drawn(snapshot())
    for words in (
        *("clip.mp4", "1,250/5,000", "25%", "at 0:41, 2:00 left", "29.8 fps", "dropped 0"),
        *("512 MB", "2,034 in 17 tracks", "gaussian sigma 0.120", "severity 0.118", "last 8 s"),
        "gaussian: against gaussian noise, sigma 0.12",
        *("blocks 0.02", "blur 0.31", "darkness 0.00", "decode       1.5   2.5"),
        *("#3   happy 70%, then angry 5%", "#4   sad", "uncertain: too small (28 px), too dark"),
        "Ctrl-C ends the run",
    ):
        assert words in text, words


def row_of(text, words):
    return next(line for line in text.splitlines() if words in line)


def test_a_bar_is_as_long_as_its_share_and_its_history_ends_there():
    line = row_of(drawn(snapshot(faces=(face(1, share=0.75),))), "happy  ")
    bar, past = line.split("75%")
    full, empty = bar.count("█"), bar.count("░")
    assert full / (full + empty) == pytest.approx(0.75, abs=0.51 / (full + empty))
    drawn_past = past.strip(" │")
    assert list(drawn_past) == sorted(drawn_past)
    assert drawn_past[-1] == "▆"  # .75 of eight eighths


@pytest.mark.parametrize("length", [1, 7, 20, 59, 60, 200])
def test_a_sparkline_keeps_peaks_order_and_scale(length):
    line = UNICODE.sparkline([0.0] * 50 + [1.0] + [0.0] * 9, 1.0, length, 60)
    assert len(line) == min(length, 60)
    assert line.count("█") == 1
    assert line.index("█") == 50 * len(line) // 60
    assert UNICODE.sparkline([0.5] * 30, 1.0, length, 60) == "▄" * len(
        {i * min(length, 60) // 60 for i in range(30)}
    )
    assert UNICODE.sparkline([], 1.0, length, 60) == ""


def test_many_faces_get_a_line_each_and_those_beyond_are_counted():
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


def test_a_model_of_many_classes_shows_the_likely_ones():
    names = [f"class {n:02}" for n in range(40)]
    shares = tuple((name, 0.5 if n == 33 else 0.5 / 39) for n, name in enumerate(names))
    many = replace(face(1), label="class 33", probabilities=shares, history=())
    text = drawn(snapshot(faces=(many,)))
    assert "class 33" in row_of(text, "50%  ")
    assert sum(name in text for name in names) == 8


def test_a_live_source_has_drops_by_cause_and_no_time_left():
    text = drawn(live("camera 0", dropped=1234, missed=7, damaged=3))
    assert "live 0:41" in text
    assert "dropped 1,234 late, 7 offline, 3 damaged" in text
    assert "left" not in text


def test_progress_by_time_where_the_number_of_frames_is_unknown():
    assert "25%" in drawn(snapshot(n_frames=None))
    assert "at 0:41" in drawn(snapshot(n_frames=None, duration_s=None))
    assert "100%" in drawn(snapshot(frames=6000))


@pytest.mark.parametrize("state", ["ended", "failed"])
def test_a_source_that_is_over_says_so_and_offers_no_keys(state):
    for shown in (drawn(snapshot(state=state)), plain_line(snapshot(state=state))):
        assert state in shown
        assert "left" not in shown
        assert "Ctrl-C" not in shown
    assert state in row_of(drawn([live("a"), snapshot(state=state)]), "clip.mp4")


def test_the_keys_are_those_of_the_window_if_there_is_one():
    text = drawn(live("camera 0", window=True), 120)
    for words in ("q quit", "space pause", "e still", "? help"):
        assert words in text
    assert "q quit" not in drawn(live("camera 0"), 120)


def test_a_hostile_source_name_is_only_shown():
    text = drawn(snapshot(source="[red]a\x1b[2J\n.mp4"))
    assert "[red]a?[2J?.mp4" in text
    assert "\x1b" not in plain_line(snapshot(source="a\x1b[2J"))
    assert "\x1b" not in drawn([live("a\x1b[2J"), live("b")])


def test_no_face_and_a_face_not_followed():
    assert "no face" in drawn(snapshot(faces=()))
    assert "#?   happy" in drawn(snapshot(faces=(face(-1),)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "gaussian: against gaussian noise, sigma 0.12"),
        ({"filter_reason": "told", "filter_name": "median"}, "median: chosen by you"),
        (
            {"noise_kind": "salt_pepper", "filter_name": "median", "noise_level": 0.05},
            "median: against salt-and-pepper noise, density 0.05",
        ),
        (
            {"filter_reason": "blocks", "filter_name": "deblock", "quality": (0.61, 0, 0)},
            "deblock: against blocks of compression (0.61)",
        ),
        ({"filter_reason": "clean", "filter_name": "none"}, "none: the picture is clean"),
        (
            {"filter_reason": "unhelpful", "filter_name": "none"},
            "none: the model does better without one in gaussian noise",
        ),
        (
            {"filter_reason": "large", "filter_name": "none", "quality": (0.61, 0, 0)},
            "none: blocks (0.61) do not matter to faces this large",
        ),
    ],
)
def test_the_filter_and_why(changes, words):
    assert filter_words(snapshot(**changes)) == words
    assert words in drawn(snapshot(**changes))


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (99, "uncertain: low confidence, too small (28 px), too blurred, too dark"),
        (50, "uncertain: confidence, small, blurred, dark"),
        (40, "unsure: confidence, small, blurred, dark"),
        (5, "confidence, small, blurred, dark"),
    ],
)
def test_every_reason_for_doubt_is_told_in_little_room_too(room, words):
    assert doubt_words(face(1, ALL, width_px=28.0), room) == words
    assert doubt_words(face(1), room) == ""


def test_a_doubtful_face_is_marked_without_colour():
    assert "happy? 40%" in drawn(snapshot(faces=(face(3, ("confidence",), share=0.4),)))
    assert "happy?" not in drawn(snapshot(faces=(face(3),)))


def contrast(one, other):
    """By WCAG 2: 1 for the same colour, 21 for black on white."""

    def light(name):
        parts = [v / 255 for v in Color.parse(name).get_truecolor()]
        parts = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05

    high, low = sorted((light(one), light(other)), reverse=True)
    return high / low


@pytest.mark.parametrize("name", ["SURE", "UNSURE", "LOST", "ACCENT"])
def test_colours_are_seen_on_light_and_on_dark_terminals(name):
    for ground in ("#000000", "#ffffff", "#1e1e1e"):
        assert contrast(getattr(glyphs, name), ground) > 3


def test_no_colour_is_asked_for_where_nobody_wants_it(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24)
    console.print(Group(*render_all(several(), 80, 24)))
    codes = re.findall(r"\x1b\[([\d;]*)m", file.getvalue())
    assert codes
    assert {code for part in codes for code in part.split(";")} <= {"0", "1", "2"}


def test_sources_have_a_panel_each_where_there_is_room_else_a_row():
    two = [live("door"), live("yard")]
    assert drawn(two, 80, 40).count("╰") == 2
    rows = drawn(two, 80, 24)
    assert rows.count("╰") == 1
    assert "2 sources" in rows
    assert "59.7 fps in all" in rows
    assert rows.count("#3 ") == 2


def test_more_sources_than_rows_are_counted():
    text = drawn([live(f"camera {n}") for n in range(40)], 80, 24)
    shown = len(re.findall(r"camera \d+", text))
    assert f"+{40 - shown} more" in text


def test_plain_line():
    assert plain_line(snapshot()) == (
        "clip.mp4: frame 1,250/5,000 25%, 2:00 left; 29.8 fps, dropped 0; "
        "gaussian sigma 0.120, filter gaussian; faces 2 (#3 happy, #4 sad (uncertain)); 512 MB"
    )
    assert "+7 more" in plain_line(snapshot(faces=tuple(face(i) for i in range(10))))


@pytest.mark.parametrize(("seconds", "long"), [(62.0, "1:02"), (90_000.0, "25:00:00")])
def test_a_source_that_is_offline_says_since_when_and_why(seconds, long):
    lost = replace(LOST, seconds=seconds)
    shown = live("camera 0", offline=lost, missed=1234, faces=())
    local = SINCE.astimezone()
    day = f"{local:%Y-%m-%d} " if seconds > 86_400 else ""
    words = f"offline since {day}{local:%H:%M:%S} ({long}, attempts 7): The stream x broke? off"
    for text in (drawn(shown, 140), plain_line(shown)):
        assert words in text
        assert "dropped 1,234 offline" in text
        assert "live" not in text
    assert "offline" not in drawn(snapshot())
    assert words in drawn([shown, live("other")], 140)


def test_the_classes_keep_their_order():
    text = drawn(snapshot(faces=(face(3),)))
    places = [text.index(f" {name:<9} ") for name in CLASSES]
    assert places == sorted(places)
