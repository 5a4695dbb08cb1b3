"""What `train.cam_quality`, `cam_sanity` and `cam_faithfulness` measured, as figures for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.records import CAM_NAMES
from train.cam_faithfulness import NOTHING
from train.cam_quality import BLUR_SHARE, CONTROLS, RANKINGS, Curves, Response
from train.cam_sanity import ALL, STAGES, UNRELATED, Likeness
from train.metrics import paired_difference

F64 = NDArray[np.float64]
WAYS = ("deletion", "insertion")


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured of the four maps; the last two are None where only ONNX was at hand.

    Attributes:
        curves: of `train.cam_quality.follow`.
        response: of `train.cam_quality.respond`.
        randomised: of `train.cam_sanity.randomise_weights`.
        faithful: of `train.cam_faithfulness.faithfulness`.
    """

    curves: Curves
    response: Mapping[str, Response]
    randomised: Mapping[str, Mapping[str, Likeness]] | None = None
    faithful: Mapping[str, Mapping[str, F64]] | None = None


def cam_quality_figures(measured: Measured, rng: np.random.Generator) -> dict[str, Any]:
    """All figures, for JSON.

    Args:
        measured: of the same model and images.
        rng: resamples the images.

    Returns:
        "rankings": of each map and control its mean areas and curves; "against": map -> control ->
        deletion and insertion, mean of (map - control) and its 95 % interval; "better_than_all":
        whether a map's intervals are all clear of zero to the good side; "response",
        "randomised" and "faithfulness", the last two None where they were not measured.
    """
    curves = measured.curves
    areas = {way: curves.areas(way) for way in WAYS}
    rankings = {
        name: {
            way: {
                "area": float(areas[way][name].mean()),
                "curve": getattr(curves, way)[name].mean(0, dtype=np.float64).tolist(),
            }
            for way in WAYS
        }
        for name in RANKINGS
    }
    against = {name: _against(areas, name, rng) for name in CAM_NAMES}
    randomised, faithful = measured.randomised, measured.faithful
    return {
        "images": len(areas["deletion"]["random"]),
        "shares": curves.shares.tolist(),
        "blur_share": BLUR_SHARE,
        "probability": rankings["random"]["deletion"]["curve"][0],
        "probability_blurred": rankings["random"]["deletion"]["curve"][-1],
        "rankings": rankings,
        "against": against,
        "better_than_all": {name: better(against[name]) for name in CAM_NAMES},
        "response": {name: _response(found) for name, found in measured.response.items()},
        "randomised": None if randomised is None else _randomised(randomised, rng),
        "faithfulness": None if faithful is None else _faithful(faithful),
    }


def _against(
    areas: Mapping[str, Mapping[str, F64]], name: str, rng: np.random.Generator
) -> dict[str, Any]:
    """One map against its controls."""
    found: dict[str, Any] = {}
    for control in CONTROLS:
        theirs = f"{control} {name}" if control == "mean_face" else control
        found[control] = {}
        for way in WAYS:
            mean, *interval = paired_difference(areas[way][name], areas[way][theirs], rng)
            found[control][way] = {"difference": mean, "difference_95": interval}
    return found


def better(against: Mapping[str, Any]) -> bool:
    """Whether all intervals against these controls are clear of zero, to the good side."""
    return all(
        found["deletion"]["difference_95"][1] < 0 < found["insertion"]["difference_95"][0]
        for found in against.values()
    )


def _response(found: Response) -> dict[str, float | None]:
    both = found.both
    return {
        "both_alive": float(both.mean()),
        "ssim": float(found.ssim[both].mean()) if both.any() else None,
        "cosine": float(found.cosine[both].mean()) if both.any() else None,
    }


def _randomised(
    found: Mapping[str, Mapping[str, Likeness]], rng: np.random.Generator
) -> dict[str, Any]:
    """Means by stage; a map survives that is nowhere in the interval below unrelated images."""
    maps: dict[str, Any] = {}
    for name in CAM_NAMES:
        gap, *interval = paired_difference(found[ALL][name].rank, found[UNRELATED][name].rank, rng)
        maps[name] = {
            "stages": {
                stage: {
                    "rank": float(found[stage][name].rank.mean()),
                    "ssim": float(found[stage][name].ssim.mean()),
                    "alive": float(found[stage][name].alive.mean()),
                }
                for stage in (*STAGES, UNRELATED)
            },
            "over_unrelated": gap,
            "over_unrelated_95": interval,
            "survives": interval[0] >= 0,
        }
    return {"images": len(found[ALL][CAM_NAMES[0]].rank), "maps": maps}


def _faithful(found: Mapping[str, Mapping[str, F64]]) -> dict[str, Any]:
    """Means; the infidelity also as a share of that of a map of zeros."""
    nothing = found[NOTHING]["infidelity"]
    maps = {
        name: {
            "infidelity": float(found[name]["infidelity"].mean()),
            "infidelity_share": float(found[name]["infidelity"].mean() / nothing.mean()),
            "sensitivity_max": float(found[name]["sensitivity_max"].mean()),
        }
        for name in CAM_NAMES
    }
    return {"images": len(nothing), "infidelity_nothing": float(nothing.mean()), "maps": maps}


def choose_map(figures: Mapping[str, Any], drift_by_name: Mapping[str, float]) -> str | None:
    """The map to show: of those that pass both tests, the one that drifts least under noise.

    A map passes that is better than all three controls in deletion and insertion, with intervals
    clear of zero, and does not survive random weights.

    Args:
        figures: of `cam_quality_figures`, weight randomisation among them.
        drift_by_name: map -> mean drift under noise (1 - SSIM).

    Returns:
        Its name; None where no map passes.

    Raises:
        ValueError: the weight randomisation was not measured.
    """
    if figures["randomised"] is None:
        raise ValueError("figures: expected weight randomisation, got none")
    passed = [
        name
        for name in CAM_NAMES
        if figures["better_than_all"][name] and not figures["randomised"]["maps"][name]["survives"]
    ]
    return min(passed, key=drift_by_name.__getitem__, default=None)
