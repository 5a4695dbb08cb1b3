"""Calibration of a model pooled over noise settings: its own temperature, and one fitted anew."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax  # type: ignore[import-untyped]

from fervid.records import F32
from train.calibration import (
    calibration_error,
    calibration_interval,
    fit_temperature,
    mean_nll,
)
from train.robustness import Outcome
from train.tables import Table, figure, percent

I64 = NDArray[np.int64]
Pool = tuple[Sequence[Outcome], I64]  # outcomes of the same N pictures, and labels (N,)


def halves(pool: Pool) -> tuple[Pool, Pool]:
    """Every second picture, from the first and from the second on."""
    return _every_second(pool, 0), _every_second(pool, 1)


def _every_second(pool: Pool, first: int) -> Pool:
    outcomes, labels = pool
    part = slice(first, None, 2)
    cut = [
        Outcome(
            o.setting, o.logits[part], o.cams[part], o.eta[part], o.darkness[part], o.kinds[part]
        )
        for o in outcomes
    ]
    return cut, labels[part]


def stacked(pool: Pool) -> tuple[F32, I64, F32, F32]:
    """Logits (S N, K), labels, eta and darkness (S N,) of S settings, one after the other."""
    outcomes, labels = pool
    logits, eta, dark = (
        np.concatenate([getattr(o, name) for o in outcomes])
        for name in ("logits", "eta", "darkness")
    )
    return logits, np.tile(labels, len(outcomes)), eta, dark


def calibrated(pool: Pool, temperature: tuple[float, float, float]) -> tuple[F32, I64]:
    """Probabilities (S N, K) of a pool under a temperature (t0, t1, t2), and labels (S N,)."""
    logits, labels, eta, dark = stacked(pool)
    t0, t1, t2 = temperature
    scaled = logits / np.exp(t0 + t1 * eta + t2 * dark)[:, None]
    return np.asarray(softmax(scaled, axis=1), np.float32), labels


def fitted_temperature(pool: Pool) -> tuple[float, float, float]:
    """The temperature that fits a pool best."""
    logits, labels, eta, dark = stacked(pool)
    t0, t1, t2 = fit_temperature(logits, labels, eta, dark)
    return float(t0), float(t1), float(t2)


def calibration_figures(
    pool: Pool, temperature: tuple[float, float, float], rng: np.random.Generator
) -> dict[str, Any]:
    """Calibration error with interval, and NLL, of a pool under a temperature.

    Args:
        pool: S settings of N pictures.
        temperature: (t0, t1, t2).
        rng: resamples the pictures.
    """
    p, labels = calibrated(pool, temperature)
    confidence, right = p.max(1), p.argmax(1) == labels
    shape = (len(pool[0]), len(pool[1]))  # (S, N)
    low, high = calibration_interval(confidence.reshape(shape), right.reshape(shape), rng)
    return {
        "predictions": len(labels),
        "temperature": list(temperature),
        "ece": asdict(calibration_error(confidence, right)),
        "ece_debiased_95": [low, high],
        "nll": mean_nll(p, labels),
        "accuracy": float(right.mean()),
        "confidence": float(confidence.mean()),
    }


def calibration_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """One row for each pool and temperature."""
    rows = []
    for row in found:
        low, high = row["ece_debiased_95"]
        rows.append(
            (
                row["pool"],
                row["whose"],
                ", ".join(figure(t, 2) for t in row["temperature"]),
                f"{row['predictions']:,}",
                figure(row["ece"]["debiased"]),
                f"{figure(low)} - {figure(high)}",
                figure(row["ece"]["plain"]),
                figure(row["ece"]["chance"]),
                figure(row["nll"]),
                percent(row["accuracy"]),
                percent(row["confidence"]),
            )
        )
    return Table(
        "Calibration, pooled over clean and the nine settings",
        (
            "pictures",
            "temperature",
            "t0, t1, t2",
            "predictions",
            "ECE debiased",
            "95 %",
            "plain",
            "chance",
            "NLL",
            "accuracy %",
            "confidence %",
        ),
        tuple(rows),
        "ECE in 15 bins of equal count; chance: what a perfectly calibrated model would show as "
        "plain ECE. The fitted temperature is from the first half of PublicTest (every second "
        "image), clean, the nine settings and a quarter of the light.",
    )
