import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.controls import HELP
from fervid.overlay import waiting, with_help, with_messages


def picture(h=360, w=640):
    return np.full((h, w, 3), 120, np.uint8)


def bright(image):
    """Rows and columns between which there is text."""
    rows, columns = np.nonzero(image.max(2) > 170)
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize("size", [(360, 640), (720, 405), (720, 1280), (128, 1280), (360, 360)])
def test_the_help_is_whole_on_every_shape(size):
    shown = with_help(picture(*size), HELP)
    top, bottom, left, right = bright(shown)
    assert shown.shape == (*size, 3)
    assert top > 0
    assert bottom < size[0] - 1
    assert left > 0
    assert right < size[1] - 1


def test_under_the_help_the_picture_is_dim_but_there():
    shown = with_help(picture(), HELP)
    assert 0 < shown[0, 0].max() < 40


def test_messages_stand_in_a_band_and_the_rest_is_untouched():
    before = picture()
    shown = with_messages(before, ["paused", "saved clip-1.png"])
    assert (before == 120).all()
    assert (shown[20:] == 120).all()
    assert (shown[:16] != 120).any()


def test_no_message_no_band():
    before = picture()
    assert with_messages(before, []) is before


def test_a_long_message_is_made_smaller_rather_than_cut():
    shown = with_messages(picture(), ["saved " + "x" * 200])
    assert bright(shown)[3] < 639


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 500), st.integers(1, 900), st.text(max_size=40))
def test_any_size_and_text(h, w, text):
    assert with_help(picture(h, w), HELP).shape == (h, w, 3)
    assert with_messages(picture(h, w), [text]).shape == (h, w, 3)
    assert waiting(w, h).shape == (h, w, 3)
