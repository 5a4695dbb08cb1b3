"""Accuracy by the look of the picture."""

import numpy as np
import pytest

from train.quarters import looks, quarter_figures, quarters_table


def faces(n=40):
    """Grey levels that rise from picture to picture, on one pattern."""
    pattern = np.random.default_rng(0).integers(0, 60, (48, 48))
    return np.stack([pattern + 4 * k for k in range(n)]).astype(np.uint8)


def test_dark_pictures_fall_into_the_lowest_quarter():
    right = np.arange(40) >= 5  # wrong about half of the darkest ten
    parts = quarter_figures(faces(), right)["brightness"]
    assert [part["accuracy"] for part in parts] == [0.5, 1, 1, 1]
    assert [part["images"] for part in parts] == [10] * 4
    assert parts[0]["to"] < parts[1]["from"]
    low, high = parts[0]["accuracy_95"]
    assert 0 < low < 0.5 < high < 1


def test_sharpness_does_not_follow_brightness_or_contrast():
    one = faces(1)[0].astype(float)
    found = looks(np.stack([one, one / 2, one + 50]).astype(np.uint8))
    assert found["sharpness"] == pytest.approx(found["sharpness"][0], rel=0.05)
    assert found["contrast"][1] == pytest.approx(found["contrast"][0] / 2, rel=0.05)
    blurred = np.stack([one, np.full_like(one, one.mean())]).astype(np.uint8)
    sharp, flat = looks(blurred)["sharpness"]
    assert flat == 0 < sharp


def test_the_table_has_a_row_for_each_look():
    table = quarters_table("Which", quarter_figures(faces(3), np.array([True, False, True])))
    assert [row[0] for row in table.rows] == ["brightness", "contrast", "sharpness"]
    assert all(len(row) == len(table.head) for row in table.rows)
    assert table.rows[0][1].startswith("100.0 (")
    assert table.rows[0][-1] == "-"
