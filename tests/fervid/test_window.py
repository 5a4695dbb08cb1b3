"""The window on a real X server: keys, closing, displays that are missing, dead, silent or die."""

import os
import signal
import socket
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from fervid import window_link
from fervid.errors import DisplayError
from fervid.window import display_problem, fitted, open_window
from tests.screens import needs_screen, screen, wait_for


@pytest.fixture(scope="module")
def display(tmp_path_factory):
    with screen(tmp_path_factory.mktemp("screen")) as found:
        yield found


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A loaded machine may take longer than a person would wait."""
    monkeypatch.setattr(window_link, "OPEN_S", 60.0)


@pytest.fixture
def on_display(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display.name)
    return display


def chequered(h=360, w=640):
    """Four areas of different colours, so that a turned or distorted picture is seen."""
    picture = np.zeros((h, w, 3), np.uint8)
    picture[: h // 2, : w // 2] = (250, 0, 0)
    picture[: h // 2, w // 2 :] = (0, 250, 0)
    picture[h // 2 :, : w // 2] = (0, 0, 250)
    return picture


def shows(display, picture):
    """Whether a picture stands at the top left of the screen, every pixel of it."""
    h, w = picture.shape[:2]
    return np.array_equal(display.pixels()[:h, :w], picture)


@needs_screen
def test_the_picture_is_on_the_screen_as_it_is(on_display):
    window = open_window("exact - fervid")
    try:
        window.show(chequered())
        on_display.window("exact")
        wait_for(lambda: shows(on_display, chequered()), "the picture")
    finally:
        window.close()
    wait_for(lambda: not on_display.pixels().any(), "an empty screen")


@needs_screen
def test_a_window_of_another_shape_keeps_the_proportions(on_display):
    window = open_window("wide - fervid")
    try:
        window.show(chequered())
        name = on_display.window("wide")
        on_display.xdotool("windowsize", "--sync", name, "1200", "360")

        def in_the_middle():
            expected = np.full((360, 1200, 3), on_display.pixels()[0, 0])
            expected[:, 280:920] = chequered()
            return shows(on_display, expected)

        wait_for(in_the_middle, "the picture with its proportions")
    finally:
        window.close()


@needs_screen
def test_every_key_arrives_once(on_display):
    heard = threading.Event()
    window = open_window("keys - fervid", heard.set)
    try:
        window.show(chequered())
        on_display.window("keys")
        names = ["q", "Escape", "space", "h", "f", "c", "s", "question", *"01234567"]
        for name, character in zip(names, "q\x1b hfcs?01234567", strict=True):
            on_display.press(name)
            assert wait_for(window.pressed, name) == [ord(character)]
        assert heard.is_set()
        assert not window.pending
    finally:
        window.close()


@needs_screen
def test_keys_go_to_the_window_that_has_the_keyboard(on_display):
    with closing(open_window("left - fervid")) as left, closing(open_window("right - x")) as right:
        for window in (left, right):
            window.show(chequered())
        on_display.window("right")
        on_display.window("left")
        on_display.press("h")
        assert wait_for(left.pressed, "a key") == [ord("h")]
        assert right.pressed() == []


@needs_screen
def test_the_close_button_is_told_and_is_no_failure(on_display):
    window = open_window("button - fervid")
    try:
        window.show(chequered())
        on_display.close_button(on_display.window("button"))
        wait_for(lambda: window.pressed() or window.closed, "the news")
        assert window.closed
        assert not window.lost
    finally:
        window.close()
        window.close()


@needs_screen
@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("rtsp://me:secret@host/live - fervid", "rtsp://host/live - fervid"),
        ("Gespräch 顔.mp4 - fervid", "Gespräch 顔.mp4 - fervid"),
        ("two\nlines\x1b[0m.mp4 - fervid", "two?lines?[0m.mp4 - fervid"),
    ],
)
def test_the_title_is_plain_and_without_credentials(on_display, title, shown):
    window = open_window(title)
    try:
        window.show(chequered())
        assert on_display.xdotool("getwindowname", on_display.window("fervid")) == shown
    finally:
        window.close()


@needs_screen
def test_only_the_newest_of_many_pictures_is_shown_and_nobody_waits(on_display):
    """The window's process stands still: whoever waited for it would wait for ever."""
    window = open_window("fast - fervid")
    shown = threading.Event()

    def show_many():
        for level in range(200):  # 553 MB
            window.show(np.full((720, 1280, 3), level, np.uint8))
        window.show(np.full((720, 1280, 3), 255, np.uint8))
        shown.set()

    try:
        window._process.send_signal(signal.SIGSTOP)
        threading.Thread(target=show_many, daemon=True).start()
        assert shown.wait(60)
        window._process.send_signal(signal.SIGCONT)
        on_display.window("fast")
        wait_for(lambda: shows(on_display, np.full((720, 1280, 3), 255)), "the last picture")
    finally:
        window.close()


