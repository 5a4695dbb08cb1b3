from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.draw import CLASS_COLOURS, FAINT, TRACK, draw
from fervid.legend import heat_bar
from fervid.records import CAM_NAMES, Faces, FrameResult, Noise, Timings
from fervid.words import MAPS, map_words

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def result(rows, *, uncertain=(), heat=None, kind="clean"):
    """A result with these boxes; face i is of class i, with probability .7."""
    n = len(rows)
    boxes = np.array(rows, np.float32).reshape(-1, 4)
    labels = tuple(CLASSES[i % 7] for i in range(n))
    p = np.full((n, 7), 0.05, np.float32)
    p[np.arange(n), np.arange(n) % 7] = 0.7
    faces = Faces(
        boxes, np.ones(n, np.float32), np.zeros((n, 2, 2), np.float32), np.arange(n, dtype=np.int64)
    )
    levels = np.array([0, 0, 0.2], np.float32) if kind == "speckle" else np.zeros(3, np.float32)
    return FrameResult(
        0, 1.5, faces, Noise(kind, levels, 0.1, np.zeros(3, np.float32)), "none",
        np.zeros(n, np.float32), CLASSES, p, p, labels,
        np.array([i in uncertain for i in range(n)], bool),
        tuple(("small",) if i in uncertain else () for i in range(n)),
        np.zeros((n, 6, 6), np.float32) if heat is None else heat, boxes, Timings(),
    )  # fmt: skip


def frame(h=360, w=640, value=90):
    return np.full((h, w, 3), value, np.uint8)


def test_a_new_picture_of_the_same_size_and_the_frame_untouched():
    bgr = frame()
    out = draw(bgr, result([(200, 100, 300, 200)]))
    assert out.shape == bgr.shape
    assert out.dtype == np.uint8
    assert (bgr == 90).all()
    assert not np.shares_memory(out, bgr)


def test_cold_areas_stay_visible_and_hot_ones_are_coloured():
    heat = np.zeros((1, 6, 6), np.float32)
    heat[0, :, 3:] = 1
    out = draw(frame(), result([(200, 100, 320, 220)], heat=heat))
    assert (out[160, 215] == 90).all()
    assert np.abs(out[160, 305].astype(int) - 90).max() > 60


def test_brightness_of_the_overlay_rises_with_heat():
    seen = []
    for value in (0.3, 0.6, 1.0):
        heat = np.full((1, 6, 6), value, np.float32)
        out = draw(frame(value=0), result([(200, 100, 320, 220)], heat=heat))
        seen.append(float(out[160, 260] @ (0.114, 0.587, 0.299)))
    assert seen == sorted(seen)
    assert seen[0] > 0


def test_an_uncertain_face_is_dashed_and_grey():
    box = (200, 120, 320, 240)
    sure = draw(frame(value=0), result([box]))[:, 319]
    unsure = draw(frame(value=0), result([box], uncertain=(0,)))[:, 319]
    sides = sure[125:235], unsure[125:235]
    assert (sides[0].max(axis=1) > 50).all()  # a line without gaps
    assert (sides[1].max(axis=1) < 50).sum() > 20  # gaps
    assert any((row == CLASS_COLOURS[0]).all() for row in sides[0])
    assert any((row == FAINT).all() for row in sides[1])


def test_the_reason_is_written():
    box = [(200, 120, 320, 240)]
    with_reason = draw(frame(), result(box, uncertain=(0,)))
    assert (with_reason[100:120, 200:400] != draw(frame(), result(box))[100:120, 200:400]).any()


def test_the_status_line_shows_the_noise():
    clean, noisy = (draw(frame(), result([], kind=kind)) for kind in ("clean", "speckle"))
    assert (clean[:340] == 90).all()
    assert (clean[345:] != noisy[345:]).any()


def hot(n=1):
    return np.ones((n, 6, 6), np.float32)


@pytest.mark.parametrize(
    ("cam", "target", "words"),
    [
        ("", "", "map of the label"),
        ("adaptive", "", "adaptive map, layer4, of the label"),
        ("gradcam_fused", "sad", "Grad-CAM, layer3 + layer4, of sad, not of the label"),
    ],
)
def test_the_maps_are_named(cam, target, words):
    assert map_words(cam, target)[0] == words


