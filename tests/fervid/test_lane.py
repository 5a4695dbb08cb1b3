"""Analysis and outputs side by side: what is dropped, what fails, what several sources share."""

import json
import threading
import time

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

import fervid
from fervid import rounds, viewer
from fervid.controls import FILTER_ORDER
from fervid.link import Link
from fervid.records import Faces
from tests import clips, servers
from tests.backends import FakeBackend
from tests.fakes import FakeCapture
from tests.fervid.test_viewer import FakeWindow

PICTURES = 40
ONCE = fervid.RunConfig(read=fervid.ReadConfig(reconnect="none"))


class Slow:
    """A sink that takes its time, and knows who was in it."""

    def __init__(self, delay_s=0.0):
        self.wants_pixels, self._delay_s = False, delay_s
        self.indices, self.threads, self.most = [], set(), 0
        self._inside, self._lock = 0, threading.Lock()

    def write(self, frame, result, drawn):
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        time.sleep(self._delay_s)
        self.threads.add(threading.current_thread())
        self.indices.append(result.index)
        with self._lock:
            self._inside -= 1

    def close(self):
        self.closed = True


@pytest.fixture
def cameras(monkeypatch):
    """Cameras with a picture every 5 ms, which are gone in the end."""

    class Paced(FakeCapture):
        def read(self):
            time.sleep(0.005)
            return super().read()

    # The first one is for the size alone.
    pictures = [np.full((48, 64, 3), n, np.uint8) for n in range(PICTURES + 1)]
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: Paced(pictures))


@pytest.fixture(autouse=True)
def no_thread_is_left(monkeypatch):
    monkeypatch.setattr("fervid.prefetch.JOIN_S", 20.0)  # on a loaded machine
    yield
    assert not [t for t in threading.enumerate() if t.name in ("fervid-writer", "fervid-prefetch")]


def summaries(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("summary.json"))]


def test_a_slow_output_makes_a_live_source_drop_frames_that_are_counted(cameras, tmp_path):
    slow = Slow(0.05)
    with pytest.raises(fervid.SourceError):
        fervid.analyse("camera:0", config=ONCE, out=tmp_path, sinks=[slow], backend=FakeBackend())
    (summary,) = summaries(tmp_path)
    assert summary["frames"] == len(slow.indices)
    assert summary["frames"] + summary["dropped"] == PICTURES
    assert summary["dropped"] > 0
    assert slow.indices[-1] == PICTURES - 1  # the newest one always comes


def test_a_slow_output_of_a_recording_loses_nothing(tmp_path):
    config = fervid.RunConfig(output=fervid.OutputConfig(queue_mb=1))
    large = [np.full((480, 640, 3), n, np.uint8) for n in range(12)]  # one of them fits
    clip = clips.clip(tmp_path / "a.mp4", pictures=large, size=(640, 480))
    slow = Slow(0.02)
    (summary,) = fervid.analyse(clip, config=config, sinks=[slow], backend=FakeBackend())
    assert slow.indices == list(range(12))
    assert (summary["frames"], summary["dropped"]) == (12, 0)
    assert summary["stages_ms"]["write"]["p50"] >= 20


def test_a_sink_of_several_sources_is_never_entered_twice_at_once(cameras):
    shared = Slow(0.005)
    with pytest.raises(fervid.FervidError, match="2 of 2"):
        fervid.analyse("camera:0", "camera:1", config=ONCE, sinks=[shared], backend=FakeBackend())
    assert shared.most == 1
    assert {thread.name for thread in shared.threads} == {"fervid-writer"}
    assert len(shared.threads) == 2


def test_what_an_output_raises_ends_its_source_and_not_the_others(tmp_path):
    class Picky(Slow):
        def write(self, frame, result, drawn):
            if frame.bgr.shape[1] == 96 and result.index == 3:
                raise fervid.SinkError("the tape is full", "tape")
            super().write(frame, result, drawn)

    names = [
        clips.clip(tmp_path / f"{width}.mp4", frames=8, size=(width, 48)) for width in (96, 64)
    ]
    with pytest.raises(fervid.FervidError, match="1 of 2 sources failed"):
        fervid.analyse(*names, out=tmp_path / "out", sinks=[Picky()], backend=FakeBackend())
    other, failed = summaries(tmp_path / "out")
    assert (failed["frames"], failed["error"]) == (3, "the tape is full")
    assert (other["frames"], other["error"]) == (8, None)


