"""The corruptions: shapes, seeds, and the definitions that the published figures were made with."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.corruptions import CORRUPTIONS, PAPER_LEVELS, motion_blur

LEVELS = {
    "gaussian": 0.1,
    "salt_pepper": 0.05,
    "speckle": 0.06,
    "jpeg": 10,
    "low_resolution": 16,
    "pixelate": 16,
    "motion_blur": 5,
    "defocus": 2.0,
    "darken": 0.25,
    "dark_shot": 0.1,
    "low_contrast": 0.3,
}


@pytest.fixture(scope="module")
def face():
    """A smooth picture with an edge, 48x48."""
    y, x = np.mgrid[:48, :48]
    picture = 120 + 60 * np.sin(x / 9) + 40 * np.cos(y / 7) + 25 * (x > y)
    return picture.astype(np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


def to8(x):
    return np.round(np.clip(x, 0, 1) * 255).astype(np.uint8)


def rms(noisy, clean):
    return np.sqrt(np.mean((noisy.astype(float) - clean) ** 2)) / 255


def test_every_corruption_is_tested():
    assert set(LEVELS) == set(CORRUPTIONS)
    assert set(PAPER_LEVELS) <= set(CORRUPTIONS)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(48, 48), (30, 61), (40, 56, 3)])
def test_keeps_shape_and_type_and_leaves_its_input_alone(name, shape):
    image = rng(5).integers(0, 256, shape, np.uint8)
    before = image.copy()
    out = CORRUPTIONS[name](image, LEVELS[name], rng())
    assert (out.shape, out.dtype) == (shape, np.uint8)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_picture(name, face):
    first = CORRUPTIONS[name](face, LEVELS[name], rng(3))
    np.testing.assert_array_equal(first, CORRUPTIONS[name](face, LEVELS[name], rng(3)))


@pytest.mark.parametrize("name", ["gaussian", "salt_pepper", "speckle", "dark_shot"])
def test_another_seed_gives_another_picture(name, face):
    other = CORRUPTIONS[name](face, LEVELS[name], rng(4))
    assert (CORRUPTIONS[name](face, LEVELS[name], rng(3)) != other).any()


@pytest.mark.parametrize("name", ["gaussian", "speckle"])
def test_noise_of_colour_pictures_differs_between_channels(name):
    out = CORRUPTIONS[name](np.full((64, 64, 3), 128, np.uint8), LEVELS[name], rng())
    b, g = out[..., 0].ravel().astype(float), out[..., 1].ravel().astype(float)
    assert abs(np.corrcoef(b, g)[0, 1]) < 0.1


def expected_rms(name, level, grey):
    """RMS on a constant grey (0-1) after clipping, by numerical integration."""
    if name == "salt_pepper":
        return np.sqrt(level / 2 * (grey**2 + (1 - grey) ** 2))
    sd = level if name == "gaussian" else grey * np.sqrt(level)
    z = np.linspace(-8, 8, 20001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    error = np.clip(grey + sd * z, 0, 1) - grey
    return np.sqrt((error**2 * density).sum() * (z[1] - z[0]))


@pytest.mark.parametrize(("name", "level"), [(k, v) for k, vs in PAPER_LEVELS.items() for v in vs])
@pytest.mark.parametrize("grey", [60, 128, 230])
def test_rms_is_what_the_formula_says(name, level, grey):
    clean = np.full((400, 400), grey, np.uint8)
    noisy = CORRUPTIONS[name](clean, level, rng())
    # 160,000 pixels: a relative deviation of 3 % is over four standard errors at 2 % density.
    assert rms(noisy, clean) == pytest.approx(expected_rms(name, level, grey / 255), rel=0.03)


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(sorted(PAPER_LEVELS)),
    level=st.floats(0.01, 0.1),
    seed=st.integers(0, 2**32 - 1),
)
def test_more_level_means_more_noise(name, level, seed):
    clean = np.full((64, 64), 100, np.uint8)
    weak = CORRUPTIONS[name](clean, level, rng(seed))
    strong = CORRUPTIONS[name](clean, 2 * level, rng(seed))
    assert rms(weak, clean) <= rms(strong, clean)


@pytest.mark.parametrize("name", PAPER_LEVELS)
def test_level_zero_changes_nothing(name, face):
    np.testing.assert_array_equal(CORRUPTIONS[name](face, 0, rng()), face)


# What the peers' published figures were made with, restated.


@pytest.mark.parametrize("sigma", PAPER_LEVELS["gaussian"])
def test_gaussian_is_the_reference_for_the_same_draw(sigma, face):
    draw = rng(1).standard_normal(face.shape, np.float32)
    expected = to8(face / 255 + sigma * draw)
    found = CORRUPTIONS["gaussian"](face, sigma, rng(1))
    # float32 against float64: a value on the border between two grey levels may round otherwise
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found != expected).mean() < 0.002


@pytest.mark.parametrize("variance", PAPER_LEVELS["speckle"])
def test_speckle_is_the_reference_for_the_same_draw(variance, face):
    draw = rng(1).standard_normal(face.shape, np.float32)
    x = face / 255
    expected = to8(x + x * np.sqrt(variance) * draw)
    found = CORRUPTIONS["speckle"](face, variance, rng(1))
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found != expected).mean() < 0.002


@pytest.mark.parametrize("density", PAPER_LEVELS["salt_pepper"])
def test_salt_pepper_is_the_reference_for_the_same_draw(density, face):
    u = rng(1).random(face.shape, np.float32)
    x = face / 255
    expected = to8(np.where(u < density / 2, 0, np.where(u > 1 - density / 2, 1, x)))
    np.testing.assert_array_equal(CORRUPTIONS["salt_pepper"](face, density, rng(1)), expected)


def test_salt_and_pepper_are_half_each():
    out = CORRUPTIONS["salt_pepper"](np.full((500, 500), 128, np.uint8), 0.08, rng())
    assert (out == 0).mean() == pytest.approx(0.04, rel=0.05)
    assert (out == 255).mean() == pytest.approx(0.04, rel=0.05)


def test_jpeg_is_the_reference(face):
    coded = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 10])[1]
    expected = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(CORRUPTIONS["jpeg"](face, 10, rng()), expected)


def test_low_resolution_keeps_block_means(face):
    """Shrinking by area is the reference's; it enlarges by area too, we linearly."""
    small = face.reshape(24, 2, 24, 2).mean((1, 3))
    again = CORRUPTIONS["low_resolution"](face, 24, rng()).reshape(24, 2, 24, 2).mean((1, 3))
    assert np.abs(again - small).mean() < 2


