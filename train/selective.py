"""Selective prediction: how right a model is where it is confident, and what staying silent costs.

The area under the risk-coverage curve is AURC in the literature on selective prediction. It is not
the paper's "AURC", which is an area over the noise level and here called robustness AUC
(`train.metrics.robustness_auc`).

Source: Geifman & El-Yaniv 2017, "Selective classification for deep neural networks" (risk and
    coverage); Geifman, Uziel, El-Yaniv 2019, "Bias-reduced uncertainty estimation for deep neural
    classifiers" (AURC and excess-AURC).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap  # type: ignore[import-untyped]

from fervid.records import F32

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

COVERAGE = 0.8
RISKS = (0.1, 0.2)
RESAMPLES = 500
ROUNDING = 1e-12  # of a coverage


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """What a threshold on confidence can do: point k answers all that are as confident as it.

    Predictions of equal confidence are answered together, so there is a point for each distinct
    value, from the highest confidence down.

    Attributes:
        threshold: float64 (D,), falling; answered is what reaches it.
        answered: int64 (D,), how many that are, up to N.
        wrong: int64 (D,), how many of them are wrong.
    """

    threshold: F64
    answered: I64
    wrong: I64

    @property
    def coverage(self) -> F64:
        """Share of the predictions that is answered, float64 (D,), up to 1."""
        return np.asarray(self.answered / self.answered[-1], np.float64)

    @property
    def risk(self) -> F64:
        """Share of the answers that is wrong, float64 (D,)."""
        return np.asarray(self.wrong / self.answered, np.float64)


def risk_coverage(confidence: F32, right: Bools) -> RiskCoverage:
    """The risk-coverage curve.

    Args:
        confidence: float32 (N,), probability of the predicted class; N at least 1.
        right: bool (N,), whether it is right.
    """
    order = np.argsort(-confidence, kind="stable")
    values = confidence[order].astype(np.float64)
    last = np.flatnonzero(np.append(np.diff(values) != 0, True))  # of each distinct value
    wrong = np.cumsum(~right[order])[last]
    return RiskCoverage(values[last], last.astype(np.int64) + 1, wrong.astype(np.int64))


def aurc(curve: RiskCoverage) -> float:
    """Mean risk over the coverages 1/N, 2/N, ... 1.

    Among equals the order is left to chance, whose mean is a steady rise of the wrong ones; so a
    confidence that never varies has its error rate.
    """
    n = np.arange(1, curve.answered[-1] + 1)
    wrong = np.interp(n, np.append(0, curve.answered), np.append(0, curve.wrong))
    return float((wrong / n).mean())


def least_aurc(n: int, wrong: int) -> float:
    """AURC of the best order of n predictions: all right ones first, then the wrong ones."""
    k = np.arange(1, n + 1)
    return float((np.maximum(k - (n - wrong), 0) / k).mean())


def threshold_for(curve: RiskCoverage, coverage: float) -> float:
    """The highest threshold that answers at least this share of the predictions.

    Answered is what reaches it: as `uncertain_below` of a card, it leaves out what lies below.
    """
    return float(curve.threshold[place_of(curve, coverage)])


def place_of(curve: RiskCoverage, coverage: float) -> int:
    """The first point of a curve that answers at least this share of the predictions."""
    return int(np.searchsorted(curve.coverage, coverage - ROUNDING))


def at_threshold(curve: RiskCoverage, threshold: float) -> tuple[float, float | None]:
    """Coverage, and accuracy of the answers (None where there are none), of a threshold."""
    reached = np.flatnonzero(curve.threshold >= threshold)
    if not len(reached):
        return 0.0, None
    return float(curve.coverage[reached[-1]]), float(1 - curve.risk[reached[-1]])


def coverage_at(curve: RiskCoverage, risk: float) -> float:
    """The largest coverage at which the share of wrong answers is no more than `risk`, 0-1."""
    within = np.flatnonzero(curve.risk <= risk)
    return float(curve.coverage[within[-1]]) if len(within) else 0.0


def selective_summary(confidence: F32, right: Bools) -> dict[str, float]:
    """The measures of one set of predictions, (N,) each, that have an interval."""
    curve = risk_coverage(confidence, right)
    area, n = aurc(curve), len(right)
    return {
        "accuracy": float(right.mean()),
        "aurc": area,
        "excess_aurc": area - least_aurc(n, int((~right).sum())),
        "accuracy_at_coverage": float(1 - curve.risk[place_of(curve, COVERAGE)]),
        "threshold": threshold_for(curve, COVERAGE),
        **{f"coverage_at_risk_{risk:g}": coverage_at(curve, risk) for risk in RISKS},
    }


def selective_intervals(
    confidence: F32, right: Bools, rng: np.random.Generator, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float]]:
    """95 % interval of each measure of `selective_summary`.

    Images are resampled, each with all its settings, because those are not independent.

    Args:
        confidence: float32 (S, N), of S settings of the same N images, N at least 2.
        right: bool (S, N).
        rng: draws the images.
        resamples: how many times.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife" (percentile method).
    """

    def measures(chosen: I64) -> F64:
        found = selective_summary(confidence[:, chosen].ravel(), right[:, chosen].ravel())
        return np.array(list(found.values()))

    def statistic(chosen: I64, axis: int) -> F64:
        return np.moveaxis(np.apply_along_axis(measures, axis, chosen), axis, 0)

    interval = bootstrap(
        (np.arange(confidence.shape[1]),),
        statistic,
        vectorized=True,
        n_resamples=resamples,
        batch=64,
        method="percentile",
        rng=rng,
    ).confidence_interval
    names = selective_summary(confidence.ravel(), right.ravel())
    return {
        name: (float(low), float(high))
        for name, low, high in zip(names, interval.low, interval.high, strict=True)
    }
