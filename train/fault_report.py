"""A model on the faults of poor video: trained families, held-out ones, mixtures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend
from fervid.records import CAM_NAMES
from train.data import Split, leaked
from train.faults import MIXTURES, TRAINED, camera_noise, held_out
from train.metrics import accuracy_interval, drift, pack, paired_difference
from train.robustness import CLEAN, Outcome, Plan, Setting, measure
from train.robustness_tables import SHOWN_CAM, TITLES
from train.tables import Table, figure, percent
from train.telling import Tell

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# The package `fer` 25.10.3 on all of PrivateTest, by the same functions (its TFLite model, the
# whole picture enlarged to 64 px).
PEER: Mapping[str, float] = {
    "clean": 0.659,
    "gaussian 0.1": 0.349,
    "gaussian 0.2": 0.225,
    "gaussian 0.3": 0.204,
    "salt_pepper 0.02": 0.519,
    "salt_pepper 0.05": 0.353,
    "salt_pepper 0.08": 0.256,
    "speckle 0.04": 0.314,
    "speckle 0.06": 0.274,
    "speckle 0.08": 0.258,
    "jpeg 30": 0.584,
    "jpeg 10": 0.475,
    "half 24": 0.465,
    "third 16": 0.323,
    "motion 5": 0.537,
    "motion 9": 0.390,
    "defocus 2": 0.256,
    "darken 0.25": 0.489,
    "dark_shot 0.1": 0.157,
    "contrast 0.3": 0.463,
}


def groups(extra: Path) -> dict[str, tuple[Setting, ...]]:
    """The settings by what training knew of them; camera noise from extra/real_noise, if there."""
    camera = camera_noise(extra / "real_noise")
    return {"trained": tuple(TRAINED), "held out": held_out(camera), "mixtures": tuple(MIXTURES)}


def measure_faults(
    backend: Backend,
    splits: Mapping[str, Split],
    chosen: Mapping[str, I64],
    plan: Plan,
    extra: Path,
    tell: Tell,
) -> tuple[dict[str, Any], list[Table]]:
    """Measure a model under every fault.

    Args:
        backend: the model.
        splits: as `load_fer2013` returns them.
        chosen: "public" and/or "private" -> int64 (N,), which images.
        plan: how pictures reach the network.
        extra: folder that may hold real_noise/.
        tell: is told of progress.

    Returns:
        Figures for JSON, and tables.
    """
    known = groups(extra)
    settings = (CLEAN, *(setting for group in known.values() for setting in group))
    parts = {}
    for name, at in chosen.items():
        images, labels = splits[name][0], splits[name][1][at]
        copies = leaked((images[at], labels), splits["train"])
        outcomes = measure(backend, images, at, plan, tell, settings)
        rng = np.random.default_rng(plan.seed)
        rows = [_figures(outcome, outcomes[0], labels, copies, rng) for outcome in outcomes]
        of = {s.name: group for group, members in known.items() for s in members}
        for row in rows:
            row["group"] = of.get(row["name"], "clean")
        parts[name] = {"images": len(at), "settings": rows}
    return {"splits": parts}, [fault_table(name, part) for name, part in parts.items()]


def work(extra: Path, chosen: Mapping[str, I64]) -> int:
    """Steps that `measure_faults` will tell of."""
    return (1 + sum(map(len, groups(extra).values()))) * sum(map(len, chosen.values()))


def _figures(
    outcome: Outcome, clean: Outcome, labels: I64, copies: Bools, rng: np.random.Generator
) -> dict[str, Any]:
    right, before = outcome.predicted == labels, clean.predicted == labels
    lost, *interval = paired_difference(before, right, rng)
    number = CAM_NAMES.index(SHOWN_CAM)
    moved = 0.0
    if outcome is not clean:
        moved = float(drift(clean.cams[:, number], outcome.cams[:, number])[0].mean())
    kinds = list(outcome.kinds)
    return {
        "name": outcome.setting.name,
        "accuracy": float(right.mean()),
        "accuracy_95": accuracy_interval(right),
        "accuracy_without_leaked": float(right[~copies].mean()) if not copies.all() else None,
        "lost": lost,
        "lost_95": interval,
        "dc": moved,
        "kinds": {kind: kinds.count(kind) / len(kinds) for kind in sorted(set(kinds))},
        "right": pack(right),
    }


def fault_table(split: str, part: Mapping[str, Any]) -> Table:
    """Accuracy under each fault, what it costs, and what the peer does."""
    rows = []
    for row in part["settings"]:
        low, high = row["lost_95"]
        said = max(row["kinds"], key=row["kinds"].get)
        rows.append(
            (
                f"{row['name']} ({row['group']})",
                percent(row["accuracy"]),
                percent(row["accuracy_without_leaked"]),
                percent(row["lost"]),
                f"{percent(low)} - {percent(high)}",
                figure(row["dc"]),
                f"{said} {percent(row['kinds'][said])}",
                percent(PEER.get(row["name"])) if split == "private" else "-",
            )
        )
    return Table(
        f"{TITLES[split]}: faults of poor video, {part['images']:,} images",
        ("48 px", "RA %", "w/o leaked %", "points lost", "95 %", "DC", "noise read as %", "fer %"),
        tuple(rows),
        "Held out: nothing was trained on it, tuned on it or chosen by it. Points lost: clean "
        "accuracy less this one, paired bootstrap. "
        f"DC: 1 - SSIM of {SHOWN_CAM}, class predicted on the clean image. fer: the package fer "
        "25.10.3 on all of PrivateTest.",
    )


def by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Rows of a split by the name of their setting."""
    return {row["name"]: row for row in rows}
