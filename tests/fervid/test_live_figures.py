"""What the live page is told, against values worked out by hand."""

import dataclasses
import json
from datetime import UTC, datetime

import numpy as np

from fervid.config import ExplainConfig, OutputConfig, RunConfig
from fervid.link import Outage
from fervid.live.feed import Feed
from fervid.live.figures import figures, greeting
from fervid.live.history import History
from fervid.live.pictures import MOST_PX, jpeg
from fervid.records import Noise
from tests import live
from tests.clips import number, picture
from tests.results import face, result


def observed(*results, **more):
    history = History(**more)
    for item in results:
        history.observe(item)
    return history.since(0)


def test_a_point_is_the_mean_of_its_half_second():
    frames = [
        result(0, face("happy", 3), time_s=1.0, level=0.5),
        dataclasses.replace(
            result(1, face("angry", 3, unsure=True), face("happy", 4), time_s=1.2, level=0.9),
            dropped=2,
            filter_name="median",
            noise=Noise("speckle", np.float32([0, 0, 0.2]), 0.3, np.float32([0.2, 0.4, 0.6])),
        ),
        result(2, time_s=1.5),
        result(3, time_s=1.9),
    ]
    count, points = observed(*frames)
    assert count == 1  # the half second that lasts is not told
    (point,) = points
    assert point["t"] == 1.25
    assert (point["frames"], point["dropped"]) == (2, 2)
    assert (point["severity"], point["worst"]) == (0.15, 0.3)
    assert point["quality"] == [0.1, 0.2, 0.3]
    assert (point["kind"], point["filter"]) == (0, "none")
    assert point["faces"]["3"] == {"p": [0.575, 0.375, 0.25], "unsure": 0.5}
    assert point["faces"]["4"] == {"p": [0.25, 0.9, 0.25], "unsure": 0.0}


def test_history_forgets_the_oldest_and_tells_what_is_new():
    history = History(step_s=1.0, most_steps=3)
    for second in range(6):
        history.observe(result(second, time_s=float(second)))
    count, points = history.since(0)
    assert (count, [p["t"] for p in points]) == (5, [2.5, 3.5, 4.5])
    history.observe(result(6, time_s=6.0))
    assert [p["t"] for p in history.since(count)[1]] == [5.5]
    assert history.since(6) == (6, [])


def fed(config=None, snapshot=None):
    feed = Feed(7, live.info(), config or RunConfig())
    frame, shown = live.scene(12, face("happy", 5), face("angry", 2, unsure=True))
    feed.write(frame, shown, None)
    if snapshot:
        feed.snapshot = snapshot(feed)
    return feed


def test_a_source_is_told_as_the_dashboard_tells_it():
    feed = fed(snapshot=lambda feed: live.Player(None, feed).snapshot())
    told = json.loads(json.dumps(figures(feed)))
    assert (told["id"], told["label"], told["state"]) == (7, "door", "live")
    assert told["noise"] == {"kind": "gaussian", "level": 0.12, "severity": 0.12}
    assert told["filter"] == {"name": "gaussian", "why": "against gaussian noise, sigma 0.12"}
    assert [(f["track"], f["label"]) for f in told["faces"]] == [(2, "angry"), (5, "happy")]
    assert told["faces"][0]["reasons"] == ["small"]
    assert told["faces"][1]["p"] == [0.25, 0.62, 0.25]
    assert told["stages"] == [["noise", 1.5, 2.5], ["network", 7.0, 9.0]]
    assert (told["fps"], told["dropped"], told["quality"]["blur"]) == (24.5, 3, 0.0)
    words = "adaptive map, layer4, of the label"
    assert told["map"] == {"drawn": True, "words": words, "note": ""}


def test_a_source_that_is_offline_has_a_cause_and_no_faces():
    outage = Outage(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "unplugged", 12.3, 4)

    def lost(feed):
        return dataclasses.replace(live.Player(None, feed).snapshot(), offline=outage)

    told = figures(fed(snapshot=lost))
    assert (told["state"], told["faces"]) == ("offline", [])
    assert told["offline"]["since"] == "2026-01-02T03:04:05+00:00"
    assert (told["offline"]["seconds"], told["offline"]["attempts"]) == (12, 4)


def test_states():
    feed = Feed(0, live.info(live=False), RunConfig())
    assert figures(feed)["state"] == "opening"
    feed.write(*live.scene(0), None)
    assert figures(feed)["state"] == "reading"
    feed.close()
    assert figures(feed)["state"] == "ended"


def test_names_that_are_no_text_can_be_told():
    feed = Feed(0, live.info("caf\udce9"), RunConfig())
    assert json.dumps(figures(feed)).encode()


def test_maps_are_wanted_while_somebody_looks_and_they_are_drawn():
    def wants(**more):
        feed = Feed(0, live.info(), RunConfig(**more))
        feed.watched = True
        return feed.wants_maps

    assert wants()
    assert not wants(output=OutputConfig(images=False))
    assert not wants(explain=ExplainConfig(heatmap=False))
    assert not Feed(0, live.info(), RunConfig()).wants_maps


def test_one_frame_in_an_eighth_of_a_second_gets_maps():
    now = [10.0]
    feed = Feed(0, live.info(), RunConfig(), lambda: now[0])
    feed.watched, found = True, []
    for n in range(50):
        now[0] = 10 + n / 100
        found.append(feed.wants_maps)
    assert sum(found) == 4
    assert found[0]


def test_no_picture_is_made_where_none_may_be():
    assert fed(RunConfig(output=OutputConfig(images=False))).newest.paint is None


def test_faces_are_hidden_in_its_pictures():
    config = RunConfig(output=OutputConfig(anonymize="box"))
    frame, shown = live.scene(40, face("happy", 5, side=100.0))
    frame.bgr[20:90, 20:90] = 255
    feed = Feed(0, live.info(), config)
    feed.write(frame, shown, None)
    assert feed.newest.paint()[50, 60].tolist() == [64, 64, 64]
    feed = Feed(0, live.info(), RunConfig(explain=ExplainConfig(heatmap=False)))
    feed.write(frame, shown, None)
    assert feed.newest.paint()[50, 60].tolist() == [255, 255, 255]


def test_a_picture_that_the_outputs_have_is_shown_as_it_is():
    drawn = picture(3)
    feed = Feed(0, live.info(), RunConfig())
    feed.write(*live.scene(0), drawn)
    assert feed.newest.paint() is drawn


def test_pictures_are_scaled_down_only():
    import cv2

    for size, wanted in (((2560, 1440), (MOST_PX, 720)), ((64, 48), (64, 48))):
        made = cv2.imdecode(np.frombuffer(jpeg(picture(4, size)), np.uint8), cv2.IMREAD_COLOR)
        assert (made.shape[1], made.shape[0]) == wanted
        assert number(made) == 4


def test_the_greeting_is_json():
    told = json.loads(json.dumps(greeting("blur")))
    assert told["anonymize"] == "blur"
    assert all(colour.startswith("#") and len(colour) == 7 for colour in told["heat"])
