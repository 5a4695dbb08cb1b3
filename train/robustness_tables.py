"""What `train.robustness_report` says of a split, as tables for people."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fervid.config import ExplainConfig
from fervid.records import CAM_NAMES
from train.data import CLASSES
from train.metrics import PAPER
from train.tables import Table, figure, percent

SHOWN_CAM = ExplainConfig().cam  # the one that fervid draws unless told otherwise
TITLES = {"public": "PublicTest", "private": "PrivateTest"}
NO_SNR = "not available from ONNX"
WEIGHTS_WANTED = "Put the weights it was made from beside it, or name them with --torch-model FILE."


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


def class_table(split: str, part: Mapping[str, Any]) -> Table:
    """Confusion matrix of the clean pictures, in per cent of each true class."""
    counts = np.array(part["confusion"])
    rows = []
    for name, row in zip(CLASSES, counts, strict=True):
        shares = row / max(1, int(row.sum()))
        rows.append((name, str(int(row.sum())), *map(percent, shares.tolist())))
    return Table(
        f"{TITLES[split]}: what clean faces of each class are taken for, %",
        ("true class", "faces", *CLASSES),
        tuple(rows),
        "The diagonal is the accuracy of each class.",
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
