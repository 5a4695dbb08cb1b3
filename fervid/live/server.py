"""The server of the live page: aiohttp in a thread of its own, with its own event loop."""

import asyncio
import contextlib
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files

from aiohttp import web

from fervid.live.feed import Feed
from fervid.live.guard import Guard
from fervid.live.viewers import MOST_WORDS, Pump, Viewer

MOST_VIEWERS = 64
FAREWELL_S = 1.0  # that viewers have at the end to take their leave
BUFFER = 1 << 18  # bytes that the system may hold back for a slow viewer
PAGE = "live.html"
OWN = (PAGE, "live.css", "live.js", "live-charts.js", "live-view.js", "icon.svg")
REPORTS = ("uPlot.iife.min.js", "uPlot.min.css", "LICENSE-uPlot.txt", "page.css", "elements.js")
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Serves the page until it is closed.

    Args:
        listening: a bound socket, which becomes the server's.
        guard: says who may look.
        feeds: those that the page shows now; called in the server's thread.
        hello: what does not change, for each viewer.
    """

    def __init__(
        self,
        listening: socket.socket,
        guard: Guard,
        feeds: Callable[[], Sequence[Feed]],
        hello: dict[str, object],
    ) -> None:
        self._socket, self._guard, self._feeds = listening, guard, feeds
        self._hello = json.dumps(hello)
        self._cookie = f"fervid-{listening.getsockname()[1]}"
        self._assets = _assets()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fervid-page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell the viewers that it is over, and end the thread; closing twice is harmless."""
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:  # noqa: BLE001 - a page costs no run; it is said
            _log.warning("The live page has ended (%s); the run goes on without it.", error)
            _log.debug("The live page has failed.", exc_info=error)
        finally:
            self._socket.close()
            self._loop.close()

    async def _serve(self) -> None:
        self._pump = Pump(self._feeds)

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._check(request, handler)

        app = web.Application(middlewares=[check])
        app.router.add_get("/", self._page)
        app.router.add_get("/assets/{name}", self._asset)
        app.router.add_get("/live", self._live)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=FAREWELL_S)
        await runner.setup()
        work = asyncio.ensure_future(self._pump.run())
        try:
            await web.SockSite(runner, self._socket).start()
            ending = asyncio.ensure_future(self._end.wait())
            await asyncio.wait((work, ending), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            self._pump.close()
            await self._farewell()
            await runner.cleanup()
            await asyncio.sleep(0)  # transports that were ended let go of their sockets

    async def _farewell(self) -> None:
        """Show the last state, say that it is over, and let the viewers go."""
        self._pump.tell()
        leaving = [asyncio.ensure_future(viewer.leave()) for viewer in self._pump.viewers]
        if leaving:
            _, slow = await asyncio.wait(leaving, timeout=FAREWELL_S)
            for task in slow:
                task.cancel()

    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request pass, or say why not; every answer gets the headers."""
        given = request.query.get("token") or request.cookies.get(self._cookie, "")
        page = request.path == "/"
        refusal = self._guard.refusal(request.headers, page=page, given=given)
        if refusal:
            raise web.HTTPForbidden(text=refusal + "\n", headers=HEADERS)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    async def _page(self, request: web.Request) -> web.StreamResponse:
        """The page; who comes with the token gets it as a cookie, and an address without it."""
        if "token" in request.query:
            response: web.StreamResponse = web.Response(status=303, headers={"Location": "/"})
            if self._guard.token:
                response.set_cookie(
                    self._cookie, self._guard.token, httponly=True, samesite="Lax", path="/"
                )
            return response
        response = web.Response(body=self._assets[PAGE], content_type="text/html", charset="utf-8")
        response.headers["Content-Security-Policy"] = POLICY.format(host=request.host)
        return response

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._assets or name == PAGE:
            raise web.HTTPNotFound(headers=HEADERS)
        kind = TYPES[name[name.rindex(".") :]]
        return web.Response(body=self._assets[name], content_type=kind, charset="utf-8")

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """A viewer: pictures and figures to it, wishes from it, until it leaves."""
        if len(self._pump.viewers) >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text="There are too many viewers.\n", headers=HEADERS)
        answer = web.WebSocketResponse(
            timeout=FAREWELL_S, heartbeat=15.0, compress=False, max_msg_size=MOST_WORDS
        )
        await answer.prepare(request)
        if request.transport is not None:
            _hold_little_back(request.transport)
        viewer = Viewer(answer, self._hello)
        self._pump.add(viewer)
        talks = [asyncio.ensure_future(talk) for talk in (viewer.listen(), viewer.send())]
        try:
            await asyncio.wait(talks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pump.remove(viewer)
            for talk in talks:
                talk.cancel()
            await asyncio.gather(*talks, return_exceptions=True)
            if request.transport is not None and request.transport.get_write_buffer_size():
                request.transport.abort()  # it reads nothing: what waits would never leave
        return answer


def _hold_little_back(transport: asyncio.Transport) -> None:
    """Let a slow viewer have the newest picture rather than a queue of old ones."""
    transport.set_write_buffer_limits(high=1 << 16)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)


def _assets() -> dict[str, bytes]:
    """The files of the page by their names."""
    live, report = files("fervid.live") / "assets", files("fervid.report") / "assets"
    found = {name: (live / name).read_bytes() for name in OWN}
    return found | {name: (report / name).read_bytes() for name in REPORTS}
