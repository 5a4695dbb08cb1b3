"""Tables of the heatmaps' quality, with notes how to read them."""

from collections.abc import Mapping
from typing import Any

from train.cam_faithfulness import INFIDELITY_SIGMA, SENSITIVITY_SIGMA
from train.cam_quality_report import WAYS, better
from train.cam_sanity import ALL, STAGES, UNRELATED
from train.tables import Table, figure, percent

NETWORK_WANTED = "not available from ONNX"


def cam_quality_tables(figures: Mapping[str, Any]) -> list[Table]:
    """Tables of what `train.cam_quality_report.cam_quality_figures` returns."""
    tables = [_areas_table(figures), _against_table(figures), _map_table(figures)]
    if figures["randomised"] is not None:
        tables.append(_randomised_table(figures["randomised"]))
    return tables


def _areas_table(figures: Mapping[str, Any]) -> Table:
    rows = [
        (name.replace("_", " "), *(figure(found[way]["area"]) for way in WAYS))
        for name, found in figures["rankings"].items()
    ]
    return Table(
        f"Deletion and insertion, {figures['images']:,} images",
        ("pixels in the order of", "deletion (less is better)", "insertion (more is better)"),
        tuple(rows),
        "Area under the calibrated probability of the class predicted on the whole crop, over the "
        f"share of pixels replaced or put back, in {len(figures['shares']) - 1} steps (RISE). "
        f"Replaced by a copy blurred with a sigma of {figures['blur_share']:.3f} of the side; on "
        f"the copy alone the probability is {percent(figures['probability_blurred'])} %, on the "
        f"whole crop {percent(figures['probability'])} %. The mean face of a kind is the mean of "
        "its maps over these images, each one's own among them; random: one value a cell.",
    )


def _against_table(figures: Mapping[str, Any]) -> Table:
    rows = []
    for name, controls in figures["against"].items():
        for control, found in controls.items():
            cells = (_with_interval(found[way], "difference") for way in WAYS)
            verdict = "yes" if better({control: found}) else "no"
            rows.append((f"{name} - {control.replace('_', ' ')}", *cells, verdict))
    return Table(
        "Heatmaps against maps that know nothing of the image",
        ("map - control", "deletion (below 0 is better)", "insertion (above 0)", "better"),
        tuple(rows),
        "Mean of map - control over the same images and its 95 % bootstrap interval; better: both "
        "intervals are clear of zero, to the good side. 24 intervals: choose on PublicTest, "
        "report PrivateTest.",
    )


def _with_interval(found: Mapping[str, Any], key: str) -> str:
    low, high = found[f"{key}_95"]
    return f"{figure(found[key])} ({figure(low)} to {figure(high)})"


def _map_table(figures: Mapping[str, Any]) -> Table:
    """Response, and what is only known with the network in PyTorch."""
    faithful, rows = figures["faithfulness"], []
    for name, found in figures["response"].items():
        network = [NETWORK_WANTED] * 2
        if faithful is not None:
            own = faithful["maps"][name]
            network = [percent(own["infidelity_share"]), figure(own["sensitivity_max"])]
        distance = f"{figure(found['ssim'])} / {figure(found['cosine'])}"
        rows.append((name, distance, percent(found["both_alive"]), *network))
    return Table(
        "Response to the class, infidelity and sensitivity",
        ("map", "response", "both alive %", "infidelity %", "sensitivity"),
        tuple(rows),
        "Response: 1 - SSIM / cosine distance between the maps of the predicted class and of the "
        "runner-up, over the images where neither is dead (constant); more says more of the class, "
        "and less than the drift under noise says that noise moves a map more than another class. "
        f"Infidelity: under Gaussian noise of sigma {INFIDELITY_SIGMA:g}, of the logit's mean "
        "square change the share that the best multiple of the map leaves; 100 % is a map of "
        "zeros, and less is better. Sensitivity: the largest change of the map under noise of "
        f"sigma {SENSITIVITY_SIGMA:g}, as a share of its norm; less is better, but a dead map "
        "has 0.",
    )


def _randomised_table(found: Mapping[str, Any]) -> Table:
    rows = []
    for name, own in found["maps"].items():
        stages = own["stages"]
        cells = (
            f"{figure(s['rank'], 2)} / {figure(s['ssim'], 2)} / {percent(s['alive'])}"
            for s in stages.values()
        )
        over = _with_interval(own, "over_unrelated")
        rows.append((name, *cells, over, "yes" if own["survives"] else "no"))
    return Table(
        f"Random weights, from the head down; {found['images']:,} images",
        ("map", *STAGES, UNRELATED, f"{ALL} - {UNRELATED}", "survives"),
        tuple(rows),
        "Rank correlation / SSIM of the map with the trained network's, both 0 where one is dead / "
        "% where neither is. Each stage's weights are random along with those before it; with the "
        f"{ALL}'s all are. Unrelated: the trained network's maps of two images. A map survives, "
        f"and is disqualified, if no part of the interval of {ALL} - {UNRELATED} is below 0: it is "
        "then as like itself with all weights random as the maps of any two images are.",
    )
