"""The live page's server, asked over real sockets on loopback."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import pytest

from fervid.config import OutputConfig, RunConfig, ServeConfig
from fervid.errors import SinkError
from fervid.live import LivePage
from tests import live
from tests.servers import free_port

OUTSIDE = RunConfig(serving=ServeConfig(serve="0.0.0.0:0"))


def local(page, path="/", token=""):
    port = urlsplit(page.url).port
    return f"http://127.0.0.1:{port}{path}" + (f"?token={token}" if token else "")


def asked(page, path="/", **more):
    """The status, headers and text of an answer."""

    async def ask():
        token = more.pop("token", "")
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
            session.get(local(page, path, token), **more) as answer,
        ):
            return answer.status, answer.headers, await answer.text()

    return asyncio.run(ask())


@contextlib.asynccontextmanager
async def looking(page, token="", **more):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(local(page, "/live", token), **more) as viewer,
    ):
        yield viewer


async def told(viewer, kind, until=lambda text: True):
    """The next text of a kind for which something is true."""
    async with asyncio.timeout(20):
        while True:
            message = await viewer.receive()
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            if message.type is aiohttp.WSMsgType.TEXT:
                text = json.loads(message.data)
                if text["type"] == kind and until(text):
                    return text


async def pictures(viewer, n, source=0):
    """The numbers of the next n pictures, each asked for after the one before."""
    found = []
    async with asyncio.timeout(30):
        for _ in range(n):
            await viewer.send_str(json.dumps({"next": source}))
            while (message := await viewer.receive()).type is not aiohttp.WSMsgType.BINARY:
                assert message.type is aiohttp.WSMsgType.TEXT
            assert message.data[8:10] == b"\xff\xd8"
            assert struct.unpack_from("<I", message.data)[0] == source
            found.append(struct.unpack_from("<I", message.data, 4)[0])
    return found


def test_the_page_and_its_parts_are_served_with_a_policy():
    with live.playing() as (page, _):
        status, headers, text = asked(page)
        assert status == 200
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert "<script>" not in text
        assert "style=" not in text
        assert asked(page, "/assets/uPlot.iife.min.js")[0] == 200
        for path in ("/assets/live.html", "/assets/../guard.py", "/assets/%2e%2e/guard.py", "/x"):
            assert asked(page, path)[0] == 404


def test_another_host_and_another_site_are_refused():
    with live.playing() as (page, _):
        assert asked(page, headers={"Host": "evil.example"})[0] == 403
        assert asked(page, "/assets/live.js", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403

        async def look():
            async with looking(page, headers={"Origin": "http://evil.example"}):
                pass

        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            asyncio.run(look())


def test_the_token_opens_the_page_and_becomes_a_cookie():
    with live.playing(OUTSIDE) as (page, _):
        token = page.guard.token
        assert page.url.endswith(f"/?token={token}")
        assert asked(page)[0] == asked(page, token="wrong")[0] == 403
        assert token not in asked(page, token="wrong")[2]
        status, headers, _ = asked(page, token=token, allow_redirects=False)
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert f"={token};" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert asked(page, token=token)[0] == 200  # follows, with the cookie
        name = cookie.partition("=")[0]
        assert asked(page, "/assets/live.js", cookies={name: token})[0] == 200
        assert asked(page, "/assets/live.js", cookies={name: "wrong"})[0] == 403
        assert asked(page, "/assets/live.js")[0] == 403

        async def look(given):
            async with looking(page, given) as viewer:
                await told(viewer, "figures")

        asyncio.run(look(token))
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            asyncio.run(look("wrong"))


def test_a_viewer_gets_figures_history_and_the_pictures_it_asks_for():
    async def look(page, player):
        async with looking(page) as viewer:
            assert (await told(viewer, "hello"))["anonymize"] == "none"
            first = await told(viewer, "figures", lambda t: "frames" in t["sources"][0])
            assert first["sources"][0]["faces"][0]["label"] == "happy"
            later = await told(
                viewer,
                "figures",
                lambda t: t["sources"][0]["frames"] > first["sources"][0]["frames"],
            )
            assert later["sources"][0]["label"] == "door"
            points = (await told(viewer, "history"))["points"]
            assert points[0]["faces"]["0"]["p"][1] > 0.3
            before = player.written
            numbers = await pictures(viewer, 8)
            assert numbers == sorted(set(numbers))
            assert numbers[0] >= before - 1  # the newest, nothing from before it came

    with live.playing() as (page, player):
        asyncio.run(look(page, player))


def test_no_images_means_figures_without_pictures():
    async def look(page):
        async with looking(page) as viewer:
            text = await told(viewer, "figures", lambda t: "faces" in t["sources"][0])
            assert text["sources"][0]["pictures"] is False
            await viewer.send_str('{"next": 0}')
            until = time.monotonic() + 1
            while time.monotonic() < until:
                message = await viewer.receive(timeout=5)
                assert message.type is aiohttp.WSMsgType.TEXT

    config = RunConfig(serving=ServeConfig(serve="0"), output=OutputConfig(images=False))
    with live.playing(config) as (page, _):
        asyncio.run(look(page))


@pytest.mark.parametrize("words", ["x", "[]", '{"next": -1}', '{"next": true}', "{}", "[" * 200])
def test_a_viewer_that_says_something_else_is_sent_away(words):
    async def look(page):
        async with looking(page) as viewer:
            await viewer.send_str(words)
            async with asyncio.timeout(10):
                async for _ in viewer:
                    pass
            return viewer.close_code

    with live.playing() as (page, _):
        assert asyncio.run(look(page)) == 1008


def test_ten_viewers_get_pictures_which_are_encoded_once(monkeypatch):
    made = []
    monkeypatch.setattr(
        "fervid.live.viewers.jpeg", lambda picture: made.append(1) or b"\xff\xd8" + bytes(100)
    )

    async def look(page):
        async with contextlib.AsyncExitStack() as stack:
            viewers = [await stack.enter_async_context(looking(page)) for _ in range(10)]
            each = await asyncio.gather(*(pictures(viewer, 10) for viewer in viewers))
            assert all(numbers == sorted(set(numbers)) for numbers in each)
            return len({number for numbers in each for number in numbers})

    with live.playing() as (page, _):
        assert asyncio.run(look(page)) == len(made)


def test_nothing_is_drawn_and_no_map_wanted_while_nobody_looks(monkeypatch):
    made = []
    monkeypatch.setattr("fervid.live.viewers.jpeg", lambda picture: made.append(1) or b"\xff\xd8")

    async def look(page, feed):
        async with looking(page) as viewer:
            await told(viewer, "figures")
            assert not feed.watched  # it reads figures alone
            await pictures(viewer, 2)
            assert feed.watched

    with live.playing() as (page, player):
        feed = player._feed
        while player.written < 5:
            time.sleep(0.02)
        assert not made
        assert not feed.watched
        asyncio.run(look(page, feed))
        until = time.monotonic() + 10
        while feed.watched and time.monotonic() < until:
            time.sleep(0.02)
        assert not feed.watched


def stalled(page):
    """A viewer that asks for pictures, and reads nothing at all."""
    port = urlsplit(page.url).port
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.sendall(
        f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return connection


def wish(connection, source=0):
    """Send a masked WebSocket message, as a browser does."""
    words, mask = json.dumps({"next": source}).encode(), b"\1\2\3\4"
    masked = bytes(c ^ mask[i % 4] for i, c in enumerate(words))
    connection.sendall(bytes([0x81, 0x80 | len(words)]) + mask + masked)


def noise(*_):
    """A picture's bytes, which no buffer of the system swallows many of."""
    return b"\xff\xd8" + np.random.default_rng(0).bytes(400_000)


