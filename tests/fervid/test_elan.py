"""Annotations for ELAN: intervals of expressions, in files that another library reads."""

import itertools
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pympi
import pytest

from fervid import cli
from fervid.elan import HEADING, write_annotations
from fervid.elan.document import INSTANCE, Document, Tier, eaf
from fervid.errors import ConfigError, SinkError
from fervid.intervals import Interval, Intervals
from fervid.sinks.jsonl import JsonlSink
from tests.results import CLASSES, face, header, put, result

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
# The schema's order of elements; each but the first two may be there any number of times.
ORDER = (
    *("LICENSE", "HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LOCALE", "LANGUAGE"),
    *("CONSTRAINT", "CONTROLLED_VOCABULARY", "LEXICON_REF", "REF_LINK_SET", "EXTERNAL_REF"),
)
REQUIRED = {
    "ANNOTATION_DOCUMENT": {"AUTHOR", "DATE", "VERSION"},
    "MEDIA_DESCRIPTOR": {"MEDIA_URL", "MIME_TYPE"},
    "TIME_SLOT": {"TIME_SLOT_ID"},
    "TIER": {"TIER_ID", "LINGUISTIC_TYPE_REF"},
    "ALIGNABLE_ANNOTATION": {"ANNOTATION_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2"},
    "LINGUISTIC_TYPE": {"LINGUISTIC_TYPE_ID"},
    "CONTROLLED_VOCABULARY": {"CV_ID"},
    "CV_ENTRY_ML": {"CVE_ID"},
    "LANGUAGE": {"LANG_ID"},
}


def journal(folder, *frames, uri="a.mp4", step=1, more=()):
    """A results folder whose frames, 25 a second, hold the given faces."""
    folder.mkdir(parents=True)
    sink = JsonlSink(folder / "faces.jsonl", header(uri))
    for index, faces in enumerate(frames):
        put(sink, result(index, *faces, time_s=index * step / 25))
    for item in more:
        put(sink, item)
    sink.close()
    return folder


def happy_then_neutral(track=0):
    """Two seconds happy with a flicker of two frames, then one neutral, its first half unsure."""
    flicker = {20, 21}
    frames = [[face("angry" if n in flicker else "happy", track)] for n in range(50)]
    return frames + [[face("neutral", track, unsure=n < 12)] for n in range(25)]


def annotate(folder, **options):
    return list(write_annotations(folder, NOW, **({"least_s": 0.2} | options)))


def test_another_library_reads_the_same_intervals(tmp_path):
    ((path, said),) = annotate(journal(tmp_path / "a", *happy_then_neutral()))
    assert said == "3 intervals in 2 tiers, linked with no video"
    read = pympi.Eaf(str(path))
    assert list(read.get_tier_names()) == ["face 0", "face 0 uncertain"]
    assert sorted(read.get_annotation_data_for_tier("face 0")) == [
        (0, 2000, "happy"),
        (2000, 3000, "neutral"),
    ]
    assert read.get_annotation_data_for_tier("face 0 uncertain") == [(2000, 2480, "small")]
    entries = read.get_cv_entries("expressions")
    assert [values[0][0] for values, _ in entries.values()] == list(CLASSES)
    table = path.with_name("faces.tsv").read_text()
    assert table == (
        f"{HEADING}face 0\t0\t2000\thappy\nface 0\t2000\t3000\tneutral\n"
        "face 0 uncertain\t2000\t2480\tsmall\n"
    )


def test_the_file_keeps_the_schemas_rules(tmp_path):
    frames = [
        [face("happy", 0), face("angry", 1, unsure=n % 16 < 8)] if n % 40 < 30 else []
        for n in range(200)
    ]
    ((path, _),) = annotate(journal(tmp_path / "a", *frames))
    root = ET.parse(path).getroot()
    places = [ORDER.index(element.tag) for element in root]
    assert places == sorted(places)
    assert [element.tag for element in root][:2] == ["HEADER", "TIME_ORDER"]
    assert root.get(f"{{{INSTANCE}}}noNamespaceSchemaLocation").endswith("EAFv3.0.xsd")
    for element in root.iter():
        assert set(element.attrib) >= REQUIRED.get(element.tag, set())
    slots = [(s.get("TIME_SLOT_ID"), int(s.get("TIME_VALUE"))) for s in root.iter("TIME_SLOT")]
    assert [time_ms for _, time_ms in slots] == sorted(time_ms for _, time_ms in slots)
    when = dict(slots)
    assert len(when) == len(slots)
    names = [a.get("ANNOTATION_ID") for a in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(names)) == len(names) == len(slots) / 2
    types = {t.get("LINGUISTIC_TYPE_ID") for t in root.iter("LINGUISTIC_TYPE")}
    for tier in root.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in types
        ends = [
            (when[a.get("TIME_SLOT_REF1")], when[a.get("TIME_SLOT_REF2")])
            for a in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert ends or tier.get("TIER_ID") == "face 0 uncertain"
        assert all(begin < end for begin, end in ends)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(ends))


def spans(frames, least_s=0.2, frame_s=0.04):
    """(start, end, value) of the only track's labels and doubts, of (time, label, unsure)."""
    found = Intervals(frame_s)
    for time_s, label, unsure in frames:
        said = {"track": 3, "label": label, "uncertain": unsure, "reasons": ["dark"] * unsure}
        found.add({"time_s": time_s, "faces": [said] if label else []})
    ((track, labels, doubts),) = found.tracks(least_s)
    assert track == 3
    return [
        [(round(i.start_s, 3), round(i.end_s, 3), i.value) for i in kind]
        for kind in (labels, doubts)
    ]


