"""Displays with a clock that is told the time; nothing sleeps."""

import io

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
from tests.panels import snapshot


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def terminal(file=None, **options):
    return Console(file=file or io.StringIO(), force_terminal=True, width=80, height=24, **options)


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
        assert len(made) == pytest.approx(4, abs=1)  # 0.05 s is 2 % of 2.5 s
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