def test_a_viewer_that_reads_nothing_holds_nobody_up(monkeypatch):
    monkeypatch.setattr("fervid.live.viewers.jpeg", noise)
    monkeypatch.setattr("fervid.live.viewers.PATIENCE_S", 4.0)

    async def look(page):
        async with looking(page) as viewer:
            return await pictures(viewer, 20)

    with live.playing() as (page, player), contextlib.closing(stalled(page)) as connection:
        for _ in range(20):
            wish(connection)
            time.sleep(0.02)
        before = player.written
        numbers = asyncio.run(look(page))
        assert len(set(numbers)) == 20
        assert player.written > before
        # It is given up: it neither stays a viewer nor keeps its pictures.
        viewers = page._server._pump.viewers
        until = time.monotonic() + 60
        while viewers and time.monotonic() < until:
            time.sleep(0.05)
        assert not viewers


def test_the_end_is_told_and_does_not_wait_for_a_viewer_that_reads_nothing(monkeypatch):
    monkeypatch.setattr("fervid.live.viewers.jpeg", noise)

    async def look(page, ended):
        async with looking(page) as viewer:
            await told(viewer, "figures")
            ended.set()
            await told(viewer, "over")
            await viewer.receive(timeout=20)
            return viewer.close_code

    import threading

    ended, codes = threading.Event(), []
    with live.playing() as (page, _):
        connection = stalled(page)
        for _ in range(10):
            wish(connection)
            time.sleep(0.02)
        thread = threading.Thread(target=lambda: codes.append(asyncio.run(look(page, ended))))
        thread.start()
        assert ended.wait(30)
    thread.join(60)
    connection.close()
    assert codes == [1001]


def test_a_source_that_has_ended_is_shown_as_it_was_at_its_end():
    with LivePage(RunConfig(serving=ServeConfig(serve="0")), clock=lambda: 0.0) as page:
        info, states = live.info(), iter(("first", "too soon", "last"))
        with page.feed(info) as feed:
            for _ in range(2):
                page.update([(info, states.__next__)])
            assert feed.snapshot == "first"
            next(states)
        page.update([(info, states.__next__)])
        assert feed.snapshot == "last"


def test_feeds_of_files_that_ended_make_room():
    with LivePage(RunConfig(serving=ServeConfig(serve="0"))) as page:
        with page.feed(live.info("a")) as a:
            with page.feed(live.info("b")) as b:
                pass
            assert page._feeds == (a, b)
            with page.feed(live.info("c")) as c:
                assert page._feeds == (b, a, c)
        with page.feed(live.info("d")) as d:
            assert page._feeds == (d,)


def test_of_files_that_are_not_shown_any_more_nothing_is_kept():
    async def look(page):
        async with looking(page) as viewer:
            for label in "abc":
                with page.feed(live.info(label)) as feed:
                    feed.write(*live.scene(0), None)
                    await pictures(viewer, 1, feed.number)
            pump = page._server._pump
            (known,) = pump.viewers
            return set(pump._encoded) | set(known.has) | set(known.counts)

    with LivePage(RunConfig(serving=ServeConfig(serve="0"))) as page:
        assert asyncio.run(look(page)) == {2}


def test_a_port_in_use_is_told():
    port = free_port()
    config = RunConfig(serving=ServeConfig(serve=str(port)))
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(SinkError, match=rf"127\.0\.0\.1:{port} \(Address already in use\); name"),
    ):
        LivePage(config)


def test_the_port_is_free_again_after_the_page():
    with live.playing() as (page, _):
        port = urlsplit(page.url).port
    socket.create_server(("127.0.0.1", port)).close()