def test_a_frame_lasts_until_the_next_and_a_face_that_was_lost_begins_anew():
    seen = [(n / 10, "happy", False) for n in range(5)]
    away = [(0.5 + n / 10, "", False) for n in range(10)]
    back = [(1.5 + n / 10, "happy", False) for n in range(5)]
    labels, _ = spans([*seen, *away, *back], frame_s=0.1)
    assert labels == [(0.0, 0.5, "happy"), (1.5, 2.0, "happy")]
    short, _ = spans([*seen, *away[:3], *[(t - 0.7, *rest) for t, *rest in back]], frame_s=0.1)
    assert short == [(0.0, 1.3, "happy")]


def test_the_time_in_which_a_source_was_away_says_nothing():
    labels, _ = spans([(0.0, "sad", False), (0.3, "sad", False), (60.0, "sad", False)], 0.0)
    assert labels == [(0.0, 0.8, "sad"), (60.0, 60.04, "sad")]
    sparse, _ = spans([(0.0, "sad", False), (4.0, "sad", False)], frame_s=4.0)
    assert sparse == [(0.0, 8.0, "sad")]


def test_a_doubt_is_interrupted_by_a_time_without_one():
    frames = [(n / 25, "sad", n < 10 or 12 <= n < 20 or n >= 35) for n in range(50)]
    _, doubts = spans(frames)
    assert doubts == [(0.0, 0.8, "dark"), (1.4, 2.0, "dark")]


def test_flicker_leaves_the_longer_label():
    """Ten frames of two labels in turns, two and one at a time, between a second of each."""
    turns = ["sad", "sad", "angry"] * 5
    labels, _ = spans(
        (n / 25, label, False) for n, label in enumerate(["sad"] * 25 + turns + ["angry"] * 25)
    )
    assert labels == [(0.0, 1.56, "sad"), (1.56, 2.6, "angry")]


def test_faces_that_are_not_followed_are_left_out(tmp_path):
    ((_, said),) = annotate(journal(tmp_path / "a", *[[face("sad" and "happy", -1)]] * 20))
    assert said.startswith("0 intervals in 0 tiers")


def test_the_source_is_linked_by_a_relative_path(tmp_path):
    clip = tmp_path / "my clips" / "a#1.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"a film")
    folder = journal(tmp_path / "results" / "a", *happy_then_neutral(), uri=str(clip))
    ((path, said),) = annotate(tmp_path / "results")
    assert said.endswith("linked with ../../my clips/a#1.mp4")
    (media,) = pympi.Eaf(str(path)).media_descriptors
    assert media["RELATIVE_MEDIA_URL"] == "../../my%20clips/a%231.mp4"
    assert str(tmp_path) not in path.read_text()
    clip.unlink()
    (folder / "annotated.mp4").write_bytes(b"a film")
    annotate(tmp_path / "results", overwrite=True)
    assert pympi.Eaf(str(path)).media_descriptors[0]["RELATIVE_MEDIA_URL"] == "./annotated.mp4"


def test_annotations_that_somebody_corrected_stay(tmp_path):
    folder = journal(tmp_path / "a", *happy_then_neutral())
    annotate(folder)
    (folder / "faces.eaf").write_text("corrected by hand")
    ((_, said),) = annotate(folder)
    assert said.startswith("is there already; --overwrite makes it again")
    assert (folder / "faces.eaf").read_text() == "corrected by hand"
    annotate(folder, overwrite=True)
    assert pympi.Eaf(str(folder / "faces.eaf")).get_tier_names()


def test_no_text_breaks_the_file():
    tier = Tier("face 0", "expression", (Interval(0, 1, "<b>&\x00\ud800"),))
    text = eaf(Document("me & you", NOW, ("<b>",), (tier,), None))
    root = ET.fromstring(text)
    assert root.find(".//ANNOTATION_VALUE").text == "<b>&??"


@pytest.mark.parametrize("least_s", [-1, float("nan"), float("inf")])
def test_a_least_duration_that_is_none_is_refused(tmp_path, least_s):
    with pytest.raises(ConfigError, match="--least-s must be 0 or more"):
        annotate(tmp_path, least_s=least_s)


def test_what_is_no_journal_is_named(tmp_path):
    with pytest.raises(ConfigError, match="There is no journal"):
        annotate(tmp_path)
    folder = journal(tmp_path / "a", *happy_then_neutral())
    text = (folder / "faces.jsonl").read_text().replace('"track"', '"trunk"')
    (folder / "faces.jsonl").write_text(text)
    with pytest.raises(SinkError, match="is no journal of this version"):
        annotate(folder)


def test_the_command_writes_beside_each_journal(tmp_path, capsys):
    journal(tmp_path / "a", *happy_then_neutral())
    journal(tmp_path / "b" / "c", *happy_then_neutral(track=4))
    assert cli.main(["elan", str(tmp_path), "--least-s", "1.5"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2][:11] for line in said] == ["1 intervals", "1 intervals"]
    assert "face 4\t0\t2000\thappy" in (tmp_path / "b" / "c" / "faces.tsv").read_text()
