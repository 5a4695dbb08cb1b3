"""Remedies: what they do to a picture, and how a run is written down."""

import cv2
import numpy as np
import pytest
import skimage.data

from tests.backends import FakeBackend
from train.evaluate import deployed_plan
from train.options import EvaluateOptions
from train.remedies import REMEDIES, gamma, remedy_row, remedy_table, sharpen
from train.robustness import DARK


@pytest.fixture(scope="module")
def face():
    return cv2.resize(skimage.data.astronaut()[60:200, 154:294, 1], (48, 48))


@pytest.mark.parametrize("name", REMEDIES)
def test_a_remedy_returns_a_picture(face, name):
    once = REMEDIES[name](face)
    assert (once.shape, once.dtype) == (face.shape, np.uint8)


def test_gamma_lightens_a_dark_face_alone(face):
    assert 100 < gamma((face * 0.25).astype(np.uint8)).mean() < 150
    bright = np.full((48, 48), 200, np.uint8)
    np.testing.assert_array_equal(gamma(bright), bright)


def test_sharpening_raises_the_contrast_of_edges(face):
    steps = [np.abs(np.diff(x.astype(int))).mean() for x in (face, sharpen(face))]
    assert steps[1] > 1.2 * steps[0]


def test_a_row_is_against_doing_nothing(face):
    backend = FakeBackend()
    plan = deployed_plan(backend.card, EvaluateOptions())
    images = np.stack([face, face[::-1], face[:, ::-1]])
    at = np.arange(3)
    row = remedy_row(backend, (images, at, at % 2), DARK, plan)
    assert row["quality"]["darkness"] > 0.5
    assert set(row["remedies"]) == set(REMEDIES)
    assert all(-1 <= found["gain"] <= 1 for found in row["remedies"].values())
    (cells,) = remedy_table([row], 3).rows
    assert cells[0] == "darken 0.25"
    assert len(cells) == 3 + len(REMEDIES)
