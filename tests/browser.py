"""A Chromium without a screen, for tests of pages."""

import shutil
import time
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

WAIT_MS = 90_000  # on a loaded machine
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None,
    reason="Chromium (Debian: apt install chromium) or playwright (the extra `dev`) is missing",
)
# Without these it looks for updates and the like, which has nothing to do with the page.
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


class Seen:
    """What a page has said and asked for.

    Attributes:
        said: lines of the console, and errors.
        asked: addresses that it wanted, the page's own left aside.
    """

    def __init__(self, page, url):
        self.said, self.asked = [], []
        page.on("console", lambda line: self.said.append(line.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self._ask(request.url, url))

    def _ask(self, asked, url):
        if asked != url and not asked.startswith("data:"):
            self.asked.append(asked)


def wait_until(page, condition):
    """Let a page go on until something that no element of it shows is true."""
    until = time.monotonic() + WAIT_MS / 1000
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        page.wait_for_timeout(50)


@contextmanager
def chromium():
    """A browser, closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser, path, *, scheme="light", size=(1280, 900), **more):
    """A file as a page, and what was seen of it: (page, Seen)."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": size[0], "height": size[1]}, **more
    )
    try:
        page, url = context.new_page(), path.absolute().as_uri()
        seen = Seen(page, url)
        page.goto(url)
        yield page, seen
    finally:
        context.close()
