"""Selective prediction against values worked out by hand."""

import itertools
import json

import numpy as np
import pytest

from train.metrics import rounded
from train.robustness import NOISY, SETTINGS, Outcome
from train.selective import (
    at_threshold,
    aurc,
    coverage_at,
    least_aurc,
    risk_coverage,
    selective_intervals,
    selective_summary,
    threshold_for,
)
from train.selective_report import conditions, selective_figures, selective_table


def curve_of(confidence, right):
    return risk_coverage(np.array(confidence, np.float32), np.array(right, np.bool_))


FALLING = np.linspace(0.95, 0.05, 10)


def test_a_perfect_order_has_the_least_area():
    right = [True] * 7 + [False] * 3
    area = aurc(curve_of(FALLING, right))
    assert area == pytest.approx((1 / 8 + 2 / 9 + 3 / 10) / 10)
    assert area == least_aurc(10, 3)
    summary = selective_summary(FALLING.astype(np.float32), np.array(right))
    assert summary["excess_aurc"] == 0
    assert summary["accuracy_at_coverage"] == pytest.approx(7 / 8)


def test_the_worst_order_by_hand():
    area = aurc(curve_of(FALLING[:4], [False, False, True, True]))
    assert area == pytest.approx((1 + 1 + 2 / 3 + 2 / 4) / 4)


def test_always_right_and_always_wrong():
    assert aurc(curve_of(FALLING, [True] * 10)) == least_aurc(10, 0) == 0
    assert aurc(curve_of(FALLING, [False] * 10)) == least_aurc(10, 10) == 1


def test_a_confidence_that_never_varies_has_its_error_rate():
    curve = curve_of([0.5] * 10, [True, False] * 5)
    assert aurc(curve) == pytest.approx(0.5)
    np.testing.assert_array_equal(curve.coverage, [1])
    assert threshold_for(curve, 0.8) == 0.5


def test_equal_confidences_count_as_the_mean_over_their_orders():
    confidence, right = [0.9, 0.6, 0.6, 0.6, 0.2], [False, True, False, True, True]
    orders = [
        aurc(curve_of(FALLING[:5], [right[0], *middle, right[4]]))
        for middle in itertools.permutations(right[1:4])
    ]
    assert aurc(curve_of(confidence, right)) == pytest.approx(np.mean(orders))


def test_the_order_of_the_images_does_not_matter():
    rng = np.random.default_rng(0)
    confidence = rng.integers(0, 6, 40).astype(np.float32) / 6
    right = rng.random(40) < 0.6
    other = rng.permutation(40)
    assert selective_summary(confidence, right) == selective_summary(
        confidence[other], right[other]
    )


def test_a_threshold_answers_what_reaches_it():
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0], np.float32)
    curve = risk_coverage(confidence, np.arange(10) != 3)
    threshold = threshold_for(curve, 0.8)
    assert threshold == confidence[7]
    assert at_threshold(curve, threshold) == (0.8, pytest.approx(7 / 8))
    assert (confidence >= threshold).mean() == 0.8
    assert threshold_for(curve, 0.71) == confidence[7]  # at least that much is answered
    assert at_threshold(curve, 0.65) == (pytest.approx(0.3), 1)
    assert at_threshold(curve, 0.95) == (0, None)
    assert at_threshold(curve, 0.0) == (1, pytest.approx(0.9))


def test_coverage_at_a_risk_is_the_largest():
    """The risk rises above the limit and falls under it again."""
    curve = curve_of(FALLING, [True, False, True, True, True, True, True, True, False, False])
    assert curve.risk[1] == 0.5
    assert coverage_at(curve, 0.2) == 0.8
    assert coverage_at(curve, 0.3) == 1
    assert coverage_at(curve_of(FALLING, [False] + [True] * 9), 0.05) == 0


def test_intervals_resample_images_with_all_their_settings():
    """The same setting twice tells nothing new, so it may not narrow an interval."""
    rng = np.random.default_rng(3)
    confidence = rng.random((1, 60)).astype(np.float32)
    right = rng.random((1, 60)) < confidence
    once = selective_intervals(confidence, right, np.random.default_rng(0), 100)
    twice = selective_intervals(
        np.repeat(confidence, 2, 0), np.repeat(right, 2, 0), np.random.default_rng(0), 100
    )
    assert once["accuracy"] == pytest.approx(twice["accuracy"])
    summary = selective_summary(confidence[0], right[0])
    assert set(once) == set(summary)
    for name, (low, high) in once.items():
        assert low <= summary[name] <= high, name
    assert once["aurc"][0] < once["aurc"][1]


@pytest.fixture
def pool():
    """Forty pictures; noise turns every fourth prediction wrong and unsure."""
    labels = np.arange(40) % 7
    outcomes = []
    for setting in (SETTINGS[0], NOISY[0], NOISY[1], NOISY[3]):
        logits = np.zeros((40, 7), np.float32)
        logits[np.arange(40), labels] = np.linspace(3, 6, 40)
        if setting.kind != "clean":
            logits[::4] = 0
            logits[np.arange(0, 40, 4), (labels[::4] + 1) % 7] = 1
        zeros = np.zeros(40, np.float32)
        cams = np.zeros((40, 4, 2, 2), np.float32)
        outcomes.append(Outcome(setting, logits, cams, zeros, zeros, (setting.kind,) * 40))
    return outcomes, labels


def test_conditions_are_the_kinds_and_all_of_it(pool):
    found = conditions(pool)
    assert {name: len(part[0]) for name, part in found.items()} == {
        "clean": 1,
        "gaussian": 2,
        "salt_pepper": 1,
        "pooled": 4,
    }


def test_figures_by_condition(pool):
    rows = selective_figures(pool, (0.0, 0.0, 0.0), 0.5, np.random.default_rng(0))
    assert rows == selective_figures(pool, (0.0, 0.0, 0.0), 0.5, np.random.default_rng(0))
    clean, gaussian, _, pooled = rows
    assert (clean["accuracy"], clean["aurc"], clean["accuracy_at_coverage"]) == (1, 0, 1)
    assert (gaussian["predictions"], gaussian["accuracy"]) == (80, 0.75)
    assert gaussian["given"] == {"threshold": 0.5, "coverage": 0.75, "accuracy": 1}
    assert gaussian["excess_aurc"] == pytest.approx(0, abs=1e-12)  # unsure where wrong
    assert pooled["accuracy"] == pytest.approx(1 - 30 / 160)
    assert pooled["curve"]["coverage"][-1] == 1
    assert pooled["curve"]["risk"][-1] == pytest.approx(30 / 160)
    json.dumps(rounded(rows), allow_nan=False)


def test_confidence_is_that_of_the_temperature(pool):
    sharp = selective_figures(pool, (0.0, 0.0, 0.0), 0.5, np.random.default_rng(0))[0]
    soft = selective_figures(pool, (1.0, 0.0, 0.0), 0.5, np.random.default_rng(0))[0]
    assert soft["threshold"] < sharp["threshold"]


def test_table_says_how_to_read_it(pool):
    rows = selective_figures(pool, (0.0, 0.0, 0.0), 0.5, np.random.default_rng(0))
    table = selective_table("Selective prediction", rows)
    assert [row[0] for row in table.rows] == ["clean", "gaussian", "salt_pepper", "pooled"]
    assert {len(row) for row in table.rows} == {len(table.head)}
    assert table.rows[1][-1] == "75.0 / 100.0"
    assert "not the paper's AURC" in table.note
    assert "0.500" in table.note
