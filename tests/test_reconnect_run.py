"""Live sources that are lost and come back, from real servers on loopback that the tests break."""

import contextlib
import itertools
import json
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fervid
from fervid.capture import open_source
from fervid.config import ReadConfig, RunConfig
from fervid.errors import SourceError, SourceOpenError
from fervid.liveness import LEAST_SAME
from fervid.prefetch import Prefetch
from fervid.recover import recover
from tests import clips, servers
from tests.backends import FakeBackend
from tests.fakes import FakeCapture
from tests.places import ROOT

LONG_S = 60.0  # what no test waits for
SOON = {"open_timeout_s": 5.0, "read_timeout_s": 2.0}


def in_turn(*answers):
    """Answer the first request by the first, and so on; the last one answers all others too."""
    left = itertools.chain(answers, itertools.repeat(answers[-1]))

    def answer(handler):
        next(left)(handler)

    return answer


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def lost_twice(tmp_path_factory):
    """What a run wrote whose stream broke off, came back after two refusals, and went for good."""
    out = tmp_path_factory.mktemp("out")
    first, second = servers.mjpeg(20, rate=50), servers.mjpeg(120, rate=50)
    refused = servers.status(503)
    config = RunConfig(read=ReadConfig(**SOON, reconnect=3))
    with servers.http_server(in_turn(first, refused, refused, second, refused)) as host:
        uri = f"http://me:s3cret@{host}/"
        with pytest.raises(SourceError) as caught:
            fervid.analyse(uri, config=config, out=out, backend=FakeBackend())
    (journal,) = out.glob("*/faces.jsonl")
    return journal, str(caught.value)


def test_a_run_goes_on_after_a_loss_and_its_journal_says_so(lost_twice):
    journal, said = lost_twice
    header, *rest = lines(journal)
    host = header["source"]["uri"]
    assert said.startswith(f"{host} was lost and not brought back by 3 attempts within ")
    assert "has failed (" in said
    events = [line for line in rest if "event" in line]
    frames = [line for line in rest if "faces" in line]
    assert [e["event"] for e in events] == ["offline", "online", "offline", "gave_up"]
    assert [e["attempts"] for e in events] == [0, 3, 0, 3]
    assert events[0]["cause"].startswith(f"The stream {host} broke off (")
    assert events[1]["missed"] > 10
    place = rest.index(events[1])
    before, after = [line for line in rest[:place] if "faces" in line], rest[place + 1]
    assert before[-1]["time_s"] < events[0]["time_s"] < events[1]["time_s"] <= after["time_s"]
    assert after["dropped"] or after["time_s"] == events[1]["time_s"]
    gap_s = events[1]["time_s"] - events[0]["time_s"]
    assert gap_s == pytest.approx(events[1]["offline_s"], abs=0.5)  # of .9 at least
    indices = [line["frame"] for line in frames]
    assert indices == sorted(set(indices))
    assert sum(1 + line["dropped"] for line in frames) == indices[-1] + 1
    # Frames have the calendar of the first one, which a loaded machine notes late; events have
    # their own.
    for some, most_back_ms in ((frames, 0), (events, 0), (rest, 2000)):
        moments = np.array([line["utc"].rstrip("Z") for line in some], "datetime64[ms]")
        assert (np.diff(moments) >= -np.timedelta64(most_back_ms, "ms")).all()
    assert "s3cret" not in journal.read_text() + said


def test_the_summary_counts_losses_and_drops_by_cause(lost_twice):
    journal, said = lost_twice
    summary = json.loads(journal.with_name("summary.json").read_text())
    assert summary["error"] == said
    assert (summary["outages"]["count"], summary["outages"]["attempts"]) == (2, 6)
    ends = [line for line in lines(journal) if line.get("event") in ("online", "gave_up")]
    assert summary["drops"]["offline"] == sum(e["missed"] for e in ends) > 0
    assert summary["drops"]["late"] == summary["dropped"]
    offline_s = sum(e["offline_s"] for e in ends)
    assert summary["outages"]["offline_s"] == pytest.approx(offline_s, abs=0.01)


