"""The page of a report: its size, what it may load, and names that would be HTML."""

import base64
import hashlib
import html.parser
import json
import re

import numpy as np
import pytest

from fervid.errors import SinkError
from fervid.report import write_report
from fervid.report.data import report_data
from fervid.report.page import as_json, page
from fervid.report.timeline import MOST_BUCKETS, MOST_ROWS
from tests.reports import CLASSES, drawn_results, observed

MB = 1_000_000
HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&\u2028.mp4"""


class Elements(html.parser.HTMLParser):
    """Counts the elements of a page, and keeps scripts and policy."""

    def __init__(self, text):
        super().__init__()
        self.names, self.scripts, self.styles, self.policy = [], [], [], ""
        self._open = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        about = dict(attrs)
        if about.get("http-equiv") == "Content-Security-Policy":
            self.policy = about["content"]
        kind = {"script": self.scripts, "style": self.styles}.get(tag)
        self._open = kind if about.get("type") is None else []
        assert not {"src", "href"} & set(about)
        assert not any(name.startswith("on") for name in about)

    def handle_data(self, data):
        if self._open is not None:
            self._open.append(data)
            self._open = None


def figures(text):
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def unpacked(text, kind=np.uint8):
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.fixture(scope="module")
def short():
    return page(report_data(*observed(drawn_results(10, people=2))))


def test_a_policy_allows_what_lies_in_the_file_and_nothing_else(short):
    found = Elements(short)
    rules = dict(rule.split(" ", 1) for rule in found.policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for name, texts in (("script-src", found.scripts), ("style-src", found.styles)):
        hashes = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts]
        assert rules[name].split() == [f"'sha256-{value}'" for value in hashes]
        assert hashes


def test_every_place_of_the_page_is_filled(short):
    assert "{{" not in re.sub(r"<script.*?</script>", "", short, flags=re.DOTALL)
    assert "Permission is hereby granted" in short


def test_a_hostile_name_makes_no_element(short):
    observer, summary = observed(drawn_results(10, people=2), label=HOSTILE)
    observer.header["config"] = {"sources": [HOSTILE], HOSTILE: 1}
    text = page(report_data(observer, {**summary, "error": HOSTILE, "model": HOSTILE}))
    assert Elements(text).names == Elements(short).names
    assert "<img" not in text
    told = figures(text)
    assert told["source"]["label"] == told["summary"]["error"] == HOSTILE


def test_braces_in_a_name_are_no_place_of_the_page():
    observer, summary = observed(drawn_results(1), label="{{data}}.mp4")
    assert "<title>{{data}}.mp4 - fervid report</title>" in page(report_data(observer, summary))


def test_names_that_are_no_text_are_shown_as_bytes():
    assert as_json({"a": "x\udcff.mp4"}) == '{"a":"x\\\\udcff.mp4"}'


def test_ten_minutes_of_one_face_are_far_below_5_mb():
    text = page(report_data(*observed(drawn_results(600))))
    told = figures(text)
    assert len(told["changes"]) == 48
    assert len(told["doubts"]) == 12
    assert all(moment["picture"] for moment in told["changes"])
    assert len(text) < 2 * MB


@pytest.mark.slow
def test_an_hour_of_ten_people_whose_tracks_break_off_is_below_5_mb():
    results = drawn_results(3600, people=10, rate=2.0, lasting_s=90)
    observer, summary = observed(results)
    told = report_data(observer, summary)
    assert sum(track["n"] for track in told["tracks"]) <= MOST_ROWS
    assert told["frames"]["n"] <= MOST_BUCKETS
    assert 300 <= len(told["tracks"]) <= 310  # those of the last 2 s stay
    assert told["forgotten"] == 400 - len(told["tracks"])
    assert len(page(told)) < 5 * MB


def test_series_are_the_means_of_their_frames():
    told = report_data(*observed(drawn_results(2, people=2)))
    track = told["tracks"][1]
    results = [result for _, result in drawn_results(2, people=2)]
    assert track["n"] == 50
    assert unpacked(track["time_s"], "<f4") == pytest.approx([r.time_s for r in results])
    for k in range(len(CLASSES)):
        assert unpacked(track["p"][k]) / 250 == pytest.approx(
            [r.smoothed[1, k] for r in results], abs=0.5 / 250 + 1e-6
        )
    assert unpacked(track["uncertain"]).tolist() == [250 * int(r.uncertain[1]) for r in results]
    assert unpacked(track["why"][0]).tolist() == unpacked(track["uncertain"]).tolist()
    assert unpacked(track["why"][3]).sum() == 0


def test_a_run_without_frames_makes_a_page():
    observer, summary = observed([])
    told = figures(page(report_data(observer, summary)))
    assert told["frames"] == {"n": 0}
    assert told["tracks"] == told["changes"] == []
    assert told["attention"] is None


def test_without_pictures_there_are_none():
    told = report_data(*observed(drawn_results(10), pictures=False))
    assert told["changes"]
    assert all(m["picture"] is None and m["heat"] for m in told["changes"] + told["doubts"])
    assert "image/jpeg" not in page(told)


def test_a_report_that_cannot_be_written_is_an_error(tmp_path):
    observer, summary = observed(drawn_results(1))
    with pytest.raises(SinkError, match=r"the folder [^ ]* does not exist"):
        write_report(tmp_path / "gone" / "report.html", observer, summary)
