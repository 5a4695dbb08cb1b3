"""Alerts on their way out: real receivers that stall, refuse and die, and commands that hang."""

import json
import logging
import os
import shlex
import signal
import sys
import threading
import time

import pytest

from fervid.errors import ConfigError
from fervid.watch.courier import Courier, DeliveryError
from fervid.watch.execute import Execute
from fervid.watch.post import Post
from tests import servers

EVENT = {"event": "alert", "state": "begin", "rule": "fear > 0.7", "source": "a", "track": None}


class Inbox:
    """Answers a POST with a status, and keeps what came."""

    def __init__(self, status=204):
        self.status, self.came = status, []

    def __call__(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.came.append((handler.command, handler.path, dict(handler.headers), body))
        servers.status(self.status)(handler)


def test_an_event_is_posted_as_json():
    inbox = Inbox()
    with servers.http_server(inbox) as host:
        post = Post(f"http://me:pa%3Ass@{host}/hooks/ü?a=b c".replace(" ", "%20"))
        assert post.name == f"http://{host}"
        post.send(EVENT)
    ((verb, path, head, body),) = inbox.came
    assert (verb, path) == ("POST", "/hooks/%C3%BC?a=b%20c")
    assert json.loads(body) == EVENT
    assert head["Content-Type"] == "application/json"
    assert head["Authorization"] == "Basic bWU6cGE6c3M="


@pytest.mark.parametrize("status", [301, 404, 500])
def test_a_status_that_is_no_success_is_a_failure(status):
    inbox = Inbox(status)
    with servers.http_server(inbox) as host, pytest.raises(DeliveryError) as caught:
        Post(f"http://me:hunter2@{host}/T0KEN").send(EVENT)
    assert str(caught.value) == f"it answered {status}"
    assert len(inbox.came) == 1  # nothing is followed


def test_a_port_on_which_nobody_listens_is_a_failure():
    with pytest.raises(DeliveryError, match="Connection refused"):
        Post(f"http://{servers.HERE}:{servers.free_port()}/").send(EVENT)


def test_a_receiver_that_is_silent_is_left_after_the_limit():
    with servers.silent_server() as host, pytest.raises(DeliveryError, match=r"within 0\.3 s"):
        Post(f"http://{host}/", 0.3).send(EVENT)


def test_a_receiver_that_drips_is_left_after_the_limit():
    done = threading.Event()

    def drip(handler):
        while not done.wait(0.05):
            handler.wfile.write(b"H")

    with servers.http_server(drip) as host:
        try:
            with pytest.raises(DeliveryError, match=r"within 0\.4 s"):
                Post(f"http://{host}/", 0.4).send(EVENT)
        finally:
            done.set()


def test_what_is_no_http_is_a_failure_that_repeats_nothing():
    odd = servers.silent_server(b"T0KEN T0KEN\r\n\r\n")
    with odd as host, pytest.raises(DeliveryError) as caught:
        Post(f"http://{host}/").send(EVENT)
    assert "T0KEN" not in str(caught.value)


def test_an_https_receiver_must_prove_who_it_is(tmp_path, monkeypatch):
    inbox, pem = Inbox(), servers.certificate(tmp_path)
    with servers.http_server(inbox, certificate=pem) as host:
        with pytest.raises(DeliveryError, match="its certificate is not trusted"):
            Post(f"https://{host}/").send(EVENT)
        assert inbox.came == []
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        Post(f"https://{host}/").send(EVENT)
    assert len(inbox.came) == 1


def python(code):
    return (sys.executable, "-c", code)


def test_a_command_gets_the_event_and_no_password(tmp_path):
    out = tmp_path / "got"
    code = (
        "import json, os, sys; print('this goes nowhere'); print('nor this', file=sys.stderr)\n"
        f"json.dump([json.load(sys.stdin), dict(os.environ)], open({str(out)!r}, 'w'))"
    )
    environment = {**os.environ, "FERVID_USER": "me", "FERVID_PASSWORD": "hunter2"}
    Execute(python(code), environment).send(EVENT)
    event, seen = json.loads(out.read_text())
    assert event == EVENT
    told = {name: value for name, value in seen.items() if name.startswith("FERVID_")}
    assert told["FERVID_RULE"] == "fear > 0.7"
    assert told["FERVID_TRACK"] == ""
    assert not {"FERVID_USER", "FERVID_PASSWORD"} & set(seen)


def test_no_shell_sees_the_command(tmp_path):
    mark = tmp_path / "mark"
    Execute(("echo", ";", "touch", str(mark), "$(touch", f"{mark})"), os.environ).send(EVENT)
    assert not mark.exists()


def test_a_command_that_fails_and_one_that_is_not_there():
    with pytest.raises(DeliveryError, match="it ended with 3; try it by itself"):
        Execute(python("raise SystemExit(3)"), os.environ).send(EVENT)
    with pytest.raises(ConfigError, match="there is no program no-such-program; check its name"):
        Execute(("no-such-program",), os.environ)


def gone(pid):
    """Whether a process has ended, a zombie that nobody has waited for included."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition, limit_s=10.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX's")
def test_a_command_that_hangs_is_ended_with_all_it_has_started(tmp_path):
    pids = tmp_path / "pids"
    # A shell is there at once, also where Python takes seconds to start.
    code = f"sleep 600 & echo $$ $! > {shlex.quote(str(pids))}; wait"
    with pytest.raises(DeliveryError, match="it took over 3 s and was ended"):
        Execute(("sh", "-c", code), os.environ, 3.0).send(EVENT)
    for pid in map(int, pids.read_text().split()):
        wait_for(lambda pid=pid: gone(pid))


class Gate:
    """A delivery that waits until it is let through."""

    name = "the gate"

    def __init__(self):
        self.passed, self.inside, self.most = threading.Semaphore(0), 0, 0
        self.sent, self.aborted = [], False

    def send(self, event):
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.passed.acquire()
        self.inside -= 1
        if self.aborted:
            raise DeliveryError("aborted")
        self.sent.append(event["n"])

    def abort(self):
        self.aborted = True
        self.passed.release()


def test_events_are_delivered_one_at_a_time_and_in_order():
    gate = Gate()
    courier = Courier(gate)
    for n in range(20):
        courier.put({"n": n})
    for _ in range(20):
        gate.passed.release()
    courier.drain(10)
    courier.close(10)
    assert gate.sent == list(range(20))
    assert (gate.most, courier.delivered, courier.failed, courier.lost) == (1, 20, 0, 0)


def test_what_a_slow_receiver_cannot_take_is_counted_and_said_once(caplog):
    gate = Gate()
    courier = Courier(gate, most_waiting=5)
    wait_for(lambda: courier.put({"n": 0}) or gate.inside)
    before = courier.lost
    for n in range(100):
        courier.put({"n": n})
    assert courier.lost - before >= 95
    with caplog.at_level(logging.WARNING):
        courier.close(2)
    assert gate.aborted
    assert not courier._thread.is_alive()
    said = [record.getMessage() for record in caplog.records]
    first = [line for line in said if line.startswith("An alert did not reach the gate (5 wait")]
    last = [line for line in said if line.endswith("alerts did not reach the gate.")]
    assert (len(first), len(last), len(said)) == (1, 1, 2)


def test_failures_are_counted_and_said_once(caplog):
    with servers.http_server(Inbox(500)) as host:
        courier = Courier(Post(f"http://me:hunter2@{host}/T0KEN"))
        for _ in range(4):
            courier.put(EVENT)
        courier.drain(10)
        courier.close(10)
        courier.close(10)
    assert [record.getMessage() for record in caplog.records] == [
        f"An alert did not reach http://{host} (it answered 500); how many more do not is said at "
        "the end.",
        f"4 of 4 alerts did not reach http://{host}.",
    ]


def test_a_mistake_of_a_delivery_does_not_end_the_next_ones(caplog):
    class Broken(Gate):
        def send(self, event):
            if event["n"] == 0:
                raise ZeroDivisionError("hunter2")
            self.sent.append(event["n"])

    broken = Broken()
    courier = Courier(broken)
    courier.put({"n": 0})
    courier.put({"n": 1})
    courier.drain(10)
    courier.close(1)
    assert (broken.sent, courier.failed) == ([1], 1)
    assert "ZeroDivisionError" in caplog.text
    assert "hunter2" not in caplog.text


def test_closing_ends_a_request_and_a_command_that_are_under_way(tmp_path):
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with servers.silent_server() as host:
        couriers = [
            Courier(Post(f"http://{host}/", 600)),
            Courier(Execute(python(code), os.environ, 600)),
        ]
        for courier in couriers:
            courier.put(EVENT)
        wait_for(lambda: pid.exists() and pid.read_text())
        for courier in couriers:
            courier.close(2)
            assert not courier._thread.is_alive()
            assert courier.failed == 1
    wait_for(lambda: gone(int(pid.read_text())))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