def test_a_recovered_run_knows_the_losses_too(lost_twice, tmp_path):
    journal, _ = lost_twice
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "faces.jsonl").write_bytes(journal.read_bytes())
    done = recover(tmp_path, lambda: time.time() + 60)
    assert [step.path.name for step in done] == ["faces.parquet", "summary.json", "report.html"]
    assert all(step.written for step in done)
    summary = json.loads((folder / "summary.json").read_text())
    whole = json.loads(journal.with_name("summary.json").read_text())
    offline_s = [figures["outages"].pop("offline_s") for figures in (summary, whole)]
    assert offline_s[0] == pytest.approx(offline_s[1], abs=0.01)  # rows have it in whole ms
    assert {k: summary[k] for k in ("frames", "drops", "outages")} == {
        k: whole[k] for k in ("frames", "drops", "outages")
    }
    assert len(fervid.read_results(tmp_path)) == whole["faces"]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_an_rtsp_server_that_dies_or_stalls_and_returns(how):
    port = servers.free_port()
    read = ReadConfig(open_timeout_s=LONG_S, read_timeout_s=2.0)
    with (
        servers.rtsp_server(port=port) as (host, process),
        Prefetch(open_source(f"rtsp://{host}/cam", read)) as frames,
    ):
        link = frames._source.link
        before = next(frames)[0]
        process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        until = time.monotonic() + LONG_S
        while link.outage is None and time.monotonic() < until:
            time.sleep(0.01)
        assert link.outage is not None
        while frames.ready:  # what was read before
            before = next(frames)[0]
        process.wait() if how == "kill" else time.sleep(0.5)
        with servers.rtsp_server(port=port) if how == "kill" else contextlib.nullcontext():
            process.send_signal(signal.SIGCONT)
            returned = time.monotonic()
            after = [next(frames)[0] for _ in range(10)]
            assert time.monotonic() - returned < LONG_S
    offline, online, *more = link.take()
    connections = [f.connection for f in after]
    assert before.connection < connections[0]
    # One, unless a loaded machine lost that again.
    assert len(set(connections)) <= 1 + [e.kind for e in more].count("online")
    assert after[0].index > before.index
    assert before.time_s < offline.time_s < online.time_s <= after[0].time_s
    assert len({f.bgr.tobytes() for f in after}) == 10
    assert ("silent for 2 s" in offline.cause) is (how == "stop")


def test_a_picture_that_stays_the_same_is_not_passed_on_and_the_stream_opened_again():
    stuck = servers.mjpeg(500, rate=50, show=lambda n: min(n, 5))
    moving = servers.mjpeg(500, rate=50)
    still = servers.mjpeg(500, rate=50, show=lambda n: 5)
    with servers.http_server(in_turn(stuck, still, moving)) as host:
        with open_source(f"http://{host}/", ReadConfig(frozen_s=0.5)) as source:
            seen = list(itertools.islice(source, 60))
        offline, online, *_ = source.link.take()
    stuck_s = [f.time_s for f in seen if clips.number(f.bgr) == 5 and f.connection == 0]
    held_s = np.array(stuck_s) - stuck_s[0]
    assert (held_s[LEAST_SAME:] < 0.5).all()  # that many may come slowly, on a loaded machine
    assert offline.time_s - stuck_s[0] > 0.5 - 1e-3
    assert not [f for f in seen if f.connection == 1 and clips.number(f.bgr) == 5]
    assert "has shown one picture, the same to the bit" in offline.cause
    assert offline.time_s < online.time_s
    assert {f.connection for f in seen} >= {0, 2}


