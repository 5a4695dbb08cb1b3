"""Which filter a released model is used with."""

import numpy as np

from train.release import preferred


def flags(n_right, n=400):
    return np.arange(n) < n_right


def test_a_difference_that_chance_makes_leaves_the_papers_filter():
    rng = np.random.default_rng(0)
    almost = flags(208).copy()
    swapped = rng.permutation(400)[:60]
    almost[swapped] = ~almost[swapped]
    right = {"none": almost, "gaussian": flags(200)}
    assert preferred(right, "gaussian") == "gaussian"


def test_a_clearly_better_filter_is_taken():
    right = {"none": flags(200), "median": flags(260), "gaussian": flags(210)}
    assert preferred(right, "gaussian") == "median"


def test_equal_filters_leave_the_papers():
    right = {"none": flags(200), "gaussian": flags(200)}
    assert preferred(right, "gaussian") == "gaussian"
