"""Whole runs with a live page: fervid in a process of its own, a camera that the tests unplug."""

import asyncio
import json
import shutil
import subprocess
import sys
import threading
import time

import aiohttp
import pytest

import fervid
from fervid.config import RunConfig, ServeConfig
from fervid.errors import ConfigError
from tests import live, servers
from tests.backends import Sparing
from tests.clips import clip
from tests.places import ROOT, SAMPLE


@pytest.fixture(scope="module")
def pictures():
    return live.jpegs(SAMPLE, 240)[:40]


def states(url, n, until=lambda source: True):
    """What a viewer is told of the first source, n times, once something is true."""

    async def look():
        found = []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}live") as viewer,
            asyncio.timeout(60),
        ):
            while len(found) < n:
                text = json.loads(await viewer.receive_str())
                if text["type"] == "figures" and text["sources"] and until(text["sources"][0]):
                    found.append(text["sources"][0])
        return found

    return asyncio.run(look())


def test_a_camera_is_seen_unplugged_and_plugged_in_again(pictures):
    unplugged = threading.Event()
    with (
        servers.http_server(live.camera(pictures, 10, unplugged)) as host,
        live.running(f"http://{host}/", "--serve", "0", "--no-window") as run,
    ):
        (seen,) = states(
            run.url, 1, lambda s: s["state"] == "live" and s.get("faces") and s["stages"]
        )
        assert seen["fps"] >= 0
        unplugged.set()
        (lost,) = states(run.url, 1, lambda s: s["state"] == "offline")
        assert "broke off" in lost["offline"]["cause"]
        assert lost["faces"] == []
        unplugged.clear()
        (back,) = states(run.url, 1, lambda s: s["state"] == "live")
        assert back["frames"] >= lost["frames"]
        assert run.end() == 130
    assert "Traceback" not in "".join(run.said)


def test_maps_are_made_while_somebody_looks(pictures):
    """One who only reads figures costs no heatmap; one who asks for pictures gets maps."""
    backend, over = Sparing(), threading.Event()

    class End:
        wants_pixels = wants_maps = False

        def write(self, frame, result, drawn):
            if over.is_set():
                raise fervid.FervidError("over")

        def close(self):
            pass

    port = servers.free_port()
    config = RunConfig(serving=ServeConfig(serve=str(port)))

    def analyse(uri):
        with pytest.raises(fervid.FervidError, match="over"):
            fervid.analyse(uri, config=config, sinks=[End()], backend=backend)

    async def look():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}/live") as viewer,
            asyncio.timeout(60),
        ):
            while not (backend.made and backend.made[-1]):
                await viewer.send_str('{"next": 0}')
                while (await viewer.receive()).type is not aiohttp.WSMsgType.BINARY:
                    pass

    with servers.http_server(live.camera(pictures, 20)) as host:
        thread = threading.Thread(target=analyse, args=(f"http://{host}/",))
        thread.start()
        until = time.monotonic() + 60
        while len(backend.made) < 5 and time.monotonic() < until:
            time.sleep(0.05)
        states(f"http://127.0.0.1:{port}/", 2)
        assert backend.made
        assert not any(backend.made)
        asyncio.run(look())
        assert any(backend.made)
        over.set()
        thread.join(60)
        assert not thread.is_alive()


def test_the_address_and_the_token_are_said_once(tmp_path):
    source = clip(tmp_path / "x.mp4", frames=3)
    command = [sys.executable, "-m", "fervid", str(source), "--serve", "0.0.0.0:0", "--quiet"]
    command += ["-o", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    token = line.partition("?token=")[2]
    assert len(token) >= 32
    for path in (tmp_path / "out").rglob("*.*"):
        assert token.encode() not in path.read_bytes(), path
    assert json.loads((tmp_path / "out/x/summary.json").read_text())["config"]["serving"] == {
        "serve": "0.0.0.0:0"
    }


def test_from_python_nobody_would_see_the_token(tmp_path):
    config = RunConfig(serving=ServeConfig(serve="0.0.0.0:0"))
    with pytest.raises(ConfigError, match=r"nobody would see its token"):
        fervid.analyse(clip(tmp_path / "x.mp4"), config=config)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("more", [(), ("--serve", "0")], ids=["without", "with"])
def test_without_serve_nobody_listens(tmp_path, more):
    source, log = clip(tmp_path / "x.mp4", frames=3), tmp_path / "calls.txt"
    trace = ["strace", "-f", "-e", "trace=socket,bind,listen,connect", "-o", str(log)]
    subprocess.run(
        [*trace, sys.executable, "-m", "fervid", str(source), *more],
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    found = [line for line in log.read_text().splitlines() if "AF_INET" in line]
    assert any("bind(" in line for line in found) is bool(more)
    assert [line for line in found if "bind(" in line and "127.0.0.1" not in line] == []
    assert more or found == []
