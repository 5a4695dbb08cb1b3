"""Progress over many files, and the time that is left."""

import io

import pytest
from rich.console import Console

from fervid.progress import Progress, ProgressDisplay, duration


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_time_left_comes_from_the_bytes_that_are_done():
    clock = Clock()
    progress = Progress({"a": 100, "b": 300, "c": 600}, 2, clock)
    assert progress.line() == "2 of 5 files"
    clock.now = 10
    progress.count("a", complete=True)
    assert progress.line() == "3 of 5 files, about 2 min left"  # 90 s
    clock.now = 11
    progress.count("b", complete=False)  # a broken file is quick, and says nothing of the others
    assert progress.left_s() == pytest.approx(11 / 100 * 600)
    assert progress.line() == "4 of 5 files, 1 failed, about 1 min left"
    progress.count("c", complete=True)
    assert progress.line() == "5 of 5 files, 1 failed"


def test_empty_files_are_no_division_by_nothing():
    clock = Clock()
    progress = Progress({"a": 0, "b": 0}, 0, clock)
    clock.now = 4
    progress.count("a", complete=True)
    assert progress.left_s() == pytest.approx(4)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3570, "1 h 0 min"),
        (3000, "50 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_a_time_for_people(seconds, said):
    assert duration(seconds) == said


def show(progress, clock, *, quiet=False, terminal=False):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with ProgressDisplay(progress, console, quiet=quiet, clock=clock) as display:
        for _ in range(8):
            clock.now += 1
            display.update(["one\x1b[31m.mp4"])
    return console.file.getvalue()


def test_without_a_terminal_there_is_a_line_every_few_seconds_if_something_is_new():
    clock = Clock()
    progress = Progress({"a": 1, "b": 1}, 0, clock)
    assert show(progress, clock) == "fervid: 0 of 2 files.\n"
    progress.count("a", complete=True)
    assert show(progress, clock) == "fervid: 1 of 2 files, about 13 s left.\n"


def test_a_terminal_gets_a_bar_and_what_is_under_way():
    clock = Clock()
    said = show(Progress({"a": 1, "b": 1}, 3, clock), clock, terminal=True)
    assert "3 of 5 files" in said
    assert "one\\x1b[31m.mp4" in said
    assert "━" in said


def test_quiet_is_quiet():
    clock = Clock()
    assert show(Progress({"a": 1}, 0, clock), clock, quiet=True, terminal=True) == ""
