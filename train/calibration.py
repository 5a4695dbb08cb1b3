"""How honest confidences are: calibration error, and the temperature that mends it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import ndtr  # type: ignore[import-untyped]
from scipy.stats import bootstrap  # type: ignore[import-untyped]

from fervid.records import F32

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS = 15


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Expected calibration error, 0-1.

    Attributes:
        plain: the mean over bins of |accuracy - confidence|, which is above 0 by chance alone.
        debiased: the same without most of that.
        chance: what `plain` would be on average if the confidences were exactly true.
    """

    plain: float
    debiased: float
    chance: float


def calibration_error(confidence: F32, right: Bools, bins: int = BINS) -> CalibrationError:
    """Compare confidence with accuracy, in bins that hold equally many predictions.

    With m_b the mean gap of a bin and s_b the standard error of its accuracy, the debiased value
    is 2 sum_b w_b |m_b| - sum_b w_b E|N(m_b, s_b)|. About .6 of the chance level stays when a
    model is perfectly calibrated; the bias vanishes where gaps are well above s_b.

    Args:
        confidence: float32 (N,), probability of the predicted class, 0-1.
        right: bool (N,), whether it was right.
        bins: number of bins.

    Raises:
        ValueError: there are fewer predictions than bins.

    Source: Kumar, Liang, Ma 2019, "Verified uncertainty calibration", section 5 and appendix; the
        expectation over resampled accuracies is that of a folded normal, written out.
    """
    if len(confidence) < bins:
        raise ValueError(f"confidence: expected at least {bins} predictions, got {len(confidence)}")
    order = np.argsort(confidence, kind="stable")
    edges = np.linspace(0, len(order), bins + 1).round().astype(np.intp)
    count = np.diff(edges).astype(np.float64)
    c = confidence[order].astype(np.float64)
    believed = np.add.reduceat(c, edges[:-1]) / count
    accuracy = np.add.reduceat(right[order].astype(np.float64), edges[:-1]) / count
    spread = np.add.reduceat(c * (1 - c), edges[:-1]) / count
    gap, error = accuracy - believed, np.sqrt(accuracy * (1 - accuracy) / count)
    share = count / len(order)
    plain = float(share @ np.abs(gap))
    expected = float(share @ _folded_mean(gap, error))
    chance = float(share @ np.sqrt(2 / np.pi * spread / count))
    return CalibrationError(plain, max(0.0, 2 * plain - expected), chance)


def _folded_mean(mean: F64, std: F64) -> F64:
    """E|N(mean, std)|, elementwise; std may be 0."""
    z = np.abs(mean) / np.maximum(std, 1e-12)
    tail = std * np.sqrt(2 / np.pi) * np.exp(-0.5 * np.square(z))
    return np.asarray(tail + np.abs(mean) * (1 - 2 * ndtr(-z)), np.float64)


def calibration_interval(
    confidence: F32, right: Bools, rng: np.random.Generator, resamples: int = 200
) -> tuple[float, float]:
    """95 % interval of the debiased calibration error, pooled over settings.

    Images are resampled, each with all its settings, because those are not independent; the basic
    (reversed) interval takes out the bias that resampling adds to an error that cannot be negative.

    Args:
        confidence: float32 (S, N), of S settings of the same N images.
        right: bool (S, N).
        rng: draws the images.
        resamples: how many times.

    Source: Efron & Tibshirani 1993, "An introduction to the bootstrap".
    """

    def statistic(chosen: NDArray[np.intp]) -> float:
        return calibration_error(confidence[:, chosen].ravel(), right[:, chosen].ravel()).debiased

    interval = bootstrap(
        (np.arange(confidence.shape[1]),),
        statistic,
        vectorized=False,
        n_resamples=resamples,
        method="basic",
        rng=rng,
    ).confidence_interval
    return max(0.0, float(interval.low)), float(interval.high)


def fit_temperature(logits: F32, labels: NDArray[np.int64], eta: F32, darkness: F32) -> F64:
    """Find (t0, t1, t2) of the temperature exp(t0 + t1 eta + t2 darkness).

    By the least log loss of "the most probable class is right", since its probability is what a
    label is trusted by. The likelihood of all seven classes asks for a lower temperature of a
    network that was taught by another one's doubts, and leaves confidences too high.

    Args:
        logits: float32 (N, K).
        labels: int64 (N,).
        eta: float32 (N,), noise left in each crop, 0-1.
        darkness: float32 (N,), 0-1.

    Returns:
        float64 (3,); a condition that does not vary keeps its 0.

    Source: Guo et al. 2017, "On calibration of modern neural networks" (temperature scaling), with
        a temperature that depends on the conditions; Gupta & Ramdas 2022, "Top-label calibration
        and multiclass-to-binary reductions".
    """
    conditions = np.stack([np.ones(len(eta)), eta, darkness], 1).astype(np.float64)  # (N, 3)
    rows = np.arange(len(labels))
    raw = logits.astype(np.float64)
    raw = raw - raw.max(1, keepdims=True)  # the most probable class has 0
    right = raw[rows, labels] == 0

    def loss(t: F64) -> tuple[float, F64]:
        z = raw / np.exp(conditions @ t)[:, None]
        weight = np.exp(z)
        total = weight.sum(1)
        rest = np.maximum(total - 1, 1e-12)  # of the other classes
        losses = np.log(total) - np.where(right, 0, np.log(rest))
        falls = -(weight * z).sum(1)  # d total / d ln temperature, (N,)
        slope = falls / total - np.where(right, 0, falls / rest)
        return float(losses.mean()), slope @ conditions / len(rows)

    free = [(-3.0, 3.0)] + [(-10.0, 10.0) if np.ptp(x) > 0 else (0, 0) for x in (eta, darkness)]
    found = minimize(loss, np.zeros(3), jac=True, method="L-BFGS-B", bounds=free)
    return np.asarray(found.x, np.float64)


def mean_nll(probabilities: F32, labels: NDArray[np.int64]) -> float:
    """Mean negative log likelihood of the true classes, from float32 (N, K) and int64 (N,)."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())