def test_a_camera_that_is_unplugged_comes_back():
    captures = iter(
        [
            FakeCapture([clips.scene(n) for n in range(4)]),
            FakeCapture([], opened=False),
            FakeCapture([clips.scene(n) for n in range(9, 12)]),
        ]
    )
    opened = []

    def factory(index):
        opened.append(next(captures))
        return opened[-1]

    with open_source("camera:0", capture_factory=factory) as source:
        frames = list(itertools.islice(source, 5))
    assert [clips.number(f.bgr) for f in frames] == [1, 2, 3, 10, 11]
    assert [f.index for f in frames] == list(range(5))
    assert [capture.released > 0 for capture in opened] == [True] * 3
    assert source.link.take()[0].cause == "The camera 0 stopped delivering pictures"


def test_what_cannot_be_opened_at_first_fails_at_once(monkeypatch):
    pauses = []
    monkeypatch.setattr("fervid.link.Link.wait", lambda *how: pauses.append(how))
    with pytest.raises(SourceOpenError, match="Nothing serves"):
        open_source(f"http://127.0.0.1:{servers.free_port()}/", ReadConfig(reconnect="forever"))
    with pytest.raises(SourceOpenError, match="There is no camera 0"):
        open_source("camera:0", capture_factory=FakeCapture([], opened=False))
    assert not pauses


def _analyse(*sources, read, sinks):
    config = RunConfig(read=read)
    fervid.analyse(*sources, config=config, sinks=sinks, backend=FakeBackend())


class Moments:
    """A sink that stops the run after so many frames; when each came, by its source's label."""

    wants_pixels = False

    def __init__(self, most):
        self.seen, self._most = {}, most
        self.events = []

    def write(self, frame, result, drawn):
        seen = self.seen.setdefault(frame.bgr.shape[1], [])
        seen.append(time.monotonic())
        if len(seen) == self._most:
            raise KeyboardInterrupt

    def note(self, event):
        self.events.append(event.kind)

    def close(self):
        pass


def test_a_dead_stream_does_not_delay_the_others():
    """Its server takes a connection and says nothing: the attempt waits longer than the test."""
    mute = threading.Event()

    def silence(handler):
        mute.wait(LONG_S)

    read = ReadConfig(open_timeout_s=LONG_S, read_timeout_s=LONG_S)
    sink = Moments(60)
    other = servers.mjpeg(1000, rate=25)
    with (
        servers.http_server(in_turn(servers.mjpeg(5), silence)) as dead,
        servers.http_server(other) as alive,
        pytest.raises(KeyboardInterrupt),
    ):
        _analyse(f"http://{dead}/?a", f"http://{alive}/?b", read=read, sinks=[sink])
    mute.set()
    assert sink.events == ["offline"]
    (moments,) = (m for m in sink.seen.values() if len(m) >= 60)
    assert np.diff(moments).max() < LONG_S / 4


@pytest.mark.parametrize("mute", [False, True])
def test_ctrl_c_while_a_stream_is_offline_waits_for_nothing(tmp_path, mute):
    """Whether the pause between attempts is cut short, or an attempt that nobody answers.

    How many seconds an end takes is measured by `python -m tests.bench.stop`.
    """
    hold, asked = threading.Event(), []

    def away(handler):
        asked.append(handler)
        if mute:
            hold.wait(LONG_S)
        else:
            servers.status(503)(handler)

    limits = ["--reconnect-max-s", str(LONG_S), "--open-timeout-s", str(LONG_S)]
    command = [sys.executable, "-m", "fervid", *limits]
    with servers.http_server(in_turn(servers.mjpeg(20), away)) as host:
        process = subprocess.Popen(
            [*command, f"http://{host}/", "-o", str(tmp_path), "--no-images"],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 60
        while len(asked) < (1 if mute else 3) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=LONG_S)[1]
        took_s = time.monotonic() - began
        hold.set()
    assert process.returncode == 130
    assert took_s < LONG_S / 4
    assert "Traceback" not in said
    assert said.count("it is opened again until it is back") == 1
    (summary,) = tmp_path.glob("*/summary.json")
    figures = json.loads(summary.read_text())
    assert (figures["error"], figures["outages"]["count"]) == ("interrupted", 1)
    assert figures["frames"] > 0
