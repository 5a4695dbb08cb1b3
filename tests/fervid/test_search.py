"""What `auto` looks at and what it takes for a face, with looks that are made up."""

import numpy as np
import pytest

from fervid.looks import Look, overlaps, tiles, whole
from fervid.records import Faces, Noise
from fervid.search import DOUBTED_FOR, TURN_EVERY, WORKS_FOR, FaceSearch, Terms

SIZE = (480, 640)
FACE = (300, 200, 400, 300)
SMALL = (30, 30, 60, 60)
CLEAR = Terms.of(Noise.clean(), 0.5, 0.3, 20)


def noise(severity, kind="gaussian"):
    return Noise(kind, np.full(3, 0.1, np.float32), severity, np.zeros(3, np.float32))


LIGHT = Terms.of(noise(0.1), 0.5, 0.3, 20)
DEEP = Terms.of(noise(0.3), 0.5, 0.3, 20)


class Scene:
    """Answers looks: `wholes`, `parts` and `near` are (model, box, score), and keeps them.

    Only tiles that begin at `column` show `parts`; None: all.
    """

    def __init__(self, wholes=(), parts=(), near=(), column=None):
        self.wholes, self.parts, self.near, self.column = wholes, parts, near, column
        self.taken = []

    def __call__(self, look):
        self.taken.append(look)
        x0, y0, x1, y1 = look.window
        there = self.parts if self.column in (None, x0) else ()
        if look.close_up:
            there = self.near
        elif (y1, x1) == SIZE and not x0 and not y0:
            there = self.wholes
        inside = [
            (box, score)
            for model, box, score in there
            if model == look.model and box[0] < x1 and box[2] > x0 and box[1] < y1 and box[3] > y0
        ]
        n = len(inside)
        return Faces(
            np.array([box for box, _ in inside], np.float32).reshape(n, 4),
            np.array([score for _, score in inside], np.float32),
            np.zeros((n, 2, 2), np.float32),
            np.full(n, -1, np.int64),
        )


def both(box, near=0.9, wide=0.9):
    """Close-ups that show a box."""
    return (("short", box, near), ("full", box, wide))


def look_at(scene, frames=1, terms=CLEAR, search=None):
    """The faces of the last of some frames that all show the scene."""
    search = search or FaceSearch()
    for _ in range(frames):
        scene.taken.clear()
        found = search.faces(scene, SIZE, terms)
    return found


def test_tiles_cover_the_frame_and_lie_in_it():
    for height, width in ((480, 640), (1080, 1920), (640, 352), (300, 300)):
        seen = np.zeros((height, width), bool)
        for look in tiles("full", height, width):
            x0, y0, x1, y1 = look.window
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            assert x1 - x0 == y1 - y0
            seen[y0:y1, x0:x1] = True
        assert seen.all()


def test_a_sure_face_is_taken_without_a_second_look():
    scene = Scene([("short", FACE, 0.95)])
    assert look_at(scene).boxes.tolist() == [list(FACE)]
    assert not any(look.close_up for look in scene.taken)


@pytest.mark.parametrize(
    ("near", "wide", "count"), [(0.9, 0.9, 1), (0.6, 0.9, 0), (0.9, 0.3, 0), (0.0, 0.0, 0)]
)
def test_both_models_must_confirm_another_one(near, wide, count):
    scene = Scene([("short", FACE, 0.6)], near=both(FACE, near, wide))
    assert len(look_at(scene)) == count


def test_a_close_up_of_something_else_confirms_nothing():
    scene = Scene([("short", FACE, 0.6)], near=both((340, 240, 460, 360)))
    assert len(look_at(scene)) == 0


def test_a_small_face_is_found_in_a_tile_and_by_that_tile_from_then_on():
    scene, search = Scene(parts=[("full", SMALL, 0.5)], near=both(SMALL)), FaceSearch()
    for _ in range(WORKS_FOR + 3):
        found = look_at(scene, search=search)
        assert found.boxes.tolist() == [list(SMALL)]
    assert len(scene.taken) <= 3  # the tile, one in turn, both models of the whole at most


def test_a_small_face_that_comes_later_is_found_when_its_tile_has_its_turn():
    search = FaceSearch()
    assert len(look_at(Scene(), search=search)) == 0
    scene = Scene(parts=[("full", SMALL, 0.5)], near=both(SMALL))
    assert len(look_at(scene, 2 * TURN_EVERY * (len(tiles("full", *SIZE)) + 1), search=search)) == 1


