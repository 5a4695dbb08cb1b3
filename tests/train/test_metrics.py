"""The metrics against values by hand and against scikit-image, SciPy and torchmetrics."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cosine
from skimage.metrics import structural_similarity
from torchmetrics.functional.classification import binary_calibration_error

from train import metrics
from train.calibration import (
    calibration_error,
    calibration_interval,
    fit_temperature,
    mean_nll,
)
from train.ssim import ssim

MAPS = arrays(np.float32, (3, 4, 5), elements=st.floats(0, 10, width=32))


def maps(n=4, side=6, seed=0):
    return np.random.default_rng(seed).random((n, side, side)).astype(np.float32)


# --- DC ------------------------------------------------------------------------------------------


def test_a_map_of_112_px_is_compared_as_scikit_image_does():
    a, b = maps(2, 112, 1), maps(2, 112, 2)
    ssim, angle = metrics.drift(a, b)
    for i in range(2):
        x, y = ((m[i] - m[i].min()) / np.ptp(m[i]) for m in (a, b))
        want = structural_similarity(x, y, win_size=7, data_range=1.0, use_sample_covariance=False)
        assert ssim[i] == pytest.approx(1 - want, abs=1e-5)
        assert angle[i] == pytest.approx(cosine(x.ravel(), y.ravel()), abs=1e-5)


@pytest.mark.parametrize("side", [6, 14, 112])
def test_ssim_is_torchmetrics(side):
    """Its windows that lie whole inside the map, with the same window and constants."""
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    raw = [np.concatenate([maps(3, side, n), maps(2, side, 9) ** (n + 3)]) for n in (1, 2)]
    raw[0][0] = 0.7  # says nothing
    a, b = (metrics.scaled_maps(x)[0] for x in raw)
    _, full = structural_similarity_index_measure(
        *(torch.from_numpy(x)[:, None] for x in (a, b)),
        gaussian_kernel=False,
        kernel_size=7,
        data_range=1.0,
        reduction="none",
        return_full_image=True,
    )
    want = full[:, 0, 3:-3, 3:-3].mean((1, 2)).numpy()
    np.testing.assert_allclose(ssim(a, b), want, atol=1e-4)
    moved, _ = metrics.drift(*raw)
    np.testing.assert_allclose(moved[1:], 1 - want[1:], atol=1e-4)
    assert moved[0] == 1


def test_scaling_comes_before_resizing():
    scaled, alive = metrics.scaled_maps(np.array([[[1, 3], [1, 1]]], np.float32))
    assert alive.all()
    assert scaled.shape == (1, 112, 112)
    assert scaled[0, 0, -1] == 1
    assert scaled[0, 0, 0] == scaled[0, -1, -1] == 0


def test_the_same_map_has_dc_0_whatever_its_scale():
    a = maps()
    for moved in metrics.drift(a, 7 * a + 3):
        np.testing.assert_allclose(moved, 0, atol=1e-5)


@pytest.mark.parametrize("dead", [0.0, 0.7, np.nan, np.inf])
def test_a_map_that_says_nothing_has_dc_1(dead):
    a = maps(2)
    b = a.copy()
    b[1] = dead
    for x, y in ((a, b), (b, a), (b, b)):
        for moved in metrics.drift(x, y):
            assert moved[0] == pytest.approx(0, abs=1e-5)
            assert moved[1] == 1


def test_one_nan_cell_is_enough():
    b = maps(2)
    b[1, 2, 2] = np.nan
    assert metrics.drift(maps(2), b)[0][1] == 1


def test_no_maps_at_all_have_no_dc():
    assert [len(part) for part in metrics.drift(maps(0), maps(0))] == [0, 0]


@settings(max_examples=12, deadline=None)
@given(MAPS, MAPS)
def test_dc_stays_in_its_range_and_is_symmetric(a, b):
    ssim, angle = metrics.drift(a, b)
    assert np.all((ssim >= -1e-5) & (ssim <= 2))
    assert np.all((angle >= 0) & (angle <= 1 + 1e-5))
    for one, other in zip((ssim, angle), metrics.drift(b, a), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_chance_pairs_no_image_with_itself():
    same = np.repeat(maps(1), 5, axis=0)
    same[:, 0, 0] = np.arange(5)  # all alike but one cell
    for moved in metrics.chance_drift(maps(12), np.random.default_rng(0)).values():
        assert moved[0].min() > 0.01
    for moved in metrics.chance_drift(same, np.random.default_rng(0)).values():
        assert moved[0].max() < 1


def test_the_mean_map_of_equal_images_is_that_image():
    found = metrics.chance_drift(np.repeat(maps(1), 3, axis=0), np.random.default_rng(0))
    np.testing.assert_allclose(found["mean_map"][0], 0, atol=1e-5)
    np.testing.assert_allclose(found["unrelated"][0], 0, atol=1e-5)


# --- accuracy ------------------------------------------------------------------------------------


def test_interval_of_an_accuracy_is_wilsons():
    # p = 8/10, z = 1.96: centre (p + z^2/20) / (1 + z^2/10), half-width from Wilson's formula.
    low, high = metrics.accuracy_interval(np.array([True] * 8 + [False] * 2))
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_mcnemar_counts_the_images_on_which_only_one_is_right():
    a = np.array([True] * 6 + [False] * 1 + [True] * 9)
    b = np.array([False] * 6 + [True] * 1 + [True] * 9)
    assert metrics.mcnemar(a, b) == pytest.approx(2 * (7 + 1) / 2**7)  # 6 against 1 by a coin
    assert metrics.mcnemar(a, a) == 1


def test_paired_difference_and_its_interval():
    rng = np.random.default_rng(0)
    a = rng.random(400) < 0.7
    b = a & (rng.random(400) < 0.8)
    mean, low, high = metrics.paired_difference(a, b, rng)
    assert mean == pytest.approx(a.mean() - b.mean())
    error = (a.astype(float) - b).std() / 20
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.01)
    assert metrics.paired_difference(a, a, rng) == (0, 0, 0)


# --- robustness AUC ------------------------------------------------------------------------------


def test_auc_is_exact_for_parabolas_at_uneven_levels():
    levels = (0.0, 0.02, 0.08)
    values = [1 - 3 * x + 5 * x**2 for x in levels]
    area = 0.08 - 3 * 0.08**2 / 2 + 5 * 0.08**3 / 3
    assert metrics.robustness_auc(levels, values) == pytest.approx(area / 0.08)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=5, unique=True), st.floats(0, 1))
def test_auc_of_a_constant_is_the_constant(levels, height):
    levels = [0.0, *np.cumsum(levels)]
    assert metrics.robustness_auc(levels, [height] * len(levels)) == pytest.approx(height)


@pytest.mark.parametrize("levels", [(0.1, 0.2), (0, 0.2, 0.1), (0, 0.1, 0.1)])
def test_auc_wants_levels_that_rise_from_0(levels):
    with pytest.raises(ValueError, match="rising from 0"):
        metrics.robustness_auc(levels, [1] * len(levels))


# --- SNR -----------------------------------------------------------------------------------------


def test_snr_by_hand():
    clean = np.full((1, 2, 1, 2), 3, np.float32)
    noisy = clean + np.array([0.3, -0.3], np.float32)
    assert metrics.snr_db(clean, noisy) == pytest.approx(20, abs=1e-4)
    assert metrics.snr_db(clean, clean) == np.inf


def test_centred_snr_ignores_what_all_images_share():
    rng = np.random.default_rng(0)
    clean = rng.standard_normal((5, 3, 4, 4)).astype(np.float32)
    clean -= clean.mean((0, 2, 3), keepdims=True)
    noisy = clean + 0.1 * rng.standard_normal(clean.shape).astype(np.float32)
    plain = metrics.snr_db(clean, noisy)
    np.testing.assert_allclose(metrics.snr_db(clean + 9, noisy + 9, centred=True), plain, atol=1e-2)
    assert (metrics.snr_db(clean + 9, noisy + 9) > plain + 10).all()


# --- calibration ---------------------------------------------------------------------------------


def predictions(n, bias=0.0, seed=0):
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.2, 0.9, n).astype(np.float32)
    return confidence, rng.random(n) < confidence + bias


def test_plain_ece_in_one_bin_is_the_gap():
    confidence = np.array([0.5, 0.7], np.float32)
    found = calibration_error(confidence, np.array([True, True]), bins=1)
    assert found.plain == pytest.approx(0.4)
    assert found.debiased == pytest.approx(0.4)  # no doubt about an accuracy of 1


def test_plain_ece_of_even_confidences_equals_torchmetrics():
    # Confidences in the middle of 10 bins, equally many each: equal count is equal width.
    import torch

    confidence = np.repeat(np.arange(0.05, 1, 0.1), 100).astype(np.float32)
    right = np.random.default_rng(0).random(1000) < 0.6
    want = binary_calibration_error(
        torch.from_numpy(confidence), torch.from_numpy(right.astype(int)), n_bins=10
    )
    assert calibration_error(confidence, right, 10).plain == pytest.approx(float(want), abs=1e-5)


def test_a_calibrated_model_shows_the_chance_level():
    found = [calibration_error(*predictions(3589, seed=seed)) for seed in range(40)]
    plain, chance = np.mean([f.plain for f in found]), np.mean([f.chance for f in found])
    assert plain == pytest.approx(chance, rel=0.1)
    assert 0.02 < chance < 0.03
    assert np.mean([f.debiased for f in found]) < 0.75 * plain


def test_debiasing_leaves_a_real_error_alone():
    found = [calibration_error(*predictions(3589, -0.1, seed)) for seed in range(20)]
    assert np.mean([f.debiased for f in found]) == pytest.approx(0.1, abs=0.01)


def test_ece_wants_a_prediction_for_each_bin():
    with pytest.raises(ValueError, match="at least 15"):
        calibration_error(*predictions(14))


def test_interval_holds_the_truth():
    confidence, right = predictions(2000, -0.1)
    rng = np.random.default_rng(0)
    low, high = calibration_interval(confidence[None], right[None], rng, resamples=100)
    assert low < 0.1 < high
    assert high - low < 0.08


def logits_at(temperature, n=20000, seed=0):
    """Logits that are exactly calibrated once divided by exp(t0 + t1 eta + t2 darkness)."""
    rng = np.random.default_rng(seed)
    eta, dark = (rng.uniform(0, top, n).astype(np.float32) for top in (0.3, 1.0))
    z = rng.standard_normal((n, 4)) * 2
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    labels = (p.cumsum(1) < rng.random((n, 1))).sum(1).clip(0, 3).astype(np.int64)
    t0, t1, t2 = temperature
    scale = np.exp(t0 + t1 * eta + t2 * dark)[:, None]
    return (z * scale).astype(np.float32), labels, eta, dark


def test_temperature_is_found_again():
    want = (0.4, 1.5, -0.5)
    np.testing.assert_allclose(fit_temperature(*logits_at(want, 100_000)), want, atol=0.15)


def test_a_condition_that_does_not_vary_is_left_at_0():
    logits, labels, eta, dark = logits_at((0.4, 0, 0))
    found = fit_temperature(logits, labels, np.zeros_like(eta), np.zeros_like(dark))
    assert found[0] == pytest.approx(0.4, abs=0.05)
    assert found[1] == found[2] == 0


def test_confidences_are_made_true_even_where_the_other_classes_are_not():
    """A network taught by soft answers: it evens out the classes that it rejects."""
    logits, labels, _, _ = logits_at((0.0, 0, 0), 50_000)
    order = np.argsort(-logits, 1)
    sorted_ = np.take_along_axis(logits, order, 1)
    rest = np.log(np.exp(sorted_[:, 1:]).sum(1, keepdims=True))  # keeps the first's probability
    evened = 0.3 * sorted_[:, 1:]
    evened += rest - np.log(np.exp(evened).sum(1, keepdims=True))
    bent = np.concatenate([sorted_[:, :1], evened], 1).astype(np.float32)
    nothing = np.zeros(len(labels), np.float32)
    places = (order == labels[:, None]).argmax(1)
    assert fit_temperature(bent, places, nothing, nothing)[0] == pytest.approx(0, abs=0.02)


def test_mean_nll_by_hand():
    p = np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)
    assert mean_nll(p, np.array([0, 0])) == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_figures_become_plain_json():
    tree = {"a": np.float32(0.123456789), "b": [np.int64(3), float("nan")], "c": (True, None, "x")}
    assert json.loads(json.dumps(metrics.rounded(tree), allow_nan=False)) == {
        "a": 0.12346,
        "b": [3, None],
        "c": [True, None, "x"],
    }
