"""Runs that are watched: scraped, alerted about and killed, with real receivers that misbehave."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import fervid
from fervid.config import OutputConfig, RunConfig, SegmentConfig, ThreadConfig, WatchConfig
from fervid.errors import ConfigError, FervidError, SinkError
from fervid.segments import Segments
from fervid.watch.events import EventsSink
from fervid.watch.metrics import MetricsSink
from tests import clips, servers
from tests.backends import FakeBackend
from tests.places import ROOT, SAMPLE

RULE = "faces >= 0.5 for 100ms"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def watched(*sources, out=None, sinks=(), **options):
    """A run in this process, with a network that costs nothing."""
    config = RunConfig(watch=WatchConfig(**options))
    return fervid.analyse(*sources, config=config, out=out, sinks=sinks, backend=FakeBackend())


@contextlib.contextmanager
def started(*argv):
    """A run as a process of its own."""
    command = [sys.executable, "-m", "fervid", *map(str, argv)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def metrics(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for s in family.samples:
            found[s.name, s.labels.get("source"), s.labels.get("cause")] = s.value
    return found, text


def until(url, condition, limit_s=60.0):
    """The metrics as soon as they are as wanted."""
    end = time.monotonic() + limit_s
    while True:
        found, text = metrics(url)
        if condition(found):
            return found, text
        assert time.monotonic() < end, text
        time.sleep(0.1)


def test_a_stream_is_scraped_while_it_is_lost_and_comes_back(tmp_path):
    """A real server with a password that breaks off, refuses, and serves again."""
    lose, returned = threading.Event(), threading.Event()

    def break_off(_):
        if lose.is_set():
            raise ConnectionResetError

    def answer(handler):
        there = returned.is_set() or not lose.is_set()
        stream = servers.mjpeg(10**6, meanwhile=lambda n: returned.is_set() or break_off(n))
        (stream if there else servers.status(503))(handler)

    events = tmp_path / "events.jsonl"
    with (
        servers.http_server(answer, login="me:hunter2") as host,
        started(
            f"http://me:hunter2@{host}/",
            "--events",
            events,
            "--metrics-port",
            "0",
            "--no-window",
            "--alert",
            "faces < 1",
        ) as run,
    ):
        said = run.stderr.readline()
        url = re.search(r"http://\S+/metrics", said)[0]
        name = f"http://{host}/"

        def frames(found):
            return found.get(("fervid_frames_total", name, None), 0)

        before, _ = until(url, lambda found: frames(found) >= 5)
        lose.set()
        away, _ = until(url, lambda found: not found["fervid_online", name, None])
        returned.set()
        found, text = until(url, lambda found: frames(found) > frames(away) + 5)
        run.send_signal(signal.SIGTERM)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 143
    assert before["fervid_online", name, None] == found["fervid_online", name, None] == 1
    assert before["fervid_reconnects_total", name, None] == 0
    assert found["fervid_reconnects_total", name, None] == 1
    assert found["fervid_dropped_frames_total", name, "offline"] > 0
    assert found["fervid_latency_seconds_count", name, None] >= frames(found) - 1
    told = lines(events)
    kinds = [line["event"] for line in told if line["event"] != "alert"]
    assert kinds == ["began", "offline", "online", "ended"]
    assert {line["source"] for line in told} == {name}
    alerts = [(line["state"], line.get("why")) for line in told if line["event"] == "alert"]
    assert alerts == [("begin", None), ("end", "offline"), ("begin", None), ("end", "ended")]
    assert told[-1]["error"] == "interrupted"
    assert err.count("alert: ") == 2
    assert not [t for t in (said, err, text, events.read_text()) if "hunter2" in t]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="only POSIX kills")
def test_a_killed_run_leaves_whole_lines(tmp_path):
    events = tmp_path / "events.jsonl"
    rules = [word for n in range(40) for word in ("--alert", f"noise >= 0.{n + 100}")]
    rules += ["--alert", "faces >= 1"]
    for more in (0.0, 0.7, 1.4):
        events.unlink(missing_ok=True)
        with started(SAMPLE, "--events", events, "--overwrite", "-q", *rules) as run:
            end = time.monotonic() + 60
            while not events.exists() or events.read_text().count('"alert"') < 1:
                assert time.monotonic() < end
                time.sleep(0.02)
            time.sleep(more)
            run.kill()
            run.wait()
        text = events.read_text()
        assert text.endswith("\n")
        assert lines(events)[0]["event"] == "began"
        assert {line["source"] for line in lines(events)} == {str(SAMPLE)}


def test_a_receiver_that_stalls_and_a_command_that_hangs_stop_nothing(
    tmp_path, caplog, monkeypatch
):
    """The run ends, with all its frames, while both of them still hang."""
    monkeypatch.setattr("fervid.watch.hub.DRAIN_S", 0.5)
    monkeypatch.setattr("fervid.watch.hub.HURRY_S", 2.0)  # a loaded machine needs it to end them
    heard, pid = [], tmp_path / "pid"
    command = f"sh -c 'echo $$ > {pid}; exec sleep 600'"

    class BothHang:
        """Holds the run until both have begun; on a loaded machine it would end before."""

        wants_pixels = False

        def write(self, frame, result, drawn):
            end = time.monotonic() + 60
            while not (heard and pid.exists() and pid.read_text().endswith("\n")):
                assert time.monotonic() < end
                time.sleep(0.01)

        def close(self):
            pass

    events = tmp_path / "events.jsonl"
    rules = tuple(f"faces < {n + 1}" for n in range(150))  # more than may wait
    with servers.silent_server(heard=heard.append) as host:
        (summary,) = watched(
            clips.clip(tmp_path / "a.mp4", frames=20),
            out=tmp_path / "out",
            sinks=[BothHang()],
            events=events,
            alert=rules,
            alert_url=f"http://me:hunter2@{host}/T0KEN",
            alert_exec=command,
        )
        assert len(heard) == 1  # it was asked once and has not answered
    assert (summary["frames"], summary["error"]) == (20, None)
    assert len(lines(tmp_path / "out" / "a" / "faces.jsonl")) == 21
    begun = [line["rule"] for line in lines(events) if line.get("state") == "begin"]
    assert begun == list(rules)  # the file has them all
    said = [r.getMessage() for r in caplog.records]
    assert len([s for s in said if s.startswith("An alert did not reach")]) == 2
    assert len([s for s in said if s.startswith("300 of 300 alerts did not reach")]) == 2
    assert not [s for s in said if "hunter2" in s or "T0KEN" in s]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert not [t for t in threading.enumerate() if t.name in ("fervid-courier", "fervid-metrics")]


def test_alerts_are_posted_and_given_to_a_command(tmp_path):
    inbox, seen = [], tmp_path / "seen"

    def answer(handler):
        inbox.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
        servers.status(200)(handler)

    sources = [clips.clip(tmp_path / f"{n}.mp4", frames=20) for n in range(2)]
    with servers.http_server(answer) as host:
        watched(
            *sources,
            events=tmp_path / "events.jsonl",
            alert=("faces < 1 for 200ms",),
            alert_url=f"http://{host}/",
            alert_exec=f"tee -a {seen}",
        )
    told = [line for line in lines(tmp_path / "events.jsonl") if line["event"] == "alert"]
    assert [(line["source"], line["state"]) for line in told] == [
        (str(source), state) for source in sources for state in ("begin", "end")
    ]
    assert inbox == told
    assert lines(seen) == told


def test_a_source_that_fails_ends_with_its_error(tmp_path):
    broken, missing = tmp_path / "broken.mp4", tmp_path / "missing.mp4"
    broken.write_bytes(b"no video at all" * 99)
    good, events = clips.clip(tmp_path / "good.mp4", frames=5), tmp_path / "events.jsonl"
    with pytest.raises(FervidError, match="2 of 3 sources failed"):
        watched(broken, good, missing, events=events)
    found = {line["source"]: line for line in lines(events) if line["event"] == "ended"}
    assert found[str(good)]["error"] is None
    assert found[str(good)]["frames"] == 5
    assert "broken.mp4" in found[str(broken)]["error"]
    assert "missing.mp4" in found[str(missing)]["error"]
    assert len(found) == 3
    assert [line["source"] for line in lines(events) if line["event"] == "began"] == [str(good)]


def test_a_source_that_fails_on_its_way_ends_once(tmp_path):
    class Full:
        wants_pixels = False

        def write(self, frame, result, drawn):
            if result.index == 3:
                raise SinkError("the tape is full", "tape")

        def close(self):
            pass

    events = tmp_path / "events.jsonl"
    with pytest.raises(SinkError):
        watched(clips.clip(tmp_path / "a.mp4", frames=8), sinks=[Full()], events=events)
    ends = [line for line in lines(events) if line["event"] == "ended"]
    assert [(line["frames"], line["error"]) for line in ends] == [(3, "the tape is full")]


def test_who_watches_is_told_when_a_frame_is_in_its_segment(tmp_path, monkeypatch):
    order = []
    for kind in (Segments, EventsSink, MetricsSink):

        def write(self, *frame, kind=kind, write=kind.write):
            order.append(kind)
            write(self, *frame)

        monkeypatch.setattr(kind, "write", write)
    config = RunConfig(
        watch=WatchConfig(events=tmp_path / "events.jsonl", metrics_port="0"),
        segments=SegmentConfig(segment="1h"),
    )
    clip = clips.clip(tmp_path / "a.mp4", frames=2)
    fervid.analyse(clip, config=config, out=tmp_path / "out", backend=FakeBackend())
    assert order == 2 * [Segments, EventsSink, MetricsSink]


def test_events_go_to_standard_output_and_nothing_else_does(tmp_path):
    clip = clips.clip(tmp_path / "a.mp4", frames=5)
    with started(clip, "--events", "-", "--alert", "faces < 1") as run:
        out, err = run.communicate(timeout=60)
    assert run.returncode == 0
    kinds = [json.loads(line)["event"] for line in out.splitlines()]
    assert kinds == ["began", "alert", "alert", "ended"]
    assert "fervid: alert: " in err


def test_a_port_in_use_ends_the_run_before_anything_is_written(tmp_path):
    clip, out = clips.clip(tmp_path / "a.mp4", frames=5), tmp_path / "out"
    with socket.create_server((servers.HERE, 0)) as taken:
        port = taken.getsockname()[1]
        with started(clip, "-o", out, "--metrics-port", port) as run:
            said, err = run.communicate(timeout=60)
    assert (run.returncode, said) == (1, "")
    assert err == (
        f"fervid: Metrics cannot be served at 127.0.0.1:{port} (Address already in use); choose "
        "another --metrics-port.\n"
    )
    assert not out.exists()


def test_a_class_of_another_model_is_refused_before_anything_is_written(tmp_path):
    clip, out = clips.clip(tmp_path / "a.mp4", frames=5), tmp_path / "out"
    with pytest.raises(ConfigError, match="the model has no class faer; did you mean fear"):
        watched(clip, out=out, alert=("faer > 0.5",), events=tmp_path / "e.jsonl")
    assert not out.exists()
    assert not (tmp_path / "e.jsonl").exists()


@pytest.mark.parametrize(
    ("watch", "more", "words"),
    [
        ({"alert": (RULE,)}, {"jobs": 2}, "--jobs shares the files out, and --alert watches one"),
        ({"metrics_port": "0"}, {"ray": "auto"}, "--ray shares the files out, and --metrics-port"),
        ({"events": "e.jsonl"}, {"resume": True}, "and --events would lack them; drop one"),
    ],
)
def test_what_cannot_be_watched_is_refused(tmp_path, watch, more, words):
    cores = ThreadConfig(**{k: v for k, v in more.items() if k != "resume"})
    output = OutputConfig(out=tmp_path / "out", resume=more.get("resume", False))
    config = RunConfig(watch=WatchConfig(**watch), cores=cores, output=output)
    with pytest.raises(ConfigError) as caught:
        fervid.analyse(clips.clip(tmp_path / "a.mp4", frames=5), config=config)
    assert words in str(caught.value)


def test_a_file_of_events_is_never_overwritten_unasked_nor_shared(tmp_path):
    clip, events = clips.clip(tmp_path / "a.mp4", frames=5), tmp_path / "events.jsonl"
    events.write_text("mine")
    with pytest.raises(ConfigError, match=r"events\.jsonl exists; add --overwrite"):
        watched(clip, events=events)
    assert events.read_text() == "mine"
    journal = tmp_path / "out" / "a" / "faces.jsonl"
    with pytest.raises(ConfigError, match="is wanted twice"):
        watched(clip, out=tmp_path / "out", events=journal)


def test_events_that_cannot_be_written_stop_the_run(tmp_path):
    clip = clips.clip(tmp_path / "a.mp4", frames=5)
    with pytest.raises(SinkError, match="No space left on device"):
        watched(clip, events=Path("/dev/full"))
