"""What `train.robustness` measured, as figures for JSON and as tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.records import CAM_NAMES
from train.data import CLASSES
from train.metrics import (
    PAPER,
    accuracy_interval,
    chance_drift,
    drift,
    mcnemar,
    pack,
    paired_difference,
    robustness_auc,
)
from train.robustness import Outcome

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


def path_figures(outcomes: Sequence[Outcome], labels: I64, copies: Bools) -> dict[str, Any]:
    """Figures of one path (estimated or oracle) on one split.

    Args:
        outcomes: clean first, then the nine settings.
        labels: int64 (N,).
        copies: bool (N,), images that the training split holds too.

    Returns:
        "settings": a row for each; "kinds": RA, DC and robustness AUC of each kind of noise.
    """
    rows = [_setting_figures(outcome, outcomes[0], labels, copies) for outcome in outcomes]
    kinds = {
        kind: _kind_figures(rows[0], [row for row in rows if row["kind"] == kind]) for kind in PAPER
    }
    return {"settings": rows, "kinds": kinds}


def _setting_figures(
    outcome: Outcome, clean: Outcome, labels: I64, copies: Bools
) -> dict[str, Any]:
    setting, right = outcome.setting, outcome.predicted == labels
    row: dict[str, Any] = {
        "name": setting.name,
        "kind": setting.kind,
        "level": setting.level,
        "accuracy": float(right.mean()),
        "accuracy_95": accuracy_interval(right),
        "accuracy_without_leaked": float(right[~copies].mean()) if not copies.all() else None,
        "kind_right": float(np.mean([kind == setting.kind for kind in outcome.kinds])),
        "eta_mean": float(outcome.eta.mean()),
        "right": pack(right),
        "dc": {},
    }
    for number, name in enumerate(CAM_NAMES):
        if outcome is clean:
            row["dc"][name] = {"ssim": 0.0, "cosine": 0.0}
            continue
        moved = drift(clean.cams[:, number], outcome.cams[:, number])
        row["dc"][name] = dict(
            zip(("ssim", "cosine"), (float(d.mean()) for d in moved), strict=True)
        )
    return row


def _kind_figures(clean: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over a kind's levels, and the areas over them."""
    levels = [0.0, *(row["level"] for row in rows)]
    every = [clean, *rows]
    held = {
        name: robustness_auc(levels, [r["accuracy"] * (1 - r["dc"][name]["ssim"]) for r in every])
        for name in CAM_NAMES
    }
    return {
        "ra": float(np.mean([row["accuracy"] for row in rows])),
        "dc": {
            name: {
                way: float(np.mean([row["dc"][name][way] for row in rows]))
                for way in ("ssim", "cosine")
            }
            for name in CAM_NAMES
        },
        "auc_accuracy": robustness_auc(levels, [row["accuracy"] for row in every]),
        "auc_accuracy_consistency": held,
    }


def split_figures(
    estimated: Sequence[Outcome],
    oracle: Sequence[Outcome],
    labels: I64,
    copies: Bools,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """All figures of a split but its SNR: both paths, their difference, and DC by chance.

    Args:
        estimated: outcomes with the kind of noise estimated, clean first.
        oracle: outcomes with the true kind, clean first.
        labels: int64 (N,).
        copies: bool (N,), images that the training split holds too.
        rng: pairs unrelated images, and resamples.
    """
    paths = {
        "estimated": path_figures(estimated, labels, copies),
        "oracle": path_figures(oracle, labels, copies),
    }
    for row, ours, truth in zip(paths["oracle"]["settings"], estimated, oracle, strict=True):
        a, b = truth.predicted == labels, ours.predicted == labels
        row["gain_over_estimated"], *row["gain_95"] = paired_difference(a, b, rng)
        row["mcnemar_p"] = mcnemar(a, b)
    cams = estimated[0].cams
    chance: dict[str, dict[str, dict[str, float]]] = {}
    for number, name in enumerate(CAM_NAMES if len(labels) > 1 else ()):
        found = chance_drift(cams[:, number], rng)
        chance[name] = {
            key: {"ssim": float(ssim.mean()), "cosine": float(cosine.mean())}
            for key, (ssim, cosine) in found.items()
        }
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(confusion, (labels, estimated[0].predicted), 1)
    sizes = {"images": len(labels), "leaked": int(copies.sum()), "map_px": list(cams.shape[2:])}
    return sizes | paths | {"dc_chance": chance, "confusion": confusion.tolist()}
