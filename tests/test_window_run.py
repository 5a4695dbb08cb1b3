"""Whole runs with a window on a virtual screen: real key presses, pixels, files and exit codes."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import av
import cv2
import numpy as np
import pytest

from tests import servers
from tests.clips import clip, picture
from tests.places import ROOT, SAMPLE
from tests.screens import WAIT_S, needs_screen, screen, wait_for

ROOM = 40  # px below the band of messages
STATUS = slice(250, 360)


@pytest.fixture(scope="module")
def display(tmp_path_factory):
    with screen(tmp_path_factory.mktemp("screen")) as found:
        yield found


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A minute of a clean face: longer than any test lets it run."""
    path = tmp_path_factory.mktemp("clips") / "film.mp4"
    with av.open(str(SAMPLE)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)][:25]
    return clip(path, pictures=pictures * 60, size=(480, 270), options={"preset": "ultrafast"})


@contextmanager
def started(display, *arguments, cwd=ROOT):
    """A run of fervid on a screen; one that has not ended with the block is killed."""
    run = subprocess.Popen(
        [sys.executable, "-m", "fervid", *map(str, arguments)],
        env={**display.env, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        try:
            yield run
        finally:
            run.kill()


def finish(run):
    """The exit code and what was said, once the run has ended by itself."""
    _, said = run.communicate(timeout=WAIT_S)
    return run.returncode, said


def rows(folder):
    lines = (folder / "faces.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def playing(display, title="film"):
    """Wait until pictures are shown, and give the window the keyboard."""
    display.window(title)
    wait_for(lambda: display.pixels()[100:200, 200:400].std() > 20, "a picture")


def paused(display):
    display.press("space")
    return display.settled()


@needs_screen
def test_every_key_does_what_the_help_says(display, film, tmp_path):
    with started(display, film, "--window", "-o", tmp_path) as run:
        playing(display)
        still = paused(display)
        journal = tmp_path / "film" / "faces.jsonl"
        size = journal.stat().st_size

        display.press("h")
        cold = display.changed(still, ROOM)
        box = np.abs(cold[ROOM:250, :640].astype(int) - still[ROOM:250, :640]).max(2) > 40
        assert box.any()  # the heatmap has gone
        display.press("h")
        assert (display.changed(cold, ROOM)[ROOM:250] == still[ROOM:250]).all()  # and is back

        display.press("c")
        other = display.changed(still, ROOM)
        assert (other[ROOM:250] != still[ROOM:250]).any()  # another map
        assert (other[STATUS] != still[STATUS]).any()  # named in the status line
        display.press("1")
        angry = display.changed(other, ROOM)
        assert (angry[ROOM:250] != other[ROOM:250]).any()
        display.press("f")
        angry = display.changed(angry, 0)  # the band says so: a clean face had no filter before
        display.press("f")
        blurred = display.changed(angry, ROOM)
        assert (blurred[STATUS] != angry[STATUS]).any()

        display.press("question")
        help_shown = display.changed(blurred, ROOM)
        assert help_shown[:360, :640].mean() < blurred[:360, :640].mean() / 2
        display.press("Escape")
        display.changed(help_shown, ROOM)
        display.press("s")
        snapshot = wait_for(lambda: list((tmp_path / "film").glob("*.png")), "the snapshot")[0]

        assert journal.stat().st_size == size  # it was paused all the time
        display.press("space")
        wait_for(lambda: journal.stat().st_size > size, "rows after the pause")
        display.press("Escape")
        code, said = finish(run)
    assert code == 0, said
    assert f"saved {snapshot}" in said
    assert cv2.imread(str(snapshot)).shape == (270, 480, 3)
    found = rows(tmp_path / "film")
    assert len(found) < 1500
    assert [row["frame"] for row in found] == list(range(len(found)))
    assert found[0]["filter"] == "none"
    assert found[-1]["filter"] == "gaussian"
    summary = json.loads((tmp_path / "film" / "summary.json").read_text())
    assert summary["frames"] == len(found)
    with av.open(str(tmp_path / "film" / "annotated.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == len(found)


@needs_screen
@pytest.mark.parametrize("how", ["button", "Ctrl-C in a pause"])
def test_every_way_to_end_finishes_the_outputs(display, film, tmp_path, how):
    with started(display, film, "--window", "-o", tmp_path) as run:
        playing(display)
        if how == "button":
            display.close_button(display.window("film"))
        else:
            paused(display)
            run.send_signal(signal.SIGINT)
        code, said = finish(run)
    assert code == (130 if "Ctrl-C" in how else 0), said
    assert "Traceback" not in said
    summary = json.loads((tmp_path / "film" / "summary.json").read_text())
    assert len(rows(tmp_path / "film")) == summary["frames"] > 0
    assert not display.xdotool("search", "--onlyvisible", "--name", "film")


@needs_screen
def test_a_display_that_dies_costs_no_frame(film, tmp_path):
    pictures = [np.full((270, 480, 3), n, np.uint8) for n in range(100)]
    short = clip(tmp_path / "film.mp4", pictures=pictures, size=(480, 270))
    with (
        screen(tmp_path) as dying,
        started(dying, short, "--window", "-o", tmp_path / "out") as run,
    ):
        dying.window("film")
        dying.end()
        code, said = finish(run)
    assert code == 0, said
    assert "the run goes on without it" in said
    assert len(rows(tmp_path / "out" / "film")) == 100


@needs_screen
def test_quitting_leaves_the_other_sources_out(display, film, tmp_path):
    other = clip(tmp_path / "other.mp4", frames=3)
    with started(display, film, other, "--window", "-o", tmp_path / "out") as run:
        playing(display)
        display.press("q")
        code, said = finish(run)
    assert code == 0, said
    assert "1 left out" in said
    (summary,) = (tmp_path / "out").rglob("summary.json")
    assert json.loads(summary.read_text())["error"] == "interrupted"


@needs_screen
def test_a_source_that_is_paused_holds_no_other_up(display, film, tmp_path):
    other = clip(film.parent / "other.mp4", pictures=[picture(0)] * 60)
    out = tmp_path / "out"
    with (
        servers.served(film, other) as addresses,
        started(display, *addresses, "--window", "-o", out) as run,
    ):
        display.window("other")
        playing(display)
        display.press("space")
        done = wait_for(lambda: list(out.rglob("*other*/summary.json")), "the other's end")[0]
        assert run.poll() is None
        display.press("q")
        code, said = finish(run)
    assert code == 0, said
    assert json.loads(done.read_text())["frames"] == 60
    summaries = [json.loads(path.read_text()) for path in out.rglob("summary.json")]
    assert {s["error"] for s in summaries} == {None, "interrupted"}


@needs_screen
def test_a_snapshot_without_outputs_goes_to_the_working_directory(display, film, tmp_path):
    with started(display, film, "--window", "--quiet", cwd=tmp_path) as run:
        playing(display)
        display.press("s")
        wait_for(lambda: list(tmp_path.glob("film-*.png")), "the snapshot")
        display.press("q")
        assert finish(run) == (0, "")


@needs_screen
def test_a_recording_gets_no_window_unless_asked(display, tmp_path):
    short = clip(tmp_path / "short.mp4", frames=5)
    with started(display, short, "--jsonl", "-") as run:
        code, said = finish(run)
    assert code == 0, said
    assert "window:" not in said


@pytest.mark.parametrize(("display_name", "why"), [("", "not set"), (":4999", ":4999 does not")])
def test_a_window_that_cannot_be_had_is_one_sentence(tmp_path, display_name, why):
    short = clip(tmp_path / "short.mp4", frames=5)
    env = {**os.environ, "DISPLAY": display_name}
    command = [sys.executable, "-m", "fervid", str(short), "--window"]
    command += ["-o", str(tmp_path / "out")]
    done = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == 1
    assert why in done.stderr
    assert "--no-window" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