@needs_screen
def test_a_display_that_dies_is_a_lost_window_and_not_the_end(tmp_path, monkeypatch):
    with screen(tmp_path) as dying:
        monkeypatch.setenv("DISPLAY", dying.name)
        window = open_window("dying - fervid")
        try:
            window.show(chequered())
            dying.window("dying")
            dying.end()
            wait_for(lambda: window.pressed() or window.lost, "the news")
            assert not window.closed
            assert window.lost == f"the display {dying.name} went away"
            window.show(chequered())
        finally:
            window.close()


@needs_screen
def test_libraries_print_nothing_to_the_terminal(on_display, capfd):
    window = open_window("quiet - fervid")
    window.show(chequered())
    on_display.window("quiet")
    window.close()
    assert capfd.readouterr() == ("", "")


@needs_screen
def test_a_working_display_is_no_problem(on_display):
    assert display_problem() == ""


linux = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs no DISPLAY here")


@linux
def test_no_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(DisplayError, match=r"DISPLAY is not set.*--no-window"):
        open_window("none")


@linux
def test_a_dead_display(monkeypatch, capfd):
    monkeypatch.setenv("DISPLAY", ":4999")
    began = time.monotonic()
    assert "the display :4999 does not answer" in display_problem()
    assert time.monotonic() - began < window_link.OPEN_S
    assert capfd.readouterr() == ("", "")


@linux
def test_a_display_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(window_link, "OPEN_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        number = silent.getsockname()[1] - 6000
        monkeypatch.setenv("DISPLAY", f"127.0.0.1:{number}")
        began = time.monotonic()
        assert "did not answer in 2 s" in display_problem()
        assert time.monotonic() - began < 30


# What each of these OpenCVs says when a window is opened; recorded from the real ones.
HEADLESS = (
    "OpenCV(4.12.0) highgui/src/window.cpp:642: error: (-2:Unspecified error) The function is not "
    "implemented. Rebuild the library with Windows, GTK+ 2.x or Cocoa support."
)


@linux
def test_an_opencv_without_windows(monkeypatch, tmp_path):
    (tmp_path / "cv2.py").write_text(
        "WINDOW_NORMAL = WINDOW_KEEPRATIO = WINDOW_GUI_NORMAL = 0\n"
        f"def namedWindow(*args): raise RuntimeError({HEADLESS!r})\n"
    )
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    problem = display_problem()
    assert "build without windows" in problem
    assert "opencv-contrib-python" in problem


@linux
def test_an_aborted_process_leaves_no_core_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISPLAY", ":4999")
    assert display_problem()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((360, 640), (360, 640)),
        ((480, 640), (480, 640)),
        ((1080, 1920), (720, 1280)),
        ((1920, 1080), (720, 405)),
        ((2160, 3840), (720, 1280)),
        ((96, 128), (360, 480)),
        ((300, 3000), (128, 1280)),
        ((1, 1), (360, 360)),
    ],
)
def test_pictures_fit_the_screen_with_their_proportions(size, shown):
    assert fitted(np.zeros((*size, 3), np.uint8)).shape == (*shown, 3)


def test_the_environment_of_the_window_is_that_of_the_run(monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    before = dict(os.environ)
    display_problem()
    assert dict(os.environ) == before
