import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.appearance import describe, likeness

SKIN, PALE = (120, 150, 200), (190, 190, 195)


def picture(*colours):
    """Squares of 60 px beside each other, each of a colour with some structure."""
    rng = np.random.default_rng(0)
    parts = [np.array(c) + rng.normal(0, 12, (60, 60, 1)) for c in colours]
    return np.concatenate(parts, axis=1).clip(0, 255).astype(np.uint8)


def boxes(n):
    return np.array([[60 * k, 0, 60 * k + 60, 60] for k in range(n)], np.float32)


def test_the_same_colours_are_alike_and_others_are_not():
    looks = describe(picture(SKIN, PALE, SKIN), boxes(3))
    alike = likeness(looks, looks)
    assert alike[0, 2] > 0.9 > 0.5 > alike[0, 1]
    assert np.allclose(np.diag(alike), 1, atol=1e-4)


@pytest.mark.parametrize("light", [0.5, 0.8, 1.2])
def test_more_or_less_light_is_no_other_face(light):
    lit = (picture(SKIN) * light).clip(0, 255).astype(np.uint8)
    pair = likeness(describe(picture(SKIN), boxes(1)), describe(lit, boxes(1)))
    assert pair.item() > 0.95


def test_what_another_box_covers_does_not_count():
    hidden = picture(SKIN)
    hidden[:, 36:] = PALE
    covering = np.array([[0, 0, 60, 60], [36, 0, 96, 60]], np.float32)
    assert likeness(describe(picture(SKIN), boxes(1)), describe(hidden, covering))[0, 0] > 0.95
    nearly_all = np.array([[0, 0, 60, 60], [6, 0, 66, 60]], np.float32)
    assert not describe(hidden, nearly_all)[0].any()


def test_the_corners_do_not_count():
    framed = picture(SKIN)
    framed[:8, :8] = framed[-8:, -8:] = (0, 255, 0)
    pair = likeness(describe(picture(SKIN), boxes(1)), describe(framed, boxes(1)))
    assert pair.item() > 0.97


@pytest.mark.parametrize("box", [(-50, -50, -10, -10), (500, 10, 560, 70), (20, 20, 20, 20)])
def test_a_box_without_pixels_looks_like_nothing(box):
    looks = describe(picture(SKIN), np.array([box], np.float32))
    assert not looks.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 10**6))
def test_likeness_lies_between_0_and_1(width, height, seed):
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (120, 120, 3), dtype=np.uint8)
    found = np.array([[[5, 5, 5 + width, 5 + height]], [[0, 0, 120, 120]]], np.float32)
    looks = np.concatenate([describe(noise, box) for box in found])
    assert np.allclose((looks**2).sum(1), 1, atol=1e-4)
    assert (likeness(looks, looks) >= 0).all()
    assert (likeness(looks, looks) <= 1 + 1e-4).all()
