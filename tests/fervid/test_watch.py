"""Changes, alerts and their lines, from results made by hand."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fervid.config.rules import fitted, parse_rule
from fervid.errors import SinkError
from fervid.link import LinkEvent
from fervid.watch.alarms import END_S, Alarm
from fervid.watch.alerts import AlertSink, in_words
from fervid.watch.changes import HOLD_S, FaceChanges
from fervid.watch.events import EventsSink, Moments, alert_record
from tests.results import CLASSES, face, header, put, result

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def told(changes, *frames, step_s=0.1):
    """What is told of frames, each a list of faces, as (event, time, track)."""
    found = []
    for n, faces in enumerate(frames):
        found += changes.update(result(n, *faces, time_s=n * step_s))
    return [(change.event, round(change.time_s, 3), change.track) for change in found]


def test_a_face_that_stays_comes_after_the_hold_time_with_its_expression():
    frames = [[]] * 2 + [[face("happy", 4)]] * 10
    assert told(FaceChanges(), *frames) == [("came", 0.7, 4), ("expression", 0.7, 4)]


def test_a_face_that_flickers_is_no_event():
    frames = [[face()], [face()], [face()]] + [[]] * 40
    assert told(FaceChanges(), *frames) == []


def test_an_expression_that_flickers_is_no_event_and_one_that_stays_is_one():
    steady, other = [face("happy")], [face("angry")]
    flicker = [steady] * 8 + [other, steady] * 8 + [other] * 4 + [steady] * 5
    assert [e for e, _, _ in told(FaceChanges(), *flicker)] == ["came", "expression"]
    changes = FaceChanges()
    found = told(changes, *[steady] * 8, *[other] * 8)
    assert found[2:] == [("expression", round(0.8 + HOLD_S, 3), 0)]


def test_a_label_that_is_uncertain_is_no_expression():
    unsure = [face("angry", unsure=True)]
    found = told(FaceChanges(), *[[face("happy")]] * 8, *[unsure] * 20, *[[face("happy")]] * 8)
    assert [e for e, _, _ in found] == ["came", "expression"]


def test_a_face_leaves_when_the_tracker_has_forgotten_it_and_not_before():
    here = [face("happy", 1)]
    short = [here] * 8 + [[]] * 15 + [here] * 8
    assert [e for e, _, _ in told(FaceChanges(), *short)] == ["came", "expression"]
    changes = FaceChanges()
    told(changes, *[here] * 8)
    (left,) = changes.update(result(99, time_s=0.7 + 2.1))
    assert (left.event, left.track, left.more["why"]) == ("left", 1, "gone")
    assert (left.more["last_s"], left.more["stayed_s"]) == (0.7, 0.7)


def test_frames_far_apart_are_enough():
    assert [e for e, _, _ in told(FaceChanges(), [face()], [face()], step_s=1.0)] == [
        "came",
        "expression",
    ]


@given(st.lists(st.lists(st.sampled_from(range(3)), unique=True, max_size=3), max_size=60))
def test_every_face_that_came_leaves_once_and_in_order(frames):
    changes = FaceChanges()
    found = []
    for n, tracks in enumerate(frames):
        label = CLASSES[n // 7 % 3]
        found += changes.update(result(n, *(face(label, t) for t in tracks), time_s=n * 0.3))
    found += changes.lost(len(frames) * 0.3, "ended")
    for track in range(3):
        events = [c.event for c in found if c.track == track and c.event != "expression"]
        assert events == ["came", "left"] * (len(events) // 2)
        there = False
        for change in (c for c in found if c.track == track):
            assert change.event == "came" or there
            there = change.event != "left"
    assert [c.time_s for c in found] == sorted(c.time_s for c in found)


def alerts(text, *frames, step_s=0.1):
    """The alerts of frames: (state, time, track); a frame is (faces, level of their labels)."""
    (rule,) = fitted([parse_rule(text)], CLASSES)
    alarm, found = Alarm(rule), []
    for n, (faces, level) in enumerate(frames):
        frame = result(n, *faces, time_s=n * step_s, level=level)
        found += [(a.state, round(a.time_s, 3), a.track) for a in alarm.update(frame)]
    return found


ON, OFF = ([face("happy", 2)], 0.9), ([face("happy", 2)], 0.5)
NOBODY = ([], 0.5)


def test_an_alert_begins_after_its_time_and_ends_a_second_after_the_rule():
    assert alerts("happy > 0.7 for 2s", *[OFF] * 5, *[ON] * 19, *[OFF] * 30) == []
    found = alerts("happy > 0.7 for 2s", *[OFF] * 5, *[ON] * 30, *[OFF] * 30)
    assert found == [("begin", 2.5, 2), ("end", round(3.4 + END_S, 3), 2)]
    assert alerts("happy > 0.7", OFF, ON) == [("begin", 0.1, 2)]


def test_one_frame_that_does_not_hold_breaks_a_time_and_does_not_end_an_alert():
    assert alerts("happy > 0.7 for 2s", *([ON] * 15 + [OFF]) * 4) == []
    assert alerts("happy > 0.7 for 1s", *[ON] * 11, *[OFF, ON] * 30) == [("begin", 1.0, 2)]


def test_a_face_may_be_missed_for_a_moment_and_not_for_long():
    short, long = [NOBODY] * 4, [NOBODY] * 7
    assert alerts("happy > 0.7 for 2s", *[ON] * 10, *short, *[ON] * 10)[0][:2] == ("begin", 2.0)
    assert alerts("happy > 0.7 for 2s", *[ON] * 10, *long, *[ON] * 10) == []
    assert alerts("happy > 0.7 for 2s", ON, ON, ON, step_s=1.0) == [("begin", 2.0, 2)]


def test_each_face_has_its_own_alert():
    both = ([face("happy", 1), face("angry", 2)], 0.9)
    assert alerts("happy > 0.7", both) == [("begin", 0.0, 1)]
    assert alerts("happy < 0.7", both) == [("begin", 0.0, 2)]


def test_rules_about_the_picture():
    two = ([face(track=0), face(track=1, unsure=True)], 0.5)
    assert alerts("faces >= 2", NOBODY, two) == [("begin", 0.1, None)]
    assert alerts("faces < 1 for 1s", *[NOBODY] * 12) == [("begin", 1.0, None)]
    assert alerts("uncertain >= 0.5", NOBODY, two) == [("begin", 0.1, None)]
    assert alerts("uncertain <= 0.4", NOBODY, two) == []  # nobody is no share
    assert alerts("noise < 0.1", NOBODY) == [("begin", 0.0, None)]


@given(st.lists(st.sampled_from([ON, OFF, NOBODY]), max_size=80), st.sampled_from(["", " for 1s"]))
def test_alerts_begin_and_end_in_turn(frames, time):
    states = [state for state, _, _ in alerts(f"happy > 0.7{time}", *frames, step_s=0.25)]
    assert states == (["begin", "end"] * len(states))[: len(states)]


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_say_source_track_and_both_times():
    stream = io.StringIO()
    sink = EventsSink(None, header("rtsp://camera/1"), stream=stream, now=lambda: NOON)
    for n in range(10):
        put(sink, result(n, face("happy", 7), time_s=n * 0.1))
    sink.note(LinkEvent("offline", 1.0, NOON, "it broke off"))
    sink.note(LinkEvent("online", 3.0, NOON, "it broke off", 2, 2.0, 50))
    sink.close()
    sink.close()
    found = lines(stream)
    kinds = ["began", "came", "expression", "left", "offline", "online"]
    assert [line["event"] for line in found] == kinds
    assert {line["source"] for line in found} == {"rtsp://camera/1"}
    assert {line["utc"] for line in found} == {"2026-01-31T12:00:00.000Z"}
    assert [line.get("track") for line in found] == [None, 7, 7, 7, None, None]
    assert found[2] | {"from": None, "to": "happy", "confidence": 0.5} == found[2]
    assert (found[3]["why"], found[3]["time_s"]) == ("offline", 1.0)
    assert found[5]["missed"] == 50
    assert sink.ended(10, None) | {"event": "ended", "frames": 10, "error": None} == sink.ended(
        10, None
    )


def test_of_a_live_source_the_moment_is_that_of_the_picture():
    info = header()
    live = type(info)(
        type(info.source)("camera:0", "camera:0", 64, 48, True), "m", "", CLASSES, {}, "0"
    )
    moments = Moments(live)
    first, later = result(0, time_s=0.0), result(50, time_s=2.0)
    moments.take(first)
    moments.take(later)
    one, other = (datetime.fromisoformat(moments.fields("came", s)["utc"]) for s in (0.0, 2.0))
    assert (other - one).total_seconds() == pytest.approx(2.0, abs=0.002)


def test_alerts_end_with_their_source():
    rules = fitted([parse_rule("happy > 0.7"), parse_rule("faces > 0")], CLASSES)
    for how, why in (("note", "offline"), ("close", "ended")):
        seen = []
        sink = AlertSink(rules, Moments(header()), lambda _, alert, seen=seen: seen.append(alert))
        put(sink, result(0, face("happy", 3), level=0.9))
        if how == "note":
            sink.note(LinkEvent("offline", 0.5, NOON, ""))
        sink.close()
        sink.close()
        assert [(a.state, a.why) for a in seen] == [("begin", "")] * 2 + [("end", why)] * 2


def test_an_alert_as_a_record_and_in_words():
    seen = []
    sink = AlertSink(
        fitted([parse_rule("HAPPY > 0.7")], CLASSES),
        Moments(header("a.mp4"), lambda: NOON),
        lambda moments, alert: seen.append((alert_record(moments, alert), alert)),
    )
    put(sink, result(0, face("happy", 3), level=0.9, time_s=1.5))
    sink.close()
    (begin, alert), (end, _) = seen
    assert begin == {
        "source": "a.mp4",
        "event": "alert",
        "time_s": 1.5,
        "utc": "2026-01-31T12:00:00.000Z",
        "state": "begin",
        "rule": "HAPPY > 0.7",
        "track": 3,
        "value": 0.9,
        "since_s": 1.5,
    }
    assert (end["state"], end["why"], end["until_s"]) == ("end", "ended", 1.5)
    assert in_words("a.mp4", alert) == "alert: a.mp4, face 3: HAPPY > 0.7 (0.90 at 1.5 s)."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_what_cannot_be_written_is_an_error():
    with pytest.raises(SinkError, match="No space left on device"):
        EventsSink(Path("/dev/full"), header())