def test_a_bug_in_a_sink_is_raised_as_it_is(tmp_path):
    class Broken(Slow):
        def write(self, frame, result, drawn):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fervid.analyse(
            clips.clip(tmp_path / "a.mp4", frames=3), sinks=[Broken()], backend=FakeBackend()
        )
    assert "write" in {entry.name for entry in caught.traceback}


@pytest.mark.parametrize(("sources", "ahead"), [(1, 3), (2, 2)])
def test_a_recording_alone_is_prepared_while_the_network_runs(
    tmp_path, monkeypatch, sources, ahead
):
    """With others beside it, as with streams, none is taken of it, but one of each other."""
    prepared, prepare = threading.Semaphore(0), fervid.Pipeline.prepare

    def counted(*arguments):
        result = prepare(*arguments)
        prepared.release()
        return result

    class Patient(FakeBackend):
        met = more = 0

        def run(self, images, eta, target):
            if len(self.seen) == 2:
                # Those of this call are among the frames on the way; it may have several of them.
                concluded = sum(len(images) for images, _, _ in self.seen)
                wanted = concluded + ahead
                self.met = sum(prepared.acquire(timeout=20) for _ in range(wanted)) - concluded
                self.more = prepared.acquire(timeout=0.5)
            return super().run(images, eta, target)

    monkeypatch.setattr(fervid.Pipeline, "prepare", counted)
    portrait = np.ascontiguousarray(astronaut()[:240, :320, ::-1])
    names = [  # no call but the last ones has the end of a clip
        clips.clip(tmp_path / f"{name}.mp4", pictures=[portrait] * 12, size=(320, 240))
        for name in "ab"[:sources]
    ]
    backend = Patient()
    with servers.served(*names) as addresses:
        fervid.analyse(*addresses, backend=backend)
    assert (backend.met, backend.more) == (ahead, False)
    assert sum(len(images) for images, _, _ in backend.seen) == 12 * sources


@pytest.mark.parametrize("at_once", [None, 2])
def test_a_run_finds_what_the_pipeline_finds_with_as_many_calls_as_are_allowed(tmp_path, at_once):
    class Alone(FakeBackend):
        inside, most, changed = 0, 0, threading.Condition()

        def run(self, images, eta, target):
            with self.changed:
                self.inside += 1
                self.most = max(self.most, self.inside)
                self.changed.notify_all()
                # Two come if two may; a second that must not come would have this long.
                self.changed.wait_for(lambda: self.most == 2, 20 if at_once else 0.2)
                self.inside -= 1
            return super().run(images, eta, target)

    portrait = np.ascontiguousarray(astronaut()[:240, :320, ::-1])
    shown = [np.roll(portrait, n, axis=1) for n in range(8)]
    clip = clips.clip(tmp_path / "a.mp4", pictures=shown, size=(320, 240))
    kept, backend = [], Alone()
    if at_once:
        backend.at_once = at_once

    class Kept(Slow):
        def write(self, frame, result, drawn):
            kept.append(result)

    fervid.analyse(clip, sinks=[Kept()], backend=backend)
    assert backend.most == (at_once or 1)
    with fervid.Pipeline(backend=FakeBackend()) as pipeline:
        for one, other in zip(kept, pipeline.run(clip), strict=True):
            assert one.index == other.index
            assert np.array_equal(one.smoothed, other.smoothed)
            assert np.array_equal(one.heatmaps, other.heatmaps)


def test_frames_that_came_before_a_failure_of_the_source_are_all_written(tmp_path):
    class Two(FakeBackend):
        at_once = 2

        def run(self, images, eta, target):
            time.sleep(0.1)  # two are under way when the source fails
            return super().run(images, eta, target)

    portrait = np.ascontiguousarray(astronaut()[:240, :320, ::-1])
    for index in range(5):
        whole = index < 4
        cv2.imwrite(str(tmp_path / f"f_{index}.png"), portrait if whole else portrait[:200])
    with pytest.raises(fervid.SourceError, match=r"f_4\.png is 320 x 200"):
        fervid.analyse(tmp_path / "f_%d.png", out=tmp_path / "out", backend=Two())
    (journal,) = (tmp_path / "out").glob("*/faces.jsonl")
    frames = [json.loads(line)["frame"] for line in journal.read_text().splitlines()[1:]]
    assert frames == [0, 1, 2, 3]
    summary = json.loads((journal.parent / "summary.json").read_text())
    assert (summary["frames"], "f_4.png" in summary["error"]) == (4, True)