def test_a_face_that_the_edge_of_a_tile_cuts_is_left_to_another():
    looks = tiles("full", *SIZE)
    edge = max(look.window[0] for look in looks)  # the last column begins here
    for x, count in ((edge, 0), (edge + 10, 1)):
        box = (x, 20, x + 40, 60)
        scene = Scene(parts=[("full", box, 0.9)], near=both(box), column=edge)
        assert len(look_at(scene)) == count


def test_one_look_in_three_frames_beside_the_one_that_finds_the_face():
    scene, search = Scene([("short", FACE, 0.95)]), FaceSearch()
    look_at(scene, search=search)
    taken = []
    for _ in range(60):
        look_at(scene, search=search)
        taken.append(len(scene.taken))
    assert sum(taken) == 60 + 60 // TURN_EVERY


def test_a_known_face_may_fade_and_a_lost_one_makes_both_models_look():
    search = FaceSearch()
    look_at(Scene([("short", FACE, 0.95)]), search=search)
    assert len(look_at(Scene([("short", FACE, 0.5)]), search=search)) == 1
    scene = Scene([("full", FACE, 0.31)])
    assert len(look_at(scene, search=search)) == 1
    assert whole("full", *SIZE) in scene.taken


def test_a_known_face_vouches_for_one_candidate_only():
    beside = (348, 200, 448, 300)  # more than .3 of both boxes is common, less than half of one
    search = FaceSearch()
    assert len(look_at(Scene([("short", FACE, 0.9)]), search=search)) == 1
    found = look_at(Scene([("short", FACE, 0.9), ("short", beside, 0.6)]), search=search)
    assert found.boxes.tolist() == [list(FACE)]


def test_what_was_no_face_is_not_looked_at_again_at_once_but_later():
    scene, search = Scene([("short", FACE, 0.6)], near=both(FACE, 0.2)), FaceSearch()
    near = []
    for _ in range(DOUBTED_FOR + 2):
        look_at(scene, search=search)
        near.append(sum(look.close_up for look in scene.taken))
    assert near[0] >= 1
    assert sum(near[1 : DOUBTED_FOR + 1]) == 0
    scene.near = both(FACE)
    assert len(look_at(scene, DOUBTED_FOR + 1, search=search)) == 1


def test_a_weak_candidate_in_noise_is_no_new_face():
    scene = Scene([("short", FACE, 0.4)], near=both(FACE))
    assert len(look_at(scene, 3, LIGHT)) == 0
    assert len(look_at(scene, 3, DEEP)) == 0


def test_deep_noise_has_one_look_and_a_new_face_needs_two_frames():
    search = FaceSearch()
    look_at(Scene(), terms=DEEP, search=search)
    scene = Scene([("short", FACE, 0.6)])
    assert len(look_at(scene, terms=DEEP, search=search)) == 0
    assert len(look_at(scene, terms=DEEP, search=search)) == 1
    assert scene.taken == [whole("short", *SIZE)]
    scene.wholes = [("short", FACE, 0.3)]  # known by now
    assert len(look_at(scene, terms=DEEP, search=search)) == 1


def test_a_single_picture_in_deep_noise_gets_its_face():
    assert len(look_at(Scene([("short", FACE, 0.6)]), terms=DEEP)) == 1


def test_frames_of_another_size_begin_anew():
    search = FaceSearch()
    look_at(Scene([("short", FACE, 0.95)]), search=search)
    scene = Scene()
    search.faces(scene, (240, 320), CLEAR)
    assert len(scene.taken) == 2  # no tile shows faces of 20 px that the whole does not


def test_a_higher_least_score_asks_more_of_every_look():
    strict = Terms.of(Noise.clean(), 0.8, 0.3, 20)
    scene = Scene([("short", FACE, 0.85)], near=both(FACE, 0.75, 0.75))
    assert len(look_at(scene)) == 1
    assert len(look_at(scene, terms=strict)) == 0
    assert strict.least(0.7) > CLEAR.least(0.7) == pytest.approx(0.7)


def test_looks_are_told_apart_by_value():
    assert Look("short", (0, 0, 8, 8)) == Look("short", (0, 0, 8, 8))
    assert overlaps(np.array([FACE], np.float32), np.array([FACE], np.float32)) == 1
