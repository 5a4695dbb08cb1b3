"""Viewers: those who look at the live page, and the pump that brings them what is new.

    feeds (a slot of one each) -> pump -> each viewer's outbox (a slot of one a source) -> socket

A viewer asks for each picture, so one that is slow, or gone, or shows another source, gets none
and costs nothing; a picture is drawn and encoded when somebody has asked for it, once for all.
All of it runs in the event loop of the page's own thread.
"""

import asyncio
import json
import struct
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor

from aiohttp import WSMsgType, web

from fervid.live.feed import Feed, Shown
from fervid.live.figures import figures
from fervid.live.pictures import jpeg

PICTURE_S = 1 / 15  # between two pictures at least
FIGURES_S = 0.25
SHARE = 0.12  # of one core that pictures may take
PATIENCE_S = 20.0  # that a viewer may read nothing before it is taken to be gone
WATCHED_S = 2.0  # after its last wish that a viewer still counts as looking at a source
OVER = json.dumps({"type": "over"})
HEAD = struct.Struct("<II")  # before each picture: its source and its number
MOST_WORDS = 256  # bytes of what a viewer may say at once


class Viewer:
    """One who looks.

    Args:
        socket: an open one.
        hello: what is said first.
    """

    def __init__(self, socket: web.WebSocketResponse, hello: str) -> None:
        self._socket = socket
        self._texts = {
            "hello": hello
        }  # by what they are about: a new one takes the old one's place
        self._pictures: dict[int, bytes] = {}
        self._news = asyncio.Event()
        self._news.set()
        self._asked: dict[int, float] = {}
        self.wishes: set[int] = set()
        self.has: dict[int, int] = {}  # the number of the newest picture, by its source
        self.counts: dict[int, int] = {}  # points of history that were sent, by their source

    def tell(self, about: str, text: str) -> None:
        """Hand over figures, in the place of older ones that are not sent yet."""
        self._texts[about] = text
        self._news.set()

    @property
    def ready(self) -> bool:
        """Whether all that it was told has left for it: only then history is added to."""
        return not self._texts

    def show(self, source: int, number: int, picture: bytes) -> None:
        """Hand over a picture that it has asked for."""
        self.wishes.discard(source)
        self.has[source] = number
        self._pictures[source] = HEAD.pack(source, number) + picture
        self._news.set()

    def keep(self, sources: Set[int]) -> None:
        """Forget sources that are not shown any more."""
        self.wishes.intersection_update(sources)
        self._asked = {source: when for source, when in self._asked.items() if source in sources}
        for known in (self.has, self.counts):
            for source in known.keys() - sources:
                del known[source]

    def looks_at(self, source: int, now: float) -> bool:
        """Whether it wants pictures of a source, or did so a moment ago."""
        return source in self.wishes or now - self._asked.get(source, -1e9) < WATCHED_S

    async def listen(self) -> None:
        """Take its wishes, `{"next": SOURCE}`, until it leaves or says something else."""
        loop = asyncio.get_running_loop()
        async for message in self._socket:
            wish = _wish(message.data) if message.type is WSMsgType.TEXT else None
            if wish is None:
                await self._socket.close(code=1008, message=b"not understood")
                return
            self.wishes.add(wish)
            self._asked[wish] = loop.time()

    async def send(self) -> None:
        """Send what it is handed over, the newest of each kind, until it reads no more.

        Raises:
            TimeoutError: it has read nothing for PATIENCE_S.
            ConnectionError: it has gone.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            texts, self._texts = self._texts, {}
            pictures, self._pictures = self._pictures, {}
            async with asyncio.timeout(PATIENCE_S):
                for text in texts.values():
                    await self._socket.send_str(text)
                for picture in pictures.values():
                    await self._socket.send_bytes(picture)

    async def leave(self) -> None:
        """Send what waits, say that it is over, and close."""
        texts, self._texts = self._texts, {}
        for text in (*texts.values(), OVER):
            await self._socket.send_str(text)
        await self._socket.close(code=1001, message=b"over")


def _wish(text: str) -> int | None:
    """The source whose next picture a viewer wants; None if it says something else."""
    try:
        wish = json.loads(text)["next"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return wish if type(wish) is int and 0 <= wish < 2**32 else None


class Pump:
    """Brings viewers what is new in the feeds.

    Args:
        feeds: those that the page shows now.
    """

    def __init__(self, feeds: Callable[[], Sequence[Feed]]) -> None:
        self._feeds = feeds
        self._painting = ThreadPoolExecutor(1, "fervid-page-pictures")
        self._encoded: dict[int, tuple[int, bytes]] = {}
        self._arrived = asyncio.Event()
        self._figures_due = 0.0
        self.viewers: set[Viewer] = set()

    def add(self, viewer: Viewer) -> None:
        """Take a viewer in, who gets figures at once."""
        self.viewers.add(viewer)
        self._figures_due = 0.0
        self._arrived.set()

    def remove(self, viewer: Viewer) -> None:
        """Let a viewer go."""
        self.viewers.discard(viewer)
        self._mark_watched()

    def close(self) -> None:
        """End the thread that draws."""
        self._painting.shutdown(wait=False, cancel_futures=True)

    async def run(self) -> None:
        """Work while there are viewers, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            if not self.viewers:
                self._arrived.clear()
                self._encoded.clear()
                await self._arrived.wait()
            began = loop.time()
            self._mark_watched()
            await self._show()
            spent = loop.time() - began
            if began >= self._figures_due:
                self._figures_due = began + FIGURES_S
                self.tell()
            await asyncio.sleep(max(PICTURE_S - spent, spent * (1 / SHARE - 1)))

    def _mark_watched(self) -> None:
        """Tell the feeds whether somebody looks: else no heatmaps are computed for them.

        What is kept of feeds that are not shown any more goes: an archive has thousands.
        """
        now = asyncio.get_running_loop().time()
        shown = {feed.number for feed in self._feeds()}
        for viewer in self.viewers:
            viewer.keep(shown)
        for number in self._encoded.keys() - shown:
            del self._encoded[number]
        for feed in self._feeds():
            feed.watched = any(viewer.looks_at(feed.number, now) for viewer in self.viewers)

    async def _show(self) -> None:
        """Draw what was asked for, and hand it over."""
        for feed in self._feeds():
            shown, source = feed.newest, feed.number
            if shown is None or shown.paint is None:
                continue
            wanting = [
                viewer
                for viewer in self.viewers
                if source in viewer.wishes and viewer.has.get(source, 0) < shown.number
            ]
            if not wanting:
                continue
            number, picture = self._encoded.get(source, (0, b""))
            if number != shown.number:
                number, picture = await self._paint(shown)
                self._encoded[source] = number, picture
            for viewer in wanting:
                viewer.show(source, number, picture)

    async def _paint(self, shown: Shown) -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        return shown.number, await loop.run_in_executor(self._painting, _picture, shown)

    def tell(self) -> None:
        """Hand the figures over, and what there is of history since the last time."""
        feeds = self._feeds()
        text = json.dumps({"type": "figures", "sources": [figures(feed) for feed in feeds]})
        for viewer in self.viewers:
            if viewer.ready:  # or points that wait would be replaced by those after them
                for feed in feeds:
                    self._tell_history(viewer, feed)
            viewer.tell("figures", text)

    @staticmethod
    def _tell_history(viewer: Viewer, feed: Feed) -> None:
        count, points = feed.history.since(viewer.counts.get(feed.number, 0))
        viewer.counts[feed.number] = count
        if points:
            words = {"type": "history", "id": feed.number, "points": points}
            viewer.tell(f"history {feed.number}", json.dumps(words))


def _picture(shown: Shown) -> bytes:
    if shown.paint is None:
        raise ValueError("There is nothing to paint.")
    return jpeg(shown.paint())
