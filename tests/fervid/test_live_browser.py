"""The live page in a real Chromium, over a source at its own pace."""

import re
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from fervid.config import OutputConfig, RunConfig, ServeConfig
from fervid.legend import heat_bar
from fervid.link import Outage
from fervid.live import LivePage
from tests import live
from tests.browser import WAIT_MS, chromium, needs_browser, wait_until
from tests.results import face

pytestmark = [needs_browser, pytest.mark.filterwarnings("default")]
HOSTILE = "<img src=x onerror=document.body.remove()>"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


class Seen:
    """What a page said, and what it asked other hosts for."""

    def __init__(self, page, url):
        self.said, self.elsewhere = [], []
        own = urlsplit(url).netloc
        page.on("console", lambda line: self.said.append(line.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self._ask(request.url, own))
        page.on("websocket", lambda opened: self._ask(opened.url, own))

    def _ask(self, url, own):
        if urlsplit(url).netloc != own:
            self.elsewhere.append(url)


@contextmanager
def opened(browser, url, *, scheme="light", size=(1280, 900)):
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": size[0], "height": size[1]}
    )
    try:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        seen = Seen(page, url)
        page.goto(url)
        yield page, seen
    finally:
        context.close()


def shown(page):
    """How many pictures were drawn."""
    return int(page.locator("figure canvas").first.get_attribute("data-shown") or 0)


def wait_for_pictures(page, more=3):
    """Wait until so many more pictures have been drawn."""
    page.wait_for_function(
        "n => Number(document.querySelector('figure canvas')?.dataset.shown ?? 0) >= n",
        arg=more + (shown(page) if page.locator("figure canvas").count() else 0),
        polling=100,
    )


def standing(page):
    """What stands still on a page for .9 s, in which a camera sends a score of pictures."""
    before = None
    until = time.monotonic() + WAIT_MS / 1000
    while (now := (shown(page), page.inner_text(".facts"))) != before:
        assert time.monotonic() < until, "it does not stand still"
        before = now
        page.wait_for_timeout(900)
    return before


def pixels(page):
    """The picture as it is shown, as text."""
    return page.evaluate("document.querySelector('figure canvas').toDataURL('image/png')")


def wait_for_text(page, selector, words):
    page.wait_for_function(
        "([s, w]) => new RegExp(w).test(document.querySelector(s)?.textContent ?? '')",
        arg=[selector, words],
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["desk", "phone"])
def test_pictures_and_figures_change_and_nothing_is_asked_elsewhere(browser, scheme, size):
    with (
        live.playing(label=HOSTILE) as (page_of_run, _),
        opened(browser, page_of_run.url, scheme=scheme, size=size) as (page, seen),
    ):
        wait_for_pictures(page)
        before, facts = pixels(page), page.inner_text(".facts")
        page.wait_for_function(
            "facts => document.querySelector('.facts').textContent !== facts", arg=facts
        )
        wait_for_pictures(page)
        assert pixels(page) != before
        assert page.inner_text("h2 .name") == HOSTILE
        assert page.locator("img").count() == 0
        heads = [re.sub(r"\s+", " ", text) for text in page.locator(".face h3").all_inner_texts()]
        assert re.fullmatch(r"#0 happy \d+ % then \w+ \d+ %", heads[0])
        assert page.locator(".face").count() == 2
        assert page.inner_text(".badge") == "live"
        tiles = page.inner_text(".tiles")
        for words in (
            "gaussian",
            "against gaussian noise",
            "24.5 a second",
            "dropped 3",
            "blocking",
        ):
            assert words in tiles
        assert "network" in page.inner_text(".stages")
        page.wait_for_selector(".chart canvas")
        assert page.locator(".chart canvas").count() == 3
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert (seen.said, seen.elsewhere) == ([], [])


def test_the_policy_stops_foreign_programs_and_addresses(browser):
    with live.playing() as (run, _), opened(browser, run.url) as (page, seen):
        wait_for_pictures(page)
        page.evaluate(
            "document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x'}))"
        )
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p onclick=\"x()\">')")
        wait_until(page, lambda: sum("Content Security Policy" in x for x in seen.said) >= 2)
        assert sum("Content Security Policy" in line for line in seen.said) == 2


def test_keys_hold_and_go_on(browser):
    with live.playing() as (run, _), opened(browser, run.url) as (page, _):
        wait_for_pictures(page)
        page.keyboard.press("Space")
        assert page.get_attribute("#hold", "aria-pressed") == "true"
        before = standing(page)  # what was on its way may still come
        page.wait_for_timeout(900)
        assert (shown(page), page.inner_text(".facts")) == before
        page.keyboard.press("Space")
        wait_for_pictures(page)
        page.keyboard.press("?")
        assert page.is_visible("#about")
        page.keyboard.press("?")
        assert not page.is_visible("#about")


def test_a_moment_of_the_charts_is_told_from_the_keyboard(browser):
    with live.playing() as (run, _), opened(browser, run.url) as (page, _):
        page.wait_for_selector(".chart canvas")
        page.focus(".chart >> nth=2")
        page.keyboard.press("ArrowLeft")
        wait_for_text(page, ".moment", r"0:\d\d · gaussian \(severity 0\.\d+\), filter gaussian")
        wait_for_text(page, ".moment", r"#0 happy \d+ %")
        page.focus(".face >> nth=1")
        page.keyboard.press("Enter")
        wait_for_text(page, ".charts", "Probabilities of face #1")


