"""Selective prediction by condition, as figures for JSON and as a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from train.calibration_report import Pool, calibrated
from train.selective import (
    COVERAGE,
    RISKS,
    at_threshold,
    place_of,
    risk_coverage,
    selective_intervals,
    selective_summary,
)
from train.tables import Table, figure, percent

POINTS = 20  # of a curve in the figures
NOTE = (
    "By calibrated confidence, most confident first. AURC: mean risk (share of wrong answers) over "
    "all coverages, less is better; it is not the paper's AURC, here called robustness AUC. "
    "Excess-AURC: what is above the best order of the same right and wrong answers. In brackets "
    "95 % bootstrap intervals over images, each with all its settings. Coverage at a risk: the "
    "largest share that can be answered with no more wrong answers than that. A kind's levels are "
    "taken together; pooled: all conditions."
)


def conditions(pool: Pool) -> dict[str, Pool]:
    """A pool by kind of noise, each kind's levels together, and "pooled", all of it."""
    outcomes, labels = pool
    kinds = dict.fromkeys(outcome.setting.kind for outcome in outcomes)
    parts: dict[str, Pool] = {
        kind: ([o for o in outcomes if o.setting.kind == kind], labels) for kind in kinds
    }
    return parts | {"pooled": pool}


def selective_figures(
    pool: Pool,
    temperature: tuple[float, float, float],
    threshold: float,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Figures of each condition of a pool, for JSON.

    Args:
        pool: S settings of N pictures, N at least 2.
        temperature: (t0, t1, t2), which makes the confidences.
        threshold: confidence below which a label is called uncertain, such as the card's
            `uncertain_below`; what it does here is told beside the threshold that COVERAGE needs.
        rng: resamples the pictures.
    """
    return [
        {"condition": name} | _condition(part, temperature, threshold, rng)
        for name, part in conditions(pool).items()
    ]


def _condition(
    pool: Pool,
    temperature: tuple[float, float, float],
    threshold: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    p, labels = calibrated(pool, temperature)
    confidence, right = p.max(1), np.asarray(p.argmax(1) == labels)
    shape = (len(pool[0]), len(pool[1]))  # (S, N)
    intervals = selective_intervals(confidence.reshape(shape), right.reshape(shape), rng)
    curve = risk_coverage(confidence, right)
    covered, accuracy = at_threshold(curve, threshold)
    places = [place_of(curve, share) for share in np.linspace(0, 1, POINTS + 1)[1:]]
    return {
        "predictions": len(labels),
        **selective_summary(confidence, right),
        **{f"{name}_95": list(interval) for name, interval in intervals.items()},
        "given": {"threshold": threshold, "coverage": covered, "accuracy": accuracy},
        "curve": {
            "coverage": curve.coverage[places].tolist(),
            "risk": curve.risk[places].tolist(),
        },
    }


def selective_table(title: str, found: Sequence[Mapping[str, Any]]) -> Table:
    """One row for each condition, from `selective_figures`."""
    risks = [f"coverage_at_risk_{risk:g}" for risk in RISKS]
    head = (
        "condition",
        "accuracy %",
        "AURC",
        "excess-AURC",
        f"accuracy at {COVERAGE:.0%} %",
        "threshold for it",
        *(f"coverage at risk {risk:.0%} %" for risk in RISKS),
        "coverage / accuracy at the given threshold %",
    )
    rows = []
    for row in found:
        given = row["given"]
        rows.append(
            (
                row["condition"],
                percent(row["accuracy"]),
                *(_with_interval(row, name, figure) for name in ("aurc", "excess_aurc")),
                _with_interval(row, "accuracy_at_coverage", percent),
                _with_interval(row, "threshold", figure),
                *(_with_interval(row, name, percent) for name in risks),
                f"{percent(given['coverage'])} / {percent(given['accuracy'])}",
            )
        )
    given = f" The given threshold is {figure(found[0]['given']['threshold'])}." if found else ""
    return Table(title, head, tuple(rows), NOTE + given)


def _with_interval(row: Mapping[str, Any], name: str, said: Callable[[float | None], str]) -> str:
    low, high = row[f"{name}_95"]
    return f"{said(row[name])} ({said(low)} to {said(high)})"
