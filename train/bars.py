"""What the model was meant to reach, beside what the results' files say it reached."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from train.ablation_report import BASELINE, PROPOSED, mean_of, measured
from train.fault_report import by_name
from train.metrics import PAPER
from train.robustness import NOISY
from train.robustness_tables import SHOWN_CAM
from train.tables import Table

Results = Mapping[str, Any]  # by the measurement's name: "evaluate", "baseline", "faults", ...
MIDDLE = {"gaussian": "gaussian 0.2", "salt_pepper": "salt_pepper 0.05", "speckle": "speckle 0.06"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure and what it should be; shares as percentage points.

    `value` is None where it is not measured; `least` says that larger is better.
    """

    what: str
    value: float | None
    must: float
    aim: float | None = None
    least: bool = False
    digits: int = 1

    def row(self) -> tuple[str, ...]:
        """For the table."""
        sign = ">=" if self.least else "<="
        aim = "-" if self.aim is None else f"{sign} {self.aim:g}"
        if self.value is None:
            return (self.what, "not measured", f"{sign} {self.must:g}", aim, "-")
        short = (self.must - self.value) * (1 if self.least else -1)
        said = "met" if short <= 0 else f"missed by {short:.{self.digits}f}"
        if self.aim is not None and (self.aim - self.value) * (1 if self.least else -1) <= 0:
            said = "aim met"
        return (self.what, f"{self.value:.{self.digits}f}", f"{sign} {self.must:g}", aim, said)


def bar_table(results: Results) -> Table:
    """Every bar that can be read from the results."""
    rows = tuple(bar.row() for bars in GROUPS for bar in bars(results))
    return Table(
        "Bars",
        ("PrivateTest, noise@48, through the shipped file", "measured", "must", "aim", ""),
        rows,
        "Points are percentage points. Of the same budget: the ablation's, a plain network trained "
        "clean and run without filters against noise, filters and adaptive norms, means over "
        "seeds. The clean-trained start is the network that the shipped one grew from, run with "
        "filters.",
    )


def noisy(results: Results, name: str) -> dict[str, Mapping[str, Any]] | None:
    """A model's rows on PrivateTest by setting; None where they are not measured."""
    if name not in results:
        return None
    return by_name(results[name]["splits"]["private"]["estimated"]["settings"])


def nine(rows: Mapping[str, Mapping[str, Any]]) -> float:
    """Mean accuracy over the nine settings."""
    return float(np.mean([row["accuracy"] for name, row in rows.items() if name != "clean"]))


def _accuracy(results: Results) -> Iterator[Bar]:
    ours, base = noisy(results, "evaluate"), noisy(results, "baseline")
    if ours is None:
        return
    clean = ours["clean"]["accuracy"]
    yield Bar("clean accuracy, %", 100 * clean, 68, 70, least=True)
    for name, must, aim in zip(MIDDLE.values(), (8, 5, 7), (6, 2, 4), strict=True):
        yield Bar(f"{name}: points below clean", 100 * (clean - ours[name]["accuracy"]), must, aim)
    for name in MIDDLE.values():
        gain = None if base is None else 100 * (ours[name]["accuracy"] - base[name]["accuracy"])
        yield Bar(f"{name}: points over the clean-trained start", gain, 12.7, 25, least=True)
    yield Bar("mean of the nine settings / clean", nine(ours) / clean, 0.9, 0.93, True, 3)
    lost = None if base is None else 100 * (base["clean"]["accuracy"] - clean)
    yield Bar("clean points lost to robustness", lost, 1, 0)


def _faults(results: Results) -> Iterator[Bar]:
    if "faults" not in results:
        return
    rows = by_name(results["faults"]["splits"]["private"]["settings"])
    wanted = {
        "jpeg 10": (8, 5),
        "half 24": (6, 4),
        "third 16": (15, 10),
        "motion 5": (8, 5),
        "darken 0.25": (2, 0.5),
        "defocus 2": (25, 15),
        "dark_shot 0.1": (30, 20),
        "contrast 0.3": (6, 2),
    }
    for name, (must, aim) in wanted.items():
        row = rows[name]
        yield Bar(f"{name} ({row['group']}): points below clean", 100 * row["lost"], must, aim)