def test_a_loss_is_told_after_the_frames_that_came_before_it(monkeypatch):
    """Its news is there while the last of them is still analysed."""
    lost, told = threading.Event(), []
    note = Link.lost

    def lose(*arguments):
        note(*arguments)
        lost.set()

    class Slow:
        """A detector that finds nothing, and that late."""

        def __init__(self, *_):
            pass

        def close(self):
            pass

        def detect(self, bgr, noise=None, search=None):
            assert lost.wait(60)
            time.sleep(0.3)  # who tells it at once does so now
            return Faces.empty()

    class Order:
        wants_pixels = False

        def write(self, frame, result, drawn):
            told.append(result.time_s)

        def note(self, event):
            told.append(event.kind)

        def close(self):
            pass

    monkeypatch.setattr("fervid.reconnect.FIRST_PAUSE_S", 2.0)  # nothing else comes meanwhile
    monkeypatch.setattr(Link, "lost", lose)
    monkeypatch.setattr("fervid.pipeline.FaceDetector", Slow)
    answers = iter([servers.mjpeg(5), servers.status(503)])

    def answer(handler):
        next(answers)(handler)

    config = fervid.RunConfig(read=fervid.ReadConfig(reconnect=1))
    with (
        servers.http_server(answer) as host,
        pytest.raises(fervid.SourceError, match="was lost"),
    ):
        fervid.analyse(f"http://{host}/", config=config, sinks=[Order()], backend=FakeBackend())
    assert told[-2:] == ["offline", "gave_up"]
    assert 1 <= len(told[:-2]) <= 5
    assert told[:-2] == sorted(told[:-2])


def test_keys_that_come_while_a_frame_is_analysed_change_that_frame_and_no_other(
    monkeypatch, tmp_path
):
    """A pause and another filter within a frame's time: the next frame is not the one shown."""
    window, shown, notify = FakeWindow(), [], []
    paint = viewer.annotated

    def annotated(frame, result, heatmap):
        shown.append((frame.index, result.index, result.filter_name))
        window.typed = "q"
        return paint(frame, result, heatmap)

    def open_window(title, told):
        notify.append(told)
        return window

    class Pressed(FakeBackend):
        """Somebody presses two keys while it works on the third picture."""

        def run(self, images, eta, target):
            if len(self.seen) == 2:
                window.typed = " f"
                notify[0]()
                time.sleep(0.3)  # who follows them at once does so now
            return super().run(images, eta, target)

    portrait = np.ascontiguousarray(astronaut()[:240, :320, ::-1])
    for index in range(5):
        cv2.imwrite(str(tmp_path / f"f_{index}.png"), portrait)
    monkeypatch.setattr("fervid.viewer.open_window", open_window)
    monkeypatch.setattr("fervid.viewer.annotated", annotated)
    config = fervid.RunConfig(window=fervid.WindowConfig(window=True))
    fervid.analyse(tmp_path / "f_%d.png", config=config, backend=Pressed())
    first = FILTER_ORDER[FILTER_ORDER.index("auto") + 1]
    assert shown == [(2, 2, first)]


def test_a_pause_in_which_the_source_is_lost_costs_no_work(monkeypatch):
    """A frame and the loss after it wait for the end of the pause, and cost nothing till then."""
    window, notify, rounds_taken, captures = FakeWindow(), [], [], []
    lost = threading.Event()

    class Leaving(FakeCapture):
        def read(self):
            time.sleep(0.02)
            return super().read()

    def camera(_):
        if captures:
            lost.set()
            return FakeCapture([], opened=False)
        captures.append(Leaving([np.full((48, 64, 3), n, np.uint8) for n in range(PICTURES)]))
        return captures[0]

    def open_window(title, told):
        notify.append(told)
        return window

    def counted(*arguments):
        rounds_taken.append(None)
        return take(*arguments)

    def watch():
        while len(window.shown) < 3:  # the first says that it waits for pictures
            time.sleep(0.01)
        window.typed = " "
        notify[0]()
        assert lost.wait(60)
        before = len(rounds_taken)
        time.sleep(1.0)
        during.append(len(rounds_taken) - before)
        window.closed = True
        notify[0]()

    during, take = [], rounds._round
    monkeypatch.setattr(rounds, "_round", counted)
    monkeypatch.setattr("fervid.viewer.open_window", open_window)
    monkeypatch.setattr(cv2, "VideoCapture", camera)
    thread = threading.Thread(target=watch)
    thread.start()
    config = fervid.RunConfig(window=fervid.WindowConfig(window=True))
    fervid.analyse("camera:0", config=config, backend=FakeBackend())
    thread.join()
    assert during[0] < 50  # it looks around twice a second, and at messages that go
