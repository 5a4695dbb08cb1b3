"""The settings of poor video: what is held out, that draws repeat, and what is written of them."""

import cv2
import numpy as np
import pytest
import skimage.data

from fervid.corruptions import CORRUPTIONS
from train.augment import FAMILIES, KINDS
from train.fault_report import PEER, groups
from train.faults import CAMERA_LEVELS, HELD_OUT, MIXTURES, TRAINED, Chain, camera_noise, held_out
from train.metrics import pack, unpack
from train.recipe import load_recipe
from train.robustness import DARK, SETTINGS, corrupt

EVERY = (*SETTINGS, DARK, *TRAINED, *HELD_OUT, *MIXTURES)


@pytest.fixture(scope="module")
def face():
    return cv2.resize(skimage.data.astronaut()[60:200, 154:294, 1], (48, 48))


@pytest.fixture
def camera(tmp_path):
    rng = np.random.default_rng(0)
    mean = np.full((64, 64, 3), 128, np.uint8)
    real = mean + rng.integers(0, 9, mean.shape).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a_mean.JPG"), mean)
    cv2.imwrite(str(tmp_path / "a_real.JPG"), real)
    cv2.imwrite(str(tmp_path / "b_real.JPG"), real)  # its mean is missing
    return camera_noise(tmp_path)


def test_numbers_which_seed_the_noise_are_given_once():
    numbers = [s.number for s in EVERY] + [number for number, _ in CAMERA_LEVELS]
    assert len(set(numbers)) == len(numbers)
    names = [s.name for s in EVERY if s != DARK]
    assert len(set(names)) == len(names)


def test_no_held_out_family_is_trained_on():
    """Not by the defaults and not by the recipe of the embedded model."""
    augment = load_recipe("robust").augment
    trained = {*FAMILIES, *KINDS, *augment.families, *augment.kinds}
    assert trained.isdisjoint({"defocus", "low_contrast", "dark_shot"})
    assert trained.isdisjoint(setting.kind for setting in HELD_OUT)
    assert trained <= set(CORRUPTIONS)


@pytest.mark.parametrize("setting", [*TRAINED, *HELD_OUT, *MIXTURES], ids=lambda s: s.name)
def test_a_setting_changes_the_face_and_repeats(face, setting):
    once, again = (corrupt(face, setting, 0, 5) for _ in range(2))
    assert (once.shape, once.dtype) == ((48, 48), np.uint8)
    np.testing.assert_array_equal(once, again)
    assert np.abs(once.astype(int) - face).mean() > 1


def test_camera_noise_is_a_piece_of_the_difference(face, camera):
    assert len(camera.differences) == 1
    once, four = (camera(face, strength, np.random.default_rng(1)) for strength in (1, 4))
    weak, strong = (np.abs(x.astype(int) - face).mean() for x in (once, four))
    assert 0.5 < weak < 9
    assert 3 * weak < strong < 5 * weak


def test_camera_noise_is_left_out_where_its_pictures_are_missing(tmp_path):
    assert camera_noise(tmp_path) is None
    assert held_out(None) == tuple(HELD_OUT)
    assert [s.kind for s in groups(tmp_path)["held out"]] == [s.kind for s in HELD_OUT]


def test_a_chain_applies_its_parts_in_order(face):
    chain = Chain((("darken", 0.25), ("gaussian", 0.1)))
    dark = CORRUPTIONS["darken"](face, 0.25, np.random.default_rng(0))
    expected = CORRUPTIONS["gaussian"](dark, 0.1, np.random.default_rng(0))
    np.testing.assert_array_equal(chain(face, 0, np.random.default_rng(0)), expected)


def test_the_peer_is_named_as_the_settings_are():
    assert set(PEER) <= {s.name for s in EVERY}


@pytest.mark.parametrize("n", [1, 8, 21])
def test_right_answers_survive_packing(n):
    right = np.random.default_rng(n).random(n) < 0.5
    np.testing.assert_array_equal(unpack(pack(right), n), right)
