"""The filters against independent computations, and the choice among them."""

import numpy as np
import pytest
import skimage.data
from numpy.lib.stride_tricks import sliding_window_view

from fervid.corruptions import gaussian, jpeg, salt_pepper
from fervid.errors import ConfigError
from fervid.filters import (
    BLOCKED,
    FILTERS,
    PAPER_CHOICE,
    choose_filter,
    filter_table,
    get_filter,
)
from fervid.records import NOISE_KINDS, Noise


@pytest.fixture(scope="module")
def camera():
    return skimage.data.camera()[100:228, 150:278].copy()


def rng(seed=0):
    return np.random.default_rng(seed)


def rms(a, b):
    return np.sqrt(np.mean((a.astype(float) - b) ** 2)) / 255


def windows(image, size, mode):
    """All neighbourhoods, (H, W, size, size)."""
    return sliding_window_view(np.pad(image, size // 2, mode=mode), (size, size))


def blur_by_hand(image, size, sigma):
    t = np.arange(size) - size // 2
    kernel = np.exp(-(t**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    return np.einsum("hwij,i,j->hw", windows(image, size, "reflect"), kernel, kernel)


def bilateral_by_hand(image, size, sigma_colour, sigma_space):
    around = windows(image.astype(float), size, "reflect")
    t = np.arange(size) - size // 2
    distance2 = t[:, None] ** 2 + t**2
    weight = np.exp(-((around - image[..., None, None]) ** 2) / (2 * sigma_colour**2))
    weight = weight * np.exp(-distance2 / (2 * sigma_space**2))
    weight = weight * (distance2 <= (size // 2) ** 2)  # OpenCV's window is a disc
    return (around * weight).sum((2, 3)) / weight.sum((2, 3))


@pytest.mark.parametrize("family", FILTERS)
@pytest.mark.parametrize("name", FILTERS["tuned"])
@pytest.mark.parametrize("shape", [(48, 48), (33, 50, 3)])
def test_every_set_has_every_filter_and_keeps_shape_and_type(family, name, shape):
    image = rng(2).integers(0, 256, shape, np.uint8)
    before = image.copy()
    out = get_filter(name, family)(image, 0.1)
    assert (out.shape, out.dtype) == (shape, np.uint8)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("family", FILTERS)
@pytest.mark.parametrize("name", FILTERS["tuned"])
def test_a_constant_picture_stays(family, name):
    image = np.full((20, 30), 77, np.uint8)
    np.testing.assert_array_equal(get_filter(name, family)(image, 0.2), image)


@pytest.mark.parametrize(("family", "size"), [("paper-table1", 3), ("paper-table3", 5)])
def test_gaussian_of_the_paper(family, size, camera):
    found = get_filter("gaussian", family)(camera, 0.0)
    assert np.abs(found - blur_by_hand(camera, size, 1.0)).max() <= 1


@pytest.mark.parametrize(("level", "sigma"), [(0.05, 0.5), (0.1, 0.7), (0.3, 1.2), (0.9, 1.2)])
def test_gaussian_by_level_takes_its_width_from_the_level(level, sigma, camera):
    found = get_filter("gaussian")(camera, level)
    assert np.abs(found - blur_by_hand(camera, 5, sigma)).max() <= 1


@pytest.mark.parametrize("family", ["paper-table1", "paper-table3"])
def test_median_of_the_paper(family, camera):
    expected = np.median(windows(camera, 3, "edge"), axis=(2, 3))
    np.testing.assert_array_equal(get_filter("median", family)(camera, 0.05), expected)


@pytest.mark.parametrize(("family", "size"), [("paper-table1", 5), ("paper-table3", 9)])
def test_bilateral_of_the_paper(family, size, camera):
    noisy = gaussian(camera[:40, :40], 0.1, rng())
    found = get_filter("bilateral", family)(noisy, 0.0)
    assert np.abs(found - bilateral_by_hand(noisy, size, 75, 75)).max() <= 1.5


def test_bilateral_by_level_takes_its_colour_width_from_the_level(camera):
    noisy = gaussian(camera[:40, :40], 0.1, rng())
    found = get_filter("bilateral")(noisy, 0.1)
    assert np.abs(found - bilateral_by_hand(noisy, 9, 90, 1.0)).max() <= 1.5


def test_impulse_median_leaves_a_clean_picture_nearly_untouched(camera):
    found = get_filter("median")(camera, 0.05)
    assert (found != camera).mean() < 0.001
    assert rms(found, camera) < 0.003


def test_impulse_median_removes_impulses_and_keeps_the_rest(camera):
    noisy = salt_pepper(camera, 0.05, rng())
    found = get_filter("median")(noisy, 0.05)
    assert rms(found, camera) < 0.3 * rms(noisy, camera)
    assert rms(found, camera) < rms(get_filter("median", "paper-table1")(noisy, 0.05), camera)
    ordinary = (noisy > 2) & (noisy < 253)
    np.testing.assert_array_equal(found[ordinary], noisy[ordinary])


@pytest.mark.parametrize(("name", "sigma"), [("gaussian", 0.1), ("bilateral", 0.1)])
@pytest.mark.parametrize("family", FILTERS)
def test_filters_bring_a_noisy_picture_closer(name, sigma, family, camera):
    noisy = gaussian(camera, sigma, rng())
    assert rms(get_filter(name, family)(noisy, sigma), camera) < rms(noisy, camera)


def test_none_returns_the_picture(camera):
    assert get_filter("none")(camera, 0.3) is camera


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_the_choice_follows_the_kind(kind):
    noise = Noise(kind, np.zeros(3, np.float32), 0.0, np.zeros(3, np.float32))
    assert choose_filter(noise) == PAPER_CHOICE[kind]
    assert choose_filter(noise, dict.fromkeys(NOISE_KINDS, "median")) == "median"


def seen(kind, blocking):
    quality = np.array([blocking, 0.9, 0.9], np.float32)
    return Noise(kind, np.zeros(3, np.float32), 0.0, quality)


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_blocks_are_smoothed_where_there_is_no_noise_to_filter(kind):
    expected = "deblock" if kind == "clean" else PAPER_CHOICE[kind]
    assert choose_filter(seen(kind, BLOCKED)) == expected
    assert choose_filter(seen(kind, BLOCKED - 0.01)) == PAPER_CHOICE[kind]


def test_the_papers_sets_know_no_remedy_and_the_card_may_refuse_it():
    blocked = seen("clean", 1.0)
    assert choose_filter(blocked, filter_table({})) == "deblock"
    assert choose_filter(blocked, filter_table({"clean": "none"})) == "deblock"
    assert choose_filter(blocked, filter_table({}, "paper-table3")) == "none"
    assert choose_filter(blocked, filter_table({"blocked": "none"})) == "none"
    assert choose_filter(blocked, filter_table({"blocked": "median"}, "paper-table1")) == "median"


def test_deblocking_smooths_blocks_and_keeps_edges(camera):
    coded = jpeg(camera, 10, rng())
    found = get_filter("deblock")(coded, 0.0)
    assert np.abs(found - bilateral_by_hand(coded, 5, 30, 1.5)).max() <= 1.5
    assert rms(found, camera) < rms(coded, camera)
    edge = np.repeat(np.array([[40, 200]], np.uint8), 12, 1).repeat(24, 0)
    np.testing.assert_allclose(get_filter("deblock")(edge, 0.0), edge, atol=1)


@pytest.mark.parametrize(("name", "family"), [("blur", "tuned"), ("median", "table9")])
def test_an_unknown_filter_is_refused_by_name(name, family):
    with pytest.raises(ConfigError, match=f"{name}.*{family}") as caught:
        get_filter(name, family)
    assert caught.value.key == "filter"
