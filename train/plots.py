"""The report's plots, from the results' files alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from train.bars import Results, noisy
from train.fault_report import PEER
from train.metrics import PAPER
from train.robustness_tables import SHOWN_CAM

KINDS = {
    "gaussian": "Gaussian, sigma",
    "salt_pepper": "salt-and-pepper, density",
    "speckle": "speckle, variance",
}
OURS, BASE, OTHER, THEIRS = "#0b6e4f", "#b5651d", "#777777", "#3b5b92"
DPI = 110


def plots(results: Results, folder: Path) -> list[Path]:
    """Draw what there is; returns the files."""
    made = []
    for name, draw in DRAWN.items():
        figure = draw(results)
        if figure is not None:
            path = folder / f"{name}.png"
            figure.savefig(path, dpi=DPI, metadata={"Software": ""})
            plt.close(figure)
            made.append(path)
    return made


def _by_level(results: Results, ylabel: str) -> tuple[Any, Sequence[Axes]]:
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
    for ax, title in zip(axes, KINDS.values(), strict=True):
        ax.set_title(title, fontsize=10)
        ax.grid(alpha=0.25)
    axes[0].set_ylabel(ylabel)
    return figure, axes


def _levels(rows: Mapping[str, Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [rows["clean"], *(row for row in rows.values() if row["kind"] == kind)]


def accuracy(results: Results) -> Any:
    """Accuracy over the level of each noise: ours, the baseline, the peer, the paper."""
    ours = noisy(results, "evaluate")
    if ours is None:
        return None
    figure, axes = _by_level(results, "accuracy, %")
    lines = {"fervid": (ours, OURS), "clean-trained baseline": (noisy(results, "baseline"), BASE)}
    for ax, kind in zip(axes, KINDS, strict=True):
        for label, (rows, colour) in lines.items():
            if rows is not None:
                some = _levels(rows, kind)
                x, y = [r["level"] for r in some], [100 * r["accuracy"] for r in some]
                ax.plot(x, y, "o-", color=colour, label=label, ms=4)
        names = [row["name"] for row in _levels(ours, kind)]
        x = [row["level"] for row in _levels(ours, kind)]
        ax.plot(x, [100 * PEER[n] for n in names], "s--", color=OTHER, label="fer 25.10.3", ms=3)
        for value, label, style in zip(
            PAPER[kind]["ra"], ("paper's baseline", "paper's proposed"), (":", "-."), strict=True
        ):
            ax.axhline(100 * value, color=THEIRS, ls=style, lw=1, label=f"{label} (its data)")
    axes[0].legend(fontsize=7, loc="lower left")
    axes[0].set_ylim(0, 100)
    return figure


def drift(results: Results) -> Any:
    """DC over the level of each noise, with what unrelated images would give."""
    ours = noisy(results, "evaluate")
    if ours is None:
        return None
    figure, axes = _by_level(results, f"DC of {SHOWN_CAM}, 1 - SSIM")
    chance = results["evaluate"]["splits"]["private"]["dc_chance"][SHOWN_CAM]
    lines = {"fervid": (ours, OURS), "clean-trained baseline": (noisy(results, "baseline"), BASE)}
    for ax, kind in zip(axes, KINDS, strict=True):
        for label, (rows, colour) in lines.items():
            if rows is not None:
                some = _levels(rows, kind)
                y = [r["dc"][SHOWN_CAM]["ssim"] for r in some]
                ax.plot([r["level"] for r in some], y, "o-", color=colour, label=label, ms=4)
        ax.axhline(chance["unrelated"]["ssim"], color=OTHER, ls="--", lw=1, label="unrelated faces")
        ax.axhline(chance["mean_map"]["ssim"], color=OTHER, ls=":", lw=1, label="the mean map")
    axes[0].legend(fontsize=7, loc="upper left")
    axes[0].set_ylim(0, None)
    return figure


def faults(results: Results) -> Any:
    """Accuracy under the faults of poor video, ours beside the baseline's and the peer's."""
    if "faults" not in results:
        return None
    rows = results["faults"]["splits"]["private"]["settings"]
    base = results.get("baseline-faults")
    figure, ax = plt.subplots(figsize=(10, 4.2), layout="constrained")
    x = np.arange(len(rows))
    ax.bar(x - 0.27, [100 * r["accuracy"] for r in rows], 0.27, color=OURS, label="fervid")
    if base is not None:
        known = {r["name"]: r["accuracy"] for r in base["splits"]["private"]["settings"]}
        y = [100 * known.get(r["name"], np.nan) for r in rows]
        ax.bar(x, y, 0.27, color=BASE, label="clean-trained baseline")
    peer = [100 * PEER.get(r["name"], np.nan) for r in rows]
    ax.bar(x + 0.27, peer, 0.27, color=OTHER, label="fer 25.10.3")
    ax.set_xticks(x, [r["name"] for r in rows], rotation=55, ha="right", fontsize=8)
    for label, row in zip(ax.get_xticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row["group"] == "held out" else "normal")
    ax.set_ylabel("accuracy, %")
    ax.set_title("bold: held out from all training and tuning", fontsize=9)
    ax.grid(alpha=0.25, axis="y")
    ax.margins(y=0.2)  # room for the legend
    ax.legend(fontsize=8, loc="upper right", ncols=3)
    return figure


def risk(results: Results) -> Any:
    """Share of wrong answers among those given, most confident first."""
    found = results.get("evaluate", {}).get("selective")
    if not found:
        return None
    figure, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
    for row in found:
        curve = row["curve"]
        x, y = 100 * np.array(curve["coverage"]), 100 * np.array(curve["risk"])
        ax.plot(x, y, lw=2 if row["condition"] == "pooled" else 1, label=row["condition"])
    ax.set_xlabel("faces answered, most confident first, %")
    ax.set_ylabel("wrong among them, %")
    ax.set_xlim(0, 100)
    ax.set_ylim(0, None)
    ax.grid(alpha=0.25)
    ax.legend(fontsize=8)
    return figure


DRAWN = {"accuracy": accuracy, "drift": drift, "faults": faults, "risk-coverage": risk}
