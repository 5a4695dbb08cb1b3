"""What `train.robustness` measured, as figures for JSON and as tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.config import ExplainConfig
from fervid.records import CAM_NAMES
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
from train.tables import Table, figure, percent

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHOWN_CAM = ExplainConfig().cam  # the one that fervid draws unless told otherwise
TITLES = {"public": "PublicTest", "private": "PrivateTest"}
NO_SNR = "not available from ONNX"
WEIGHTS_WANTED = "Put the weights it was made from beside it, or name them with --torch-model FILE."


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
    sizes = {"images": len(labels), "leaked": int(copies.sum()), "map_px": list(cams.shape[2:])}
    return sizes | paths | {"dc_chance": chance}


def accuracy_table(split: str, part: Mapping[str, Any]) -> Table:
    """RA of every setting: estimated kind and oracle kind, with and without leaked images."""
    rows = []
    for ours, truth in zip(part["estimated"]["settings"], part["oracle"]["settings"], strict=True):
        low, high = ours["accuracy_95"]
        rows.append(
            (
                ours["name"],
                percent(ours["accuracy"]),
                f"{percent(low)} - {percent(high)}",
                percent(ours["accuracy_without_leaked"]),
                percent(ours["kind_right"]),
                figure(ours["eta_mean"]),
                percent(truth["accuracy"]),
                percent(truth["accuracy_without_leaked"]),
                figure(truth["mcnemar_p"]),
            )
        )
    return Table(
        f"{TITLES[split]}: accuracy under noise (RA), {part['images']:,} images",
        (
            "noise@48",
            "RA %",
            "95 %",
            "w/o leaked %",
            "kind right %",
            "eta",
            "oracle RA %",
            "oracle w/o leaked %",
            "McNemar p",
        ),
        tuple(rows),
        f"{part['leaked']} of the images are pixel-identical to a training image (leaked). "
        "RA: noise estimated; oracle: true kind and level.",
    )


def drift_table(split: str, part: Mapping[str, Any]) -> Table:
    """DC of the four heatmaps by setting, with the two levels of chance."""
    rows = [
        (row["name"], *(_pair(row["dc"][name]) for name in CAM_NAMES))
        for row in part["estimated"]["settings"]
        if row["kind"] != "clean"
    ]
    if part["dc_chance"]:
        for key, title in (("unrelated", "unrelated images"), ("mean_map", "against the mean map")):
            rows.append((title, *(_pair(part["dc_chance"][name][key]) for name in CAM_NAMES)))
    h, w = part["map_px"]
    return Table(
        f"{TITLES[split]}: drift of the heatmaps (DC)",
        ("noise@48", *CAM_NAMES),
        tuple(rows),
        f"1 - SSIM / cosine distance, class predicted on the clean image; maps of {h}x{w} cells, "
        "so compare with maps of that size only. A constant heatmap would have drift 0 if it did "
        "not count as 1; the last two rows say what no relation at all gives.",
    )


def _pair(values: Mapping[str, float]) -> str:
    return f"{figure(values['ssim'])} / {figure(values['cosine'])}"


def snr_table(split: str, part: Mapping[str, Any]) -> Table:
    """SNR of layer3 and layer4, plain and centred."""
    title = f"{TITLES[split]}: SNR of the features, dB"
    if part["snr"] is None:
        return Table(title, ("SNR",), ((NO_SNR,),), WEIGHTS_WANTED)
    names = ("layer3", "layer3_centred", "layer4", "layer4_centred")
    rows = [
        (setting, *(figure(values[name], 1) for name in names))
        for setting, values in part["snr"]["settings"].items()
    ]
    note = (
        f"Mean over {part['snr']['images']} images, estimated kind; features of "
        f"{part['snr']['features_of']}. Plain is the paper's formula; "
        "centred leaves out each channel's mean, which is positive after the ReLU and says nothing."
    )
    return Table(title, ("noise@48", *(n.replace("_", ", ") for n in names)), tuple(rows), note)


def kinds_table(split: str, part: Mapping[str, Any]) -> Table:
    """RA, DC, robustness AUC and SNR by kind, beside the paper's figures."""
    rows = []
    for kind, theirs in PAPER.items():
        ours = part["estimated"]["kinds"][kind]
        rows.append(
            (
                kind,
                f"{percent(ours['ra'])} ({_arrow(theirs['ra'], 1, 100)})",
                f"{figure(ours['dc'][SHOWN_CAM]['ssim'])} ({_arrow(theirs['dc'], 2)})",
                figure(ours["auc_accuracy"]),
                f"{figure(ours['auc_accuracy_consistency'][SHOWN_CAM])}"
                f" ({_arrow(theirs['auc'], 2)})",
                f"{_mean_snr(part['snr'], kind)} ({_arrow(theirs['snr'], 1)})",
            )
        )
    return Table(
        f"{TITLES[split]}: by kind of noise, and the paper's baseline -> proposed in brackets",
        ("kind", "RA %", "DC", "AUC of RA", "AUC of RA (1 - DC)", "SNR layer4, dB"),
        tuple(rows),
        f"Means over three levels. DC: 1 - SSIM of {SHOWN_CAM}. AUC: robustness AUC (the paper's "
        "AURC), Simpson's rule over the level from 0 on, divided by the range. The paper's figures "
        "are from other maps and another preprocessing: a reference, not a bar.",
    )


def _arrow(pair: tuple[float, float], digits: int, factor: float = 1) -> str:
    return " -> ".join(f"{factor * value:.{digits}f}" for value in pair)


def _mean_snr(snr: Mapping[str, Any] | None, kind: str) -> str:
    if snr is None:
        return NO_SNR
    values = [v["layer4"] for name, v in snr["settings"].items() if name.startswith(kind)]
    return figure(float(np.mean(values)), 1)
