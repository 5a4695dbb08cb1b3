"""Streams that fail, through the command line: what is said, the exit code, no password anywhere."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from urllib.parse import quote

import pytest

from fervid.cli import main
from tests import servers
from tests.places import ROOT

PASSWORD = "s3cr€t@:/#%"
FORMS = (PASSWORD, quote(PASSWORD, ""), "s3cr")
PAGE = servers.text("<!doctype html><html><body>Camera</body></html>\n" * 50)


@contextlib.contextmanager
def nobody():
    yield f"127.0.0.1:{servers.free_port()}"


@contextlib.contextmanager
def nowhere():
    yield "no-such-camera.invalid"


def quiet():
    return servers.mjpeg(15, rate=100, then_s=3)


MISTAKES = {
    "refused": (nobody, "http", 1, "refuses the connection; check the port"),
    "refused rtsp": (nobody, "rtsp", 1, "refuses the connection; check the port"),
    "unknown host": (nowhere, "http", 1, "The host no-such-camera.invalid is not known"),
    "unknown rtsp host": (nowhere, "rtsp", 1, "The host no-such-camera.invalid is not known"),
    "silent": (servers.silent_server, "http", 1, "did not answer within 0.6 s"),
    "silent rtsp": (servers.silent_server, "rtsp", 1, "did not answer within 0.6 s"),
    "silent https": (servers.silent_server, "https", 1, "did not answer within 0.6 s"),
    "nobody sends": (nobody, "udp", 1, "Nothing that can be read as video arrived"),
    "unknown kind": (nobody, "rstp", 1, "use rtsp://, http://, https:// or udp://"),
    "garbage": (lambda: servers.silent_server(b"\0" * 10**6), "http", 1, "cannot be read as video"),
    "a page": (lambda: servers.http_server(PAGE), "http", 1, "cannot be read as video"),
    "no user": (lambda: servers.http_server(quiet(), "a:b"), "http", 1, "refuses the user or the"),
    "not found": (lambda: servers.http_server(servers.status(404)), "http", 1, "404 (not found)"),
    "forbidden": (lambda: servers.http_server(servers.status(403)), "http", 1, "forbidden (403)"),
    "server fails": (lambda: servers.http_server(servers.status(503)), "http", 1, "has failed"),
    "silent later": (lambda: servers.http_server(quiet()), "http", 1, "silent for 0.6 s"),
}


@pytest.mark.parametrize(("server", "scheme", "code", "says"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("verbose", [False, True])
def test_a_stream_that_fails(server, scheme, code, says, verbose, monkeypatch, capsys):
    monkeypatch.setenv("FERVID_USER", "me")
    monkeypatch.setenv("FERVID_PASSWORD", PASSWORD)
    limits = ["--open-timeout-s", "0.6", "--read-timeout-s", "0.6"]
    with server() as host:
        uri = f"{scheme}://{host}" + ("" if scheme == "udp" else "/video?user=me&pwd=s3cr3t")
        began = time.monotonic()
        assert main([uri, *limits, "--verbose" if verbose else "--quiet"]) == code
        assert time.monotonic() - began < 8
    out, said = capsys.readouterr()
    assert not any(form in out + said for form in FORMS)
    assert " ".join(said.split()).find(says) >= 0
    assert ("Traceback" in said) is verbose
    if not verbose:
        assert len(said.strip().splitlines()) == 1
        assert said.rstrip().endswith(".")


def test_a_password_in_a_file_reaches_no_output(tmp_path, capsys):
    logins = tmp_path / "logins"
    logins.touch(0o600)
    with servers.http_server(servers.mjpeg(20, rate=50), f"me:{PASSWORD}") as host:
        logins.write_text(f"machine {host} login me password {PASSWORD}\n", encoding="utf-8")
        out = tmp_path / "out"
        assert main([f"http://{host}/", "-o", str(out), "--credentials", str(logins), "-v"]) == 1
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
        (None, "", "No such file"),
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
        command = [sys.executable, "-m", "fervid", f"{scheme}://{host}/", "--open-timeout-s", "30"]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not asked and time.monotonic() < deadline:
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
    assert time.monotonic() - began < 4
    assert process.returncode == 130
    assert "Traceback" not in said
