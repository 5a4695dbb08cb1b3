"""What the viewer does with keys, with a window that is none."""

import itertools
import sys
from dataclasses import replace
from threading import Condition

import numpy as np
import pytest

from fervid.config import RunConfig, WindowConfig
from fervid.controls import Controls
from fervid.errors import DisplayError
from fervid.records import Frame, SourceInfo
from fervid.snapshots import Snapshots
from fervid.viewer import MESSAGE_S, Viewer, window_for
from tests.fervid.test_draw import result
from tests.screens import needs_screen, screen


class FakeWindow:
    """A window whose keys are put into `typed`; keeps the pictures it was given."""

    def __init__(self):
        self.shown, self.typed = [], ""
        self.closed, self.lost, self.left = False, "", 0

    @property
    def pending(self):
        return bool(self.typed) or self.closed or bool(self.lost)

    def show(self, picture):
        self.shown.append(picture)

    def pressed(self):
        keys, self.typed = [ord(c) for c in self.typed], ""
        return keys

    def close(self):
        self.left += 1


class Stage:
    """A viewer before a fake window, with a clock that is set by hand."""

    def __init__(self, folder, **options):
        self.window, self.now, self.said = FakeWindow(), 0.0, []
        self.numbers = itertools.count()
        self.analysed = []
        self.viewer = Viewer(
            self.window,
            Controls.of(RunConfig(("x",)), ()),
            Snapshots(folder, "clip.mp4", **options),
            self.said.append,
            clock=lambda: self.now,
        )

    def frame(self, keys=""):
        """A new frame comes after keys were pressed."""
        self.window.typed = keys
        frame = Frame(next(self.numbers), 0.0, np.full((360, 640, 3), 100, np.uint8))
        self.viewer.show(frame, result([]), frame.bgr)

    def keys(self, keys):
        """Keys are pressed while no frame comes."""
        self.window.typed = keys
        self.viewer.react(self.again)

    def again(self, view):
        self.analysed.append(view)
        return replace(result([]), cam=view.cam, index=99)

    @property
    def picture(self):
        return self.window.shown[-1]


@pytest.fixture
def stage(tmp_path):
    found = Stage(tmp_path)
    found.frame()
    return found


def test_the_view_of_the_next_frame_follows_the_keys(stage):
    stage.frame("fc4")
    view = stage.viewer.view
    assert (view.filter, view.cam, view.target) == ("none", "gradcam_fused", 3)


def test_the_greeting_goes_by_itself(stage):
    assert (stage.picture[:16] < 100).any()
    stage.now = 3 * MESSAGE_S
    stage.frame()
    assert (stage.picture == 100).all()


def test_a_pause_lasts_until_space_is_pressed_again(stage):
    stage.frame(" ")
    assert stage.viewer.paused
    stage.keys("h")
    assert stage.viewer.paused
    stage.keys(" ")
    assert not stage.viewer.paused


def test_the_frame_that_stands_still_is_analysed_again_with_another_view(stage):
    stage.frame(" ")
    stage.keys("c")
    stage.keys("h")
    stage.keys("f")
    assert [(v.cam, v.filter) for v in stage.analysed] == [
        ("gradcam_fused", "auto"),
        ("gradcam_fused", "none"),
    ]


def test_a_view_chosen_just_before_the_pause_is_shown_too(stage):
    stage.frame("c ")
    assert stage.viewer.pending
    stage.viewer.react(stage.again)
    assert [v.cam for v in stage.analysed] == ["gradcam_fused"]
    stage.now += MESSAGE_S / 2
    assert not stage.viewer.pending


def test_nothing_is_analysed_twice_while_frames_come(stage):
    stage.keys("c")
    assert stage.analysed == []


def test_a_message_is_taken_away_during_a_pause_too(stage):
    stage.frame(" c")
    stage.viewer.react(stage.again)
    with_message = stage.picture
    stage.now += MESSAGE_S
    assert stage.viewer.pending
    stage.viewer.react(stage.again)
    assert (stage.picture != with_message).any()
    assert not stage.viewer.pending


