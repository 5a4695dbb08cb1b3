"""The tables behind eta: what they say of noise whose fate is known."""

import numpy as np
import pytest

from fervid import crops, filters
from train.gains import gains, realised


def test_without_clipping_all_of_the_noise_is_left():
    grey = np.full((4, 48, 48), 128, np.uint8)
    white, bias = realised(grey, "gaussian")
    assert white[:3] == pytest.approx(crops.LEVELS[:3], rel=0.03)
    assert bias[:3] == pytest.approx(0, abs=2e-3)
    assert (np.diff(white / np.maximum(crops.LEVELS, 1e-9))[1:] < 1e-3).all()


def test_speckle_goes_with_the_brightness():
    grey = np.full((4, 48, 48), 102, np.uint8)  # .4
    assert realised(grey, "speckle")[0][1] == pytest.approx(0.4 * crops.LEVELS[1], rel=0.03)


def test_a_blur_leaves_the_norm_of_its_kernel():
    """White noise after a linear filter: the root of the sum of its squared weights."""
    grey = np.full((6, 48, 48), 128, np.uint8)
    found = gains(grey)
    kernel = np.exp(-(np.array([-1, 0, 1.0]) ** 2) / 2)
    kernel /= kernel.sum()
    expected = float((kernel**2).sum())
    assert found[filters.gaussian_3x3][0][:4] == pytest.approx(expected, rel=0.05)
    assert found[filters.no_filter][0] == pytest.approx(1)
    assert found[filters.impulse_median][1] == pytest.approx(0, abs=0.15)