def test_motion_blur_along_the_rows_is_the_reference(face):
    class NoTurn:
        def uniform(self, low, high):
            return 0.0

    kernel = np.zeros((5, 5), np.float32)
    kernel[2] = 1 / 5
    expected = cv2.filter2D(face, -1, kernel)
    found = motion_blur(face, 5, NoTurn())
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_blurs_keep_the_mean(face):
    for name in ("motion_blur", "defocus"):
        out = CORRUPTIONS[name](face, LEVELS[name], rng())
        assert out.mean() == pytest.approx(face.mean(), abs=2)
        assert out.std() < face.std()


def test_darken_and_shot_noise_are_the_reference(face):
    np.testing.assert_array_equal(
        CORRUPTIONS["darken"](face, 0.25, rng()), (face * 0.25).astype(np.uint8)
    )
    expected = np.clip(rng(1).poisson(face * 0.1 * 0.5) / 0.5, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(CORRUPTIONS["dark_shot"](face, 0.1, rng(1)), expected)


def test_low_contrast_is_the_reference_within_a_grey_level(face):
    expected = (face * 0.3 + 90).astype(np.uint8)
    found = CORRUPTIONS["low_contrast"](face, 0.3, rng())
    assert np.abs(found.astype(int) - expected).max() <= 1
