"""Stills: what they show, and when a run writes them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.sinks.stills import EVERY_S, StillsSink, saved_stills
from fervid.stills import HEAD, MARGIN, SIDE, still
from tests.fervid.test_draw import frame, result
from tests.results import face, header, put
from tests.results import result as made

BOX = (200, 100, 320, 220)


def panels(picture):
    """The three pictures of the first row."""
    return [
        picture[HEAD : HEAD + SIDE, x : x + SIDE]
        for x in range(MARGIN, MARGIN + 3 * (SIDE + MARGIN) - 1, SIDE + MARGIN)
    ]


def test_original_input_and_map_stand_side_by_side():
    bgr = frame()
    bgr[90:230, 190:330] = (10, 60, 200)
    heat = np.zeros((1, 48, 48), np.float32)
    heat[0, :, 24:] = 1
    crops = np.zeros((1, 48, 48), np.uint8)
    crops[0, 10, 20] = 255
    seen = replace(result([BOX], heat=heat), crops=crops, filter_name="median", cam="adaptive")
    original, network, heated = panels(still(bgr, seen))
    assert (original == (10, 60, 200)).all()
    assert (network[63:68, 126:131] == 255).all()  # the pixel, enlarged as it was
    assert not network[:60].any()
    assert (heated[:, :120] == original[:, :120]).all()
    assert (heated[:, 180:] != original[:, 180:]).any(2).all()
    assert (bgr[0, 0] == 90).all()


def test_a_bar_is_as_long_as_its_share():
    picture = still(frame(), result([BOX]))
    x = MARGIN + 3 * (SIDE + MARGIN) + 8 + 92
    row = picture[HEAD + 10 + 12 + 8, x : x + 230]
    assert (row == (80, 110, 235)).all(1).sum() == pytest.approx(0.7 * 230, abs=1)


def test_reasons_for_doubt_are_written():
    sure, unsure = (still(frame(), result([BOX], uncertain=u)) for u in ((), (0,)))
    assert (sure[280:320, -380:] != unsure[280:320, -380:]).any()


def test_what_lies_beyond_the_frame_is_black():
    original = panels(still(frame(), result([(-60, 100, 60, 220)])))[0]
    assert not original[:, : SIDE // 2 - 2].any()
    assert (original[:, SIDE // 2 + 8 :] == 90).all()


def test_a_row_a_face_of_the_four_largest_and_one_without_any():
    heights = [
        still(frame(), result([(x, 10, x + 30, 40) for x in range(0, 40 * n, 40)])).shape[0]
        for n in (0, 1, 2, 9)
    ]
    assert heights == [heights[1], heights[1], 2 * heights[1], 4 * heights[1]]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(-300, 900, width=32)] * 2, st.floats(0, 500, width=32)), max_size=3
    ),
    st.integers(1, 400),
    st.integers(1, 700),
)
def test_faces_anywhere_never_fail(places, h, w):
    rows = [(x, y, x + s, y + s) for x, y, s in places]
    assert still(frame(h, w), result(rows, uncertain=(0,))).shape[2] == 3


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_writes_one_at_each_change_of_label(tmp_path):
    sink = StillsSink(tmp_path / "stills", header())
    for index in range(100):
        put(sink, made(index, face("happy" if index < 50 else "angry")))
    put(sink, made(100, face("angry"), face("neutral", 1)))
    sink.close()
    assert names(tmp_path / "stills") == [f"frame_{n:06}.png" for n in (0, 50, 100)]
    picture = cv2.imread(str(tmp_path / "stills" / "frame_000000.png"))
    assert picture.shape == still(np.zeros((48, 64, 3), np.uint8), made(0, face())).shape


def test_labels_that_flicker_do_not_fill_the_disk(tmp_path):
    sink = StillsSink(tmp_path / "stills", header())
    for index in range(100):  # 4 s
        put(sink, made(index, face("happy" if index % 2 else "angry")))
    assert 4 / EVERY_S - 2 <= len(names(tmp_path / "stills")) <= 4 / EVERY_S


def test_only_own_files_are_removed(tmp_path):
    for name in ("frame_000001.png", "frame_mine.png", "other.txt"):
        (tmp_path / name).touch()
    StillsSink(tmp_path, header())
    assert names(tmp_path) == ["frame_mine.png", "other.txt"]
    assert list(saved_stills(tmp_path)) == []