def _frames(results: Results) -> Iterator[Bar]:
    small = noisy(results, "evaluate")
    if small is None:
        return
    known = results.get("frames", {"cells": ()})["cells"]
    cells = [c for c in known if c["face_px"] >= 96]
    for title, names in (("clean", {"clean"}), ("nine settings", {s.name for s in NOISY})):
        some = [c for c in cells if c["setting"] in names]
        found = [c for c in some if c["found"]]
        weights = [c["found"] * c["faces"] for c in found]
        lost = [c["accuracy_thumbnail"] - c["accuracy_found"] for c in found]
        points = 100 * float(np.average(lost, weights=weights)) if found else None
        yield Bar(f"in frame, faces found of 96 px and more, {title}: points lost", points, 3, 1)
        lost = [small[c["setting"]]["accuracy"] - c["accuracy"] for c in some]
        points = 100 * float(np.mean(lost)) if some else None
        what = f"in frame, all of 96 px and more, one not found being wrong, {title}: points lost"
        yield Bar(what, points, 3, 1)


def _maps(results: Results) -> Iterator[Bar]:
    ours, base = noisy(results, "evaluate"), noisy(results, "baseline")
    if ours is None:
        return
    for kind, must in zip(PAPER, (0.13, 0.13, 0.12), strict=True):
        moved = ours[MIDDLE[kind]]["dc"][SHOWN_CAM]["ssim"]
        yield Bar(f"{MIDDLE[kind]}: DC of {SHOWN_CAM}", moved, must, 0.08, digits=3)
        before = None if base is None else base[MIDDLE[kind]]["dc"][SHOWN_CAM]["ssim"] - moved
        yield Bar(
            f"{MIDDLE[kind]}: DC below the clean-trained start's", before, 0.14, None, True, 3
        )
    better = None
    if "maps" in results:
        better = float(results["maps"]["splits"]["private"]["better_than_all"][SHOWN_CAM])
    yield Bar(f"{SHOWN_CAM} beats mean face, blob, random (1: yes)", better, 1, 1, True)


def _same_budget(results: Results) -> Iterator[Bar]:
    parts = [measured(results.get("ablation", {}), arm, "private") for arm in (BASELINE, PROPOSED)]
    if not all(parts):
        return

    def gain(figure: str, kind: str = "") -> float:
        before, after = (mean_of(part, figure, kind) for part in parts)
        return after - before

    for name in MIDDLE.values():
        what = f"same budget, {name}: points over the baseline"
        yield Bar(what, 100 * gain("accuracy", name), 12.7, 25, least=True)
    for name in MIDDLE.values():
        what = f"same budget, {name}: Grad-CAM's DC below the baseline's"
        yield Bar(what, -gain("dc", name), 0.14, None, True, 3)
    for figure, said in (("snr", "plain"), ("snr_centred", "centred")):
        what = f"same budget, SNR of layer4, {said}: dB over the baseline"
        yield Bar(what, gain(figure), 4.5, 8, True)


def _calibration(results: Results) -> Iterator[Bar]:
    for row in results.get("evaluate", {}).get("calibration", ()):
        if row["pool"] == "PrivateTest" and row["whose"] == "card":
            value = row["ece"]["debiased"]
            yield Bar("debiased ECE, pooled noisy and clean", value, 0.03, 0.015, digits=3)
        if row["pool"] == "PrivateTest, clean" and row["whose"] == "card":
            value = row["ece"]["debiased"]
            yield Bar("debiased ECE, clean", value, 0.03, 0.015, digits=3)


GROUPS: tuple[Callable[[Results], Iterator[Bar]], ...] = (
    _accuracy,
    _faults,
    _frames,
    _maps,
    _same_budget,
    _calibration,
)
