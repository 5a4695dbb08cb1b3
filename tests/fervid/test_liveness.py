"""What tells a live picture from one that is repeated or filled in."""

import numpy as np
import pytest

from fervid.liveness import MOST_PATIENCE_S, PictureWatch, Verdict, identical, is_blank
from fervid.resized import resized

LIVE, STALE, FROZEN = Verdict.LIVE, Verdict.STALE, Verdict.FROZEN


def noise(seed, size=(40, 60)):
    return np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)


@pytest.mark.parametrize("at", [(0, 0, 0), (1, 7, 2), (39, 59, 1)])
def test_one_bit_anywhere_makes_another_picture(at):
    one = noise(0)
    other = one.copy()
    assert identical(one, other)
    other[at] ^= 1
    assert not identical(one, other)
    assert not identical(one, one[:, :30])


@pytest.mark.parametrize("at", [(0, 0, 0), (1, 7, 2), (39, 59, 1)])
def test_one_bit_anywhere_makes_a_picture_that_is_not_blank(at):
    one = np.full((40, 60, 3), (7, 8, 9), np.uint8)
    assert is_blank(one)
    one[at] ^= 1
    assert not is_blank(one)


def test_pictures_that_come_slowly_are_not_frozen_by_two_that_are_alike():
    watch, still = PictureWatch(10), noise(0)
    said = [watch.look(still, 8.0 * n) for n in range(6)]
    assert said == [LIVE] * 5 + [FROZEN]


def test_patience_grows_to_a_limit_and_is_short_again_after_a_calm_time():
    watch, still, now, waits = PictureWatch(10), noise(0), 0.0, []
    watch.look(still, now)
    for _ in range(9):
        began = now
        while watch.look(still, now) is not FROZEN:
            now += 1
        waits.append(now - began)
        watch.begin(now)
    assert waits == [10, 20, 40, 80, 160, 320, *[MOST_PATIENCE_S] * 3]
    assert watch.look(still, now) is STALE
    assert watch.look(noise(1), now + 1) is LIVE
    later = now + MOST_PATIENCE_S + 1
    assert watch.look(still, later) is LIVE
    said = [watch.look(still, later + n) for n in range(1, 11)]
    assert said == [LIVE] * 9 + [FROZEN]


@pytest.mark.parametrize("size", [(60, 40), (120, 80), (30, 20), (40, 40), (100, 10)])
def test_a_picture_at_another_size_is_whole_and_undistorted(size):
    disc = np.zeros((40, 60, 3), np.uint8)
    yy, xx = np.mgrid[:40, :60]
    disc[(yy - 19.5) ** 2 + (xx - 29.5) ** 2 < 12**2] = 255
    out = resized(disc, *size)
    assert out.shape == (size[1], size[0], 3)
    ys, xs = np.nonzero(out[..., 0] > 127)
    assert np.ptp(ys) == pytest.approx(np.ptp(xs), abs=1)
    assert np.ptp(xs) + 1 == pytest.approx(24 * min(size[0] / 60, size[1] / 40), abs=1.5)
    assert xs.mean() == pytest.approx((size[0] - 1) / 2, abs=0.6)
