"""The pictures of a source that may be written."""

import numpy as np

from fervid.config import OutputConfig, RunConfig
from fervid.draw import draw
from fervid.painter import Painter
from fervid.records import Frame
from tests.results import face, result

HIDDEN = RunConfig(output=OutputConfig(anonymize="box"))


def scene(index, *faces):
    bgr = np.full((96, 128, 3), 200, np.uint8)
    bgr[6:26, 5:25] = 90  # where every face of `result` lies
    return Frame(index, index / 25, bgr), result(index, *faces)


def shows_face(picture):
    return bool((picture[10:22, 9:21] == 90).all(2).any())


def test_without_a_wish_to_hide_a_frame_is_only_drawn_over():
    painter, (frame, found) = Painter(RunConfig()), scene(0, face())
    assert not painter.hides
    for picture in (painter.paint(frame, found, True), painter.repaint(frame, found, True)):
        assert np.array_equal(picture, draw(frame.bgr, found, heatmap=True))


def test_a_face_seen_in_frames_that_were_not_painted_is_hidden_where_it_is_missed():
    painter = Painter(HIDDEN)
    assert shows_face(painter.paint(*scene(0), False))  # nobody knows of a face yet
    painter.notice(*scene(1, face()))
    assert not shows_face(painter.repaint(*scene(2), False))


def test_painting_a_past_frame_again_changes_nothing_of_the_next_ones():
    painters = [Painter(HIDDEN), Painter(HIDDEN)]
    for painter in painters:
        painter.paint(*scene(0, face()), False)
        painter.paint(*scene(20), False)
    assert not shows_face(painters[0].repaint(*scene(19), False))
    assert not shows_face(painters[0].repaint(*scene(0, face()), False))
    for index in (21, 24, 26):  # the face is forgotten a second after frame 0
        one, two = (painter.paint(*scene(index), False) for painter in painters)
        assert np.array_equal(one, two)
    assert shows_face(one)


def test_what_is_hidden_is_decided_in_the_order_of_the_frames_however_late_they_are_painted():
    scenes = [scene(0, face()), scene(1), scene(2, face()), scene(3)]
    straight, planned = Painter(HIDDEN), Painter(HIDDEN)
    plans = [planned.plan(*one, False) for one in scenes]
    expected = [straight.paint(*one, False) for one in scenes]
    found = [plan() for plan in reversed(plans)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert not any(shows_face(picture) for picture in found)