def test_without_the_token_there_is_no_page_and_with_it_there_is(browser):
    config = RunConfig(serving=ServeConfig(serve="0.0.0.0:0"))
    with live.playing(config) as (run, _):
        parts = urlsplit(run.url)
        url = f"http://127.0.0.1:{parts.port}/"
        with opened(browser, url) as (page, _):
            assert "token is missing or wrong" in page.inner_text("body")
            page.goto(f"{url}?{parts.query}")
            wait_for_pictures(page)
            assert page.url == url  # the token is in the cookie, and not in the address
            page.reload()
            wait_for_pictures(page)


def test_ten_viewers_see_pictures_change(browser):
    with live.playing() as (run, _), ExitStack() as stack:
        pages = [stack.enter_context(opened(browser, run.url, size=(400, 500))) for _ in range(10)]
        for page, seen in pages:
            page.bring_to_front()
            wait_for_pictures(page, 2)
            assert (seen.said, seen.elsewhere) == ([], [])


def test_ten_tabs_of_one_browser_are_no_more_than_its_connections(browser):
    with live.playing() as (run, _):
        context = browser.new_context()
        try:
            for _ in range(10):
                page = context.new_page()
                page.set_default_timeout(WAIT_MS)
                page.goto(run.url)
                wait_for_pictures(page, 2)
        finally:
            context.close()


def test_a_source_that_is_unplugged_says_since_when_and_why(browser):
    with live.playing() as (run, player), opened(browser, run.url) as (page, seen):
        wait_for_pictures(page)
        player.offline = Outage(datetime.now(UTC), "The camera was unplugged.", 12.0, 4)
        wait_for_text(page, ".badge", "^offline$")
        words = page.inner_text(".outage")
        assert re.search(r"Offline since \d\d:\d\d:\d\d \(0:12, 4 attempts\): The camera", words)
        assert "no face now" in page.inner_text(".faces")
        assert re.fullmatch(r"the last picture, \d:\d\d", page.inner_text(".last"))
        dimmed = page.locator("figure canvas").evaluate("e => getComputedStyle(e).filter")
        assert "grayscale" in dimmed
        player.offline = None
        wait_for_text(page, ".badge", "^live$")
        wait_for_pictures(page)
        assert not page.is_visible(".last")
        assert seen.said == []


def test_the_map_has_a_legend_and_a_chosen_class_is_told(browser):
    with live.playing() as (run, player), opened(browser, run.url) as (page, seen):
        words = "figcaption span"
        wait_for_text(page, words, r"^Heatmap: adaptive map, layer4, of the label; low.*high$")
        assert not page.is_visible(".chosen")
        colours = page.locator(".ramp").evaluate("e => getComputedStyle(e).backgroundImage")
        found = [tuple(map(int, rgb)) for rgb in re.findall(r"(\d+), (\d+), (\d+)", colours)]
        bar = heat_bar(len(found), 1, 128)[0, :, ::-1]
        assert len(found) > 8
        assert found == [tuple(rgb) for rgb in bar.tolist()]
        player.target = "neutral"
        wait_for_text(page, words, "of neutral, not of the label; low")
        assert "The class neutral was chosen (--explain" in page.inner_text(".chosen")
        player.target = ""
        wait_for_text(page, words, "layer4, of the label; low")
        assert not page.is_visible(".chosen")
        assert seen.said == []


def test_no_images_shows_figures_alone(browser):
    config = RunConfig(serving=ServeConfig(serve="0"), output=OutputConfig(images=False))
    with live.playing(config) as (run, _), opened(browser, run.url) as (page, seen):
        page.wait_for_selector(".face")
        page.wait_for_selector(".chart canvas")
        assert not page.is_visible("figure")
        assert seen.said == []


def test_it_says_when_the_run_has_ended(browser):
    with ExitStack() as stack:
        with live.playing() as (run, _):
            page, _ = stack.enter_context(opened(browser, run.url))
            wait_for_pictures(page)
        wait_for_text(page, "#link", r"^The run ended at .*; this is its last state\.$")
        assert page.inner_text(".badge") == "ended"
        wait_for_text(page, "#link", "trying again|ended at")


def test_several_sources_have_a_place_each(browser):
    with LivePage(RunConfig(serving=ServeConfig(serve="0"))) as run, ExitStack() as stack:
        for name in ("hall", "door", "yard"):
            feed = stack.enter_context(run.feed(live.info(name)))
            feed.write(*live.scene(0, face("happy")), None)
        page, seen = stack.enter_context(opened(browser, run.url))
        page.wait_for_function("() => document.querySelectorAll('section').length === 3")
        assert page.locator("h2 .name").all_inner_texts() == ["hall", "door", "yard"]
        page.keyboard.press("3")
        page.wait_for_function("() => document.querySelectorAll('canvas[data-shown]').length > 1")
        page.wait_for_function(
            "() => document.querySelector('#source-2').getBoundingClientRect().top < innerHeight"
        )
        assert seen.said == []
