"""Reports in a real Chromium, opened from disk: what they show, say and ask for."""

import dataclasses
import itertools
import re
import time

import numpy as np
import pytest

from fervid.legend import heat_bar
from fervid.report import Observer, write_report
from fervid.sinks.rows import header_record
from fervid.stats import RunStats
from tests.browser import chromium, needs_browser, opened, wait_until
from tests.reports import CLASSES, drawn_results, label_at, observed
from tests.results import face, header, result

pytestmark = [needs_browser, pytest.mark.filterwarnings("default")]
HOSTILE = "</script><img src=x onerror=document.body.remove()>.mp4"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def report(folder, results, **more):
    path = folder / "report.html"
    write_report(path, *observed(results, **more))
    return path


@pytest.fixture(scope="module")
def two_people(tmp_path_factory):
    """Twenty seconds of two people, each of whom is followed twice for ten."""
    folder = tmp_path_factory.mktemp("two")
    return report(folder, drawn_results(20, people=2, lasting_s=10), label=HOSTILE)


def point_at(page, chart, share):
    """Move the mouse to a place of a chart, 0-1 of its width."""
    place = page.locator(f"#{chart} .u-over")
    place.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = place.bounding_box()
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    return box


def told(page):
    return page.inner_text("#readout").replace("\n", " ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["desk", "phone"])
def test_it_opens_from_disk_and_asks_for_nothing(browser, two_people, scheme, size):
    with opened(browser, two_people, scheme=scheme, size=size) as (page, seen):
        page.wait_for_selector("html[data-ready]")
        assert page.inner_text("h1") == HOSTILE
        assert page.locator("img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("#changes .tile canvas").count() > 4
        assert page.locator("main > section").count() == 8
        assert (seen.said, seen.asked) == ([], [])


def test_the_policy_stops_what_a_page_would_fetch_or_run(browser, two_people):
    with opened(browser, two_people) as (page, seen):
        page.evaluate(
            "document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x'}))"
        )
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p onclick=\"x()\">')")
        wait_until(page, lambda: any("Content Security Policy" in line for line in seen.said))


def test_pointing_at_a_moment_tells_its_values(browser, two_people):
    with opened(browser, two_people) as (page, _):
        point_at(page, "classes", 0.3)  # about 6 s
        words = told(page)
        time_s = float(re.match(r"0:0(\d\.\d+)", words)[1])
        assert abs(time_s - 6) < 0.2
        assert "noise gaussian 0.100, filter gaussian" in words
        for person in (0, 1):
            assert f"#{person} {CLASSES[label_at(person, time_s)]} " in words
        assert "#2" not in words  # there from 10 s on
        point_at(page, "noise", 0.75)
        assert "#2 " in told(page)


def test_a_point_of_several_labels_tells_what_the_lines_show(browser, tmp_path):
    """The mean of the labels' own confidences would be .71, with .32 for the other class."""
    rows = {"angry": [0.8, 0.1, 0.1], "happy": [0.15, 0.7, 0.15]}

    def seen(n):
        label = "happy" if n % 10 < 6 else "angry"
        found = result(n, face(label), time_s=n // 10 / 50 + n % 10 / 1200)  # 10 a point
        return dataclasses.replace(found, smoothed=np.array([rows[label]], np.float32))

    observer = Observer(header_record(header()), pictures=False)
    stats = RunStats(itertools.count().__next__, lambda: 1.0)
    for found in map(seen, range(200)):
        observer.observe(found)
        stats.observe(found)
    write_report(tmp_path / "report.html", observer, stats.summary())
    with opened(browser, tmp_path / "report.html") as (page, _):
        page.evaluate("setCursor(0.1)")
        assert "#0 happy 46 % · angry 41 % · neutral 13 %" in told(page)


def test_dragging_and_keys_move_all_charts(browser, two_people):
    def views():
        return page.evaluate("Object.values(charts).map((u) => [u.scales.x.min, u.scales.x.max])")

    with opened(browser, two_people) as (page, _):
        box = point_at(page, "noise", 0.25)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 9, steps=4)
        page.mouse.up()
        close = views()
        assert close[0] == pytest.approx([5, 10], abs=0.1)
        assert close[1] == close[2] == close[0]
        page.focus("#classes")
        page.keyboard.press("-")
        assert views()[0][1] - views()[0][0] > 7
        page.keyboard.press("0")
        assert views()[2] == pytest.approx([0, 20], abs=0.1)
        page.keyboard.press("Home")
        before = told(page)
        page.keyboard.press("ArrowRight")
        assert told(page) != before
        page.keyboard.press("+")
        assert views()[0][1] - views()[0][0] == pytest.approx(12, abs=0.1)


def test_ticked_tracks_become_one_person(browser, two_people):
    with opened(browser, two_people) as (page, seen):
        options = page.locator("#who option").all_inner_texts()
        assert options == ["#0", "#1", "#2", "#3"]
        page.check("input[aria-label='same person #0']")
        page.check("input[aria-label='same person #2']")
        assert page.locator("#who option").all_inner_texts() == ["#0+#2", "#1", "#3"]
        for place in (0.2, 0.8):
            point_at(page, "lanes", place)
            assert "#0+#2 " in told(page)
        assert page.evaluate("lanes[0].n") == 500
        page.uncheck("input[aria-label='same person #2']")
        assert page.locator("#who option").count() == 4
        page.uncheck("input[aria-label='draw #3']")
        assert page.locator("#who option").count() == 3
        assert seen.said == []


def test_a_tile_leads_to_its_moment(browser, two_people):
    with opened(browser, two_people) as (page, _):
        tile = page.locator("#changes .tile").last
        where = tile.locator(".where").inner_text()
        tile.click()
        assert told(page).startswith(where.split(" ")[0][:6])
        assert page.evaluate("view[1] - view[0]") == pytest.approx(10, abs=0.1)
        assert page.locator("#who").evaluate("e => e.selectedOptions[0].text") in where


def test_every_picture_tells_the_two_most_probable_classes(browser, two_people):
    results = {r.time_s: r for _, r in drawn_results(20, people=2, lasting_s=10)}
    with opened(browser, two_people) as (page, _):
        moments = page.evaluate("[...report.changes, ...report.doubts]")
        tiles = page.locator(".tile")
        assert tiles.count() == len(moments) > 10
        for n, moment in enumerate(moments):
            row = results[moment["time_s"]].smoothed[moment["track"] % 2]
            first, second = (-row).argsort()[:2]
            tile = tiles.nth(n)
            assert tile.locator(
                ".label"
            ).inner_text() == f"{CLASSES[first]} {row[first]:.0%}".replace("%", " %")
            told = tile.locator(".second").inner_text()
            assert told == f"then {CLASSES[second]} {row[second]:.0%}".replace("%", " %")


def ramp(page):
    """The colours of the heatmap's legend, uint8 (128, 3), RGB."""
    pixels = page.evaluate(
        "[...document.querySelector('#map-colours canvas').getContext('2d')"
        ".getImageData(0, 0, 128, 1).data]"
    )
    return np.reshape(pixels, (128, 4))[:, :3]


def test_the_gallery_has_the_colours_of_the_heatmap_and_says_which_it_is(browser, two_people):
    with opened(browser, two_people) as (page, _):
        assert page.inner_text("#which-map") == "Heatmap: adaptive map, layer4, of the label"
        assert page.inner_text("#which-maps") == "Heatmap: adaptive map, layer4, of the label"
        assert re.fullmatch(r"low\s+high", page.inner_text("#map-colours"))
        assert not page.is_visible("#chosen-map")
        assert page.locator(".tile .which").count() == 0
        wanted = heat_bar(128, 1, 128)[0, :, ::-1].astype(int)  # as the overlay of a video has them
        assert np.abs(ramp(page) - wanted).max() <= 4
        page.locator("#strength").fill("0")
        assert (ramp(page) == 128).all()


def test_a_chosen_class_is_told_where_its_maps_are(browser, tmp_path):
    path = report(tmp_path, drawn_results(8, target="sad"))
    with opened(browser, path) as (page, seen):
        assert page.inner_text("#which-map").endswith("layer4, of sad, not of the label")
        assert page.inner_text("#which-maps").endswith("of sad, not of the label")
        assert "The class sad was chosen (--explain" in page.inner_text("#chosen-map")
        assert seen.said == []


def test_where_the_map_was_changed_each_picture_says_which_it_is(browser, tmp_path):
    later = ((f, r) for f, r in drawn_results(16, target="happy") if r.time_s >= 8)
    path = report(tmp_path, itertools.chain(drawn_results(8), later))
    with opened(browser, path) as (page, _):
        told = page.inner_text("#which-map")
        assert "of the label (50 %)" in told
        assert "of happy, not of the label (50 %)" in told
        which = page.locator("#changes .tile .which").all_inner_texts()
        assert len(which) == page.locator("#changes .tile").count()
        assert which[0] == "adaptive map, layer4, of the label"
        assert which[-1] == "adaptive map, layer4, of happy, not of the label"


@pytest.mark.parametrize("what", ["no frames", "no faces", "one frame", "no pictures"])
def test_odd_runs_make_a_page_without_errors(browser, tmp_path, what):
    people = 0 if what == "no faces" else 1
    seconds = {"no frames": 0, "one frame": 0.04}.get(what, 4)
    path = report(tmp_path, drawn_results(seconds, people=people), pictures=what != "no pictures")
    with opened(browser, path) as (page, seen):
        page.wait_for_selector("html[data-ready]")
        if what == "no pictures":
            assert "asked to show no faces" in page.inner_text("#about-faces")
        assert seen.said == []


def test_classes_with_numbers_for_names_stand_in_the_order_of_their_shares(browser, tmp_path):
    observer = Observer(header_record(header(classes=("0", "1", "2"))), pictures=False)
    stats = RunStats(itertools.count().__next__, lambda: 1.0)
    for n in range(10):
        found = result(n, face("0" if n < 2 else "1"), classes=("0", "1", "2"))
        observer.observe(found)
        stats.observe(found)
    write_report(tmp_path / "report.html", observer, stats.summary())
    with opened(browser, tmp_path / "report.html") as (page, seen):
        cards = page.inner_text("#cards").split("\n")
        assert cards[:2] == ["1", "the commonest label, 80 % of 10 faces"]
        assert page.inner_text("#tracks .wide") == "1 80 %, 0 20 %"
        assert seen.said == []


def test_times_are_rounded_before_they_become_minutes(browser, two_people):
    with opened(browser, two_people) as (page, _):
        told = page.evaluate("[clock(59.97), clock(59.94), clock(3599.6, 0), clock(-119.996, 2)]")
        assert told == ["1:00.0", "0:59.9", "1:00:00", "-2:00.00"]


def test_nothing_is_shown_while_a_live_source_was_away(browser, tmp_path):
    found = (  # for a minute, and for another one 10 hours later
        (frame, dataclasses.replace(result, time_s=result.time_s + begin_s))
        for begin_s in (0, 36_000)
        for frame, result in drawn_results(60, rate=10)
    )
    path = report(tmp_path, found, pictures=False)
    with opened(browser, path) as (page, _):
        for time_s, there in ((30, True), (120, False), (3000, False), (36_030, True)):
            page.evaluate(f"setCursor({time_s})")
            assert ("#0 " in told(page)) == there
        assert page.evaluate("(setView([0, 60]), view)") == [0, 60]
        for chart in ("classes", "noise"):
            assert page.evaluate(f"charts.{chart}.data[1].indexOf(null)") > 0


def test_ten_minutes_are_ready_within_two_seconds(browser, tmp_path):
    """The shortest of several times: what a page takes, and not what a loaded machine adds."""
    path = report(tmp_path, drawn_results(600, people=2))
    took_ms, answered_s = [], []
    for _ in range(8):
        with opened(browser, path) as (page, seen):
            page.wait_for_selector("html[data-ready]")
            took_ms.append(
                page.evaluate(
                    "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
                )
            )
            began = time.perf_counter()
            point_at(page, "classes", 0.5)
            words = told(page)
            answered_s.append(time.perf_counter() - began)
            assert words.startswith(("5:00", "4:59"))
            assert "mean of 4.0 frames" in page.inner_text("#sampling")
            assert seen.said == []
        if min(took_ms) < 2000 and min(answered_s) < 0.5:
            return
    raise AssertionError(f"{took_ms} ms, {answered_s} s")
