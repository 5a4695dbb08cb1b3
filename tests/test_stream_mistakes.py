"""Streams that fail, through the command line: what is said and the code; passwords nowhere."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from urllib.parse import quote

import numpy as np
import pytest

from fervid.capture import open_source
from fervid.cli import main
from fervid.config import ReadConfig
from fervid.errors import SourceError
from fervid.logins import read_logins
from tests import servers
from tests.clips import clip
from tests.places import ROOT

PASSWORD = "s3cr€t@:/#%"
FORMS = (PASSWORD, quote(PASSWORD, ""), "s3cr")
SSH = b"SSH-2.0-OpenSSH_9.2\r\n"
NOISE = servers.content(np.random.default_rng(0).bytes(20_000), "video/mp4")
PAGE = servers.text("<!doctype html><html><body>Camera</body></html>\n" * 50)


@contextlib.contextmanager
def nobody():
    yield f"127.0.0.1:{servers.free_port()}"


@contextlib.contextmanager
def nowhere():
    yield "no-such-camera.invalid"


def quiet():
    return servers.mjpeg(15, rate=100, then_s=20)


MISTAKES = {
    "refused": (nobody, "http", "refuses the connection; check the port"),
    "refused rtsp": (nobody, "rtsp", "refuses the connection; check the port"),
    "unknown host": (nowhere, "http", "The host no-such-camera.invalid is not known"),
    "unknown rtsp host": (nowhere, "rtsp", "The host no-such-camera.invalid is not known"),
    "silent": (servers.silent_server, "http", "did not answer within 0.6 s"),
    "silent rtsp": (servers.silent_server, "rtsp", "did not answer within 0.6 s"),
    "silent https": (servers.silent_server, "https", "did not answer within 0.6 s"),
    "nobody sends": (nobody, "udp", "Nothing that can be read as video arrived"),
    "unknown kind": (nobody, "rstp", "did you mean rtsp://"),
    "garbage": (lambda: servers.http_server(NOISE), "http", "cannot be read as video"),
    "no web server": (lambda: servers.silent_server(SSH), "http", "did not answer within 0.6 s"),
    "no camera": (lambda: servers.silent_server(SSH), "rtsp", "did not answer within 0.6 s"),
    "a page": (lambda: servers.http_server(PAGE), "http", "cannot be read as video"),
    "wrong password": (
        lambda: servers.http_server(quiet(), "a:b"),
        "http",
        "refuses the user or the",
    ),
    "not found": (lambda: servers.http_server(servers.status(404)), "http", "404 (not found)"),
    "forbidden": (lambda: servers.http_server(servers.status(403)), "http", "forbidden (403)"),
    "server fails": (lambda: servers.http_server(servers.status(503)), "http", "has failed"),
    "silent later": (lambda: servers.http_server(quiet()), "http", "silent for 0.6 s"),
}


LOGIN = {"FERVID_USER": "me", "FERVID_PASSWORD": PASSWORD}


def address(host, scheme):
    return f"{scheme}://{host}" + ("" if scheme == "udp" else "/video?user=me&pwd=s3cr3t")


@pytest.mark.parametrize(("server", "scheme", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_stream_that_fails(server, scheme, says):
    # What shall not answer has .6 s; what shall, as long as a loaded machine needs.
    open_s = 0.6 if says == "did not answer within 0.6 s" or scheme == "udp" else 60
    read = ReadConfig(open_timeout_s=open_s, read_timeout_s=0.6, reconnect="none")
    logins = read_logins(None, LOGIN)

    def read_all(uri):
        with open_source(uri, read, logins=logins) as source:
            list(source)

    began = time.monotonic()
    with server() as host, pytest.raises(SourceError, match=re.escape(says)) as caught:
        read_all(address(host, scheme))
    assert time.monotonic() - began < 30
    said = str(caught.value)
    assert said.endswith((".", "?"))
    assert "\n" not in said
    told = "".join(traceback.format_exception(caught.value))
    assert not any(form in told for form in FORMS)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("name", ["refused", "wrong password", "silent later"])
def test_a_stream_that_fails_in_the_command_line(name, verbose, monkeypatch, capsys):
    server, scheme, says = MISTAKES[name]
    for variable, value in LOGIN.items():
        monkeypatch.setenv(variable, value)
    limits = ["--open-timeout-s", "60", "--read-timeout-s", "0.6", "--reconnect", "none"]
    with server() as host:
        loud = "--verbose" if verbose else "--quiet"
        assert main([address(host, scheme), *limits, loud]) == 1
    said = "".join(capsys.readouterr())
    assert not any(form in said for form in FORMS)
    assert says in said.replace("\n", " ")
    assert ("Traceback" in said) is verbose
    assert verbose or len(said.strip().splitlines()) == 1


def test_a_password_in_a_file_reaches_no_output(tmp_path, capsys):
    logins = tmp_path / "logins"
    logins.touch(0o600)
    with servers.http_server(servers.mjpeg(20, rate=50), f"me:{PASSWORD}") as host:
        logins.write_text(f"machine {host} login me password {PASSWORD}\n", encoding="utf-8")
        out = tmp_path / "out"
        options = ["-o", str(out), "--credentials", str(logins), "-v", "--reconnect", "none"]
        assert main([f"http://{host}/", *options]) == 1
    said = "".join(capsys.readouterr())
    assert "broke off" in said
    written = [path for path in out.rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {"faces.jsonl", "annotated.mp4", "summary.json"}
    for content in (said.encode(), *(path.read_bytes() for path in written)):
        assert not any(form.encode() in content for form in FORMS)
    summary = json.loads(next(path for path in written if path.suffix == ".json").read_text())
    assert summary["source"] == f"http://{host}/"
    assert summary["frames"] > 0


@pytest.mark.parametrize(
    ("mode", "text", "says"),
    [
        (0o644, "machine a login b password c", "chmod 600"),
        (0o600, "user=b", "netrc's format in line 1"),
        (None, "", "There is no credentials file"),
    ],
)
def test_a_credentials_file_that_cannot_be_used(tmp_path, capsys, mode, text, says):
    logins = tmp_path / "logins"
    if mode is not None:
        logins.write_text(text)
        logins.chmod(mode)
    assert main(["rtsp://127.0.0.1:9/", "--credentials", str(logins), "--quiet"]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals work otherwise on Windows")
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_ctrl_c_while_a_stream_does_not_answer(scheme):
    asked = []
    with servers.silent_server(heard=asked.append) as host:
        command = [sys.executable, "-m", "fervid", f"{scheme}://{host}/", "--open-timeout-s", "120"]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not asked and time.monotonic() < deadline:
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=90)[1]
    assert time.monotonic() - began < 30  # in seconds: `python -m tests.bench.stop`
    assert process.returncode == 130
    assert "Traceback" not in said


def test_each_source_may_have_a_file_with_its_own_password(tmp_path, capsys):
    config = tmp_path / "fervid.toml"
    clip(tmp_path / "a.mp4", frames=3)
    with servers.http_server(servers.files(tmp_path), login="me:pw") as host:
        for name, word, code in (("right", "pw", 0), ("wrong", "no", 1)):
            logins = tmp_path / name
            logins.touch(0o600)
            logins.write_text(f"machine {host} login me password {word}\n")
            config.write_text(f'[[source]]\nuri = "http://{host}/a.mp4"\ncredentials = "{name}"\n')
            assert main(["--config", str(config), "-q"]) == code
            assert ("refuses the user" in capsys.readouterr().err) == bool(code)