def test_a_snapshot_is_saved_and_said_in_a_line(stage, tmp_path):
    stage.frame("s")
    assert [p.name for p in tmp_path.iterdir()] == ["clip-0.png"]
    assert stage.said == [f"saved {tmp_path / 'clip-0.png'}"]
    stage.frame()
    assert len(list(tmp_path.iterdir())) == 1


def test_snapshots_of_a_standing_frame_get_names_of_their_own(stage, tmp_path):
    stage.frame(" ")
    stage.keys("s")
    stage.keys("cs")
    assert {p.name for p in tmp_path.iterdir()} == {"clip-1.png", "clip-1-2.png"}


def test_no_images_forbids_snapshots(tmp_path):
    stage = Stage(tmp_path, allowed=False)
    stage.frame()
    stage.now = 3 * MESSAGE_S
    stage.frame("s")
    assert list(tmp_path.iterdir()) == []
    assert (stage.picture[:16] != 100).any()  # the window says so


def test_a_still_is_saved_beside_snapshots(stage, tmp_path):
    stage.frame("es")
    assert {p.name for p in tmp_path.iterdir()} == {"clip-0-still.png", "clip-0.png"}
    assert stage.said[0] == f"saved {tmp_path / 'clip-0-still.png'}"
    stage.frame()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("options", [{"allowed": False}, {"bare": False}])
def test_no_still_where_no_faces_may_be_written(tmp_path, options):
    stage = Stage(tmp_path, **options)
    stage.frame()
    stage.now = 3 * MESSAGE_S
    stage.frame("e")
    assert list(tmp_path.iterdir()) == []
    assert (stage.picture[:16] != 100).any()  # the window says so


def test_a_snapshot_that_fails_costs_no_run(tmp_path):
    (tmp_path / "file").write_text("")
    stage = Stage(tmp_path / "file")
    stage.frame()
    stage.frame("s")
    assert len(stage.said) == 1
    assert "cannot be written" in stage.said[0]


def test_the_close_button_ends_the_run(stage):
    stage.window.closed = True
    stage.frame()
    assert stage.viewer.quit


def test_quitting_ends_a_pause(stage):
    stage.frame(" ")
    stage.keys("q")
    assert stage.viewer.quit


def test_a_lost_window_ends_no_run_and_no_run_stays_paused(stage):
    stage.frame(" ")
    stage.window.lost = "the display :1 does not answer"
    assert stage.viewer.pending
    stage.viewer.react(stage.again)
    assert not stage.viewer.paused
    assert not stage.viewer.quit
    assert not stage.viewer.wants_pixels
    assert len(stage.said) == 1
    assert "the display :1" in stage.said[0]
    stage.frame("q")
    assert not stage.viewer.quit


def source(live):
    return SourceInfo("camera:0", "camera 0", 640, 360, live)


def window_of(live, wanted):
    config = RunConfig(("x",), window=WindowConfig(window=wanted))
    return window_for(config, source(live), Condition())


@needs_screen
@pytest.mark.parametrize(
    ("live", "wanted", "there"),
    [
        (True, None, True),
        (False, None, False),
        (False, True, True),
        (True, False, False),
        (False, False, False),
    ],
)
def test_who_gets_a_window_on_a_working_display(tmp_path, monkeypatch, live, wanted, there):
    with screen(tmp_path) as display:
        monkeypatch.setenv("DISPLAY", display.name)
        window = window_of(live, wanted)
        assert (window is not None) is there
        if window is not None:
            display.window("camera 0 - fervid")
            window.close()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs no DISPLAY here")
def test_a_display_that_does_not_answer_is_an_error_only_if_a_window_was_asked_for(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":4999")
    assert window_of(True, None) is None
    with pytest.raises(DisplayError, match=":4999"):
        window_of(True, True)


def test_closing_twice_is_harmless(stage):
    with stage.viewer:
        pass
    stage.viewer.close()
    assert stage.window.left == 1


def test_a_source_that_is_offline_is_seen_in_the_window_until_it_is_back(stage):
    stage.now = 3 * MESSAGE_S
    stage.frame()
    assert (stage.picture == 100).all()
    stage.viewer.note("offline since 03:12:45")
    told = stage.picture
    stage.frame()
    assert (stage.picture != 100).any()
    stage.viewer.note("")
    assert (stage.picture != told).any()
    stage.frame()
    assert (stage.picture == 100).all()
