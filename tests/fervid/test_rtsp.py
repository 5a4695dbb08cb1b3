"""RTSP from a real server on loopback."""

import signal
import time

import numpy as np
import psutil
import pytest

from fervid.capture import open_source
from fervid.config import ReadConfig
from fervid.errors import SourceOpenError, SourceReadError
from fervid.logins import read_logins
from tests import servers

ODD = "p@:/#%ä &?"


@pytest.fixture(scope="module")
def host():
    with servers.rtsp_server() as (host, _):
        yield host


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_come_as_they_are_taken(host, transport):
    read = ReadConfig(rtsp_transport=transport)
    frames = []
    with open_source(f"rtsp://{host}/cam", read) as source:
        for frame in source:
            frames.append(frame)
            if len(frames) == 50:
                break
    assert source.info.live
    assert (source.info.width, source.info.height) == (320, 240)
    assert source.info.rate == 25
    times = [f.time_s for f in frames]
    assert np.diff(times).min() > 0
    # In bursts of a second there would be two waits; a loaded machine makes one of a few.
    assert (np.diff(times) > 0.5 / 25).sum() > 8
    assert times[-1] > 25 / 25
    assert not np.array_equal(frames[-1].bgr, frames[-20].bgr)


def test_the_transport_is_what_was_asked_for(host):
    """Over UDP there are sockets for the pictures beside the connection that asks for them."""

    def udp_sockets():
        return len(psutil.Process().net_connections("udp"))

    for transport, more in (("tcp", False), ("udp", True)):
        before = udp_sockets()
        with open_source(f"rtsp://{host}/cam", ReadConfig(rtsp_transport=transport)):
            assert (udp_sockets() > before) is more


@pytest.mark.parametrize("method", ["basic", "digest"])
def test_users_and_passwords(method):
    with servers.rtsp_server(method, "me", ODD) as (host, _):
        uri = f"rtsp://{host}/cam"
        right = read_logins(None, {"FERVID_USER": "me", "FERVID_PASSWORD": ODD})
        wrong = read_logins(None, {"FERVID_USER": "me", "FERVID_PASSWORD": "x"})
        open_source(uri, logins=right).close()
        with pytest.raises(SourceOpenError, match="refuses the user or the password of FERVID"):
            open_source(uri, logins=wrong)
        with pytest.raises(SourceOpenError, match="asks for a user and a password"):
            open_source(uri)


@pytest.mark.parametrize("password", ["a" * 124, "ä" * 62])
def test_a_long_password_arrives_whole_or_is_refused(password):
    with servers.rtsp_server("digest", "me", password) as (host, _):
        uri = f"rtsp://{host}/cam"
        variables = {"FERVID_USER": "me", "FERVID_PASSWORD": password}
        open_source(uri, logins=read_logins(None, variables)).close()
        variables["FERVID_PASSWORD"] += "a"
        with pytest.raises(SourceOpenError, match="too long"):
            open_source(uri, logins=read_logins(None, variables))


def test_a_path_that_is_not_there(host):
    with pytest.raises(SourceOpenError, match=r"404 \(not found\)"):
        open_source(f"rtsp://{host}/nothing")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_freezes_is_silent(transport):
    read = ReadConfig(rtsp_transport=transport, read_timeout_s=2, reconnect="none")
    with servers.rtsp_server() as (host, process):
        with open_source(f"rtsp://{host}/cam", read) as source:
            frames = iter(source)
            for _ in range(40):
                next(frames)
            process.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(SourceReadError, match="silent for 2 s"):
                list(frames)
        assert time.monotonic() - began < 10


def test_a_camera_that_goes_away_ends_the_stream(caplog):
    once = ReadConfig(reconnect="none")
    with (
        servers.rtsp_server() as (host, process),
        open_source(f"rtsp://{host}/cam", once) as source,
    ):
        frames = iter(source)
        next(frames)
        process.kill()
        list(frames)
    assert f"The stream rtsp://{host}/cam has ended." in caplog.text