def test_every_kind_of_map_has_a_name_of_its_own():
    assert tuple(MAPS) == CAM_NAMES
    assert len({map_words(cam, "") for cam in CAM_NAMES}) == len(CAM_NAMES)


def test_in_less_room_a_chosen_class_is_told_before_layers_are():
    forms = map_words("adaptive", "sad")
    assert "sad" in forms[-2]
    assert list(forms) == sorted(forms, key=len, reverse=True)


def test_the_legend_says_which_maps_and_what_their_colours_mean():
    box = [(200, 100, 300, 200)]
    plain, other = (
        draw(frame(), replace(result(box, heat=hot()), cam=cam, target=target))
        for cam, target in (("adaptive", ""), ("gradcam", "sad"))
    )
    assert (plain[345:, :300] == other[345:, :300]).all()  # the status itself
    assert (plain[345:, 300:] != other[345:, 300:]).any()
    bar = heat_bar(44, 7)
    found = cv2.matchTemplate(plain[344:], bar, cv2.TM_SQDIFF).min()
    assert found == pytest.approx(0, abs=1)


def test_no_legend_without_maps():
    box = [(200, 100, 300, 200)]
    none = draw(frame(), result(box))[345:]
    unseen = draw(frame(), result(box, heat=hot()), heatmap=False)[345:]
    assert (none == unseen).all()
    assert (none != draw(frame(), result(box, heat=hot()))[345:]).any()


@pytest.mark.parametrize("width", [160, 240, 320, 480])
def test_the_legend_is_left_out_rather_than_laid_over_the_status(width):
    box = [(20, 20, 80, 80)]
    seen = replace(result(box, heat=hot()), cam="gradcam_fused", target="surprise")
    with_legend = draw(frame(180, width), seen)
    without = draw(frame(180, width), seen, heatmap=False)
    line = without[167:]
    text = (line > 120).any(2)
    assert text.any()
    assert (with_legend[167:][text] == line[text]).all()


def test_the_two_most_probable_classes_are_written():
    box = [(200, 120, 320, 240)]
    seen = result(box)
    p = seen.smoothed.copy()
    p[0, 3], p[0, 5] = 0.2, 0.02
    second = replace(seen, smoothed=p)
    first, other = (draw(frame(), item)[100:118, 195:420] for item in (seen, second))
    assert (first != other).any()


def test_bars_never_cover_a_face():
    rows = [(x, 100, x + 60, 160) for x in range(5, 600, 70)]
    out = draw(frame(), result(rows))
    for x0, y0, x1, y1 in rows:
        assert (out[y0 + 5 : y1 - 5, x0 + 5 : x1 - 5] == 90).all()


def test_a_frame_too_small_for_text_gets_box_and_heat_only():
    out = draw(frame(48, 64), result([(10, 10, 40, 40)]))
    assert (out[42:] == 90).all()
    assert (out[10, 10:40] != 90).any()


@pytest.mark.parametrize("size", [(1080, 1920), (360, 640), (640, 352), (97, 161), (2, 2), (1, 1)])
def test_every_size_of_frame(size):
    draw(frame(*size), result([(-5, -5, 30, 30), (0, 0, 1, 1), (5, 0, 5, 0)], uncertain=(1,)))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(-300, 900, width=32)] * 2, st.floats(0, 500, width=32)), max_size=4
    ),
    st.integers(1, 400),
    st.integers(1, 700),
)
def test_faces_anywhere_never_fail(places, h, w):
    rows = [(x, y, x + s, y + s) for x, y, s in places]
    heat = np.random.default_rng(0).random((len(rows), 6, 6)).astype(np.float32)
    assert draw(frame(h, w), result(rows, heat=heat, uncertain=(0,))).shape == (h, w, 3)


def bars(classes):
    """Columns of the bars of one face whose classes have these names: the first and how many."""
    shown = replace(result([(60, 100, 160, 200)]), classes=classes, labels=classes[:1])
    columns = np.flatnonzero((draw(frame(), shown) == TRACK).all(2).sum(0) > 20)
    return columns[0], len(columns)


def test_bars_begin_behind_the_longest_name():
    usual, wide = bars(CLASSES)
    begin, long = bars((*CLASSES[:6], "astonished and amused"))
    assert begin > usual + 50
    assert long == wide
    assert bars((*CLASSES[:6], "x")) == (usual, wide)
