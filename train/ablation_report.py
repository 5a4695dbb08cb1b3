"""ablation.json as tables: every arm, and what each part is worth."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.arms import ARMS, COMPARED, SEEDS, Arm
from train.metrics import paired_difference, unpack
from train.robustness import NOISY
from train.robustness_tables import TITLES
from train.tables import Table, figure, percent

Known = Mapping[str, Any]
KINDS = ("gaussian", "salt_pepper", "speckle")
BASELINE = ARMS[0]
PROPOSED = next(arm for arm in ARMS if arm.title == COMPARED[-1][1])  # the paper's, with noise


def write_ablation(folder: Path) -> list[Path]:
    """Write ablation.md beside ablation.json; nothing where nothing is measured."""
    file = folder / "ablation.json"
    if not file.is_file():
        return []
    known = json.loads(file.read_text(encoding="utf-8"))
    text = "\n\n".join([HEAD, *(table.markdown() for table in tables(known))]) + "\n"
    page = folder / "ablation.md"
    page.write_text(text, encoding="utf-8")
    return [page]


HEAD = """# Which part does the work

Made by `python -m train ablate --data PATH`: slim networks (`train/slim.py`, blocks 2 2 2 1, half
of the channels), twelve passes each at 48 px, recipe `train/recipes/ablation.toml`, arms in
`train/arms.py`; the noise of each picture is estimated by the run time, while training too. The
four arms that the text leans on are to have three seeds, the others one; the tables say how many
are measured. Filters: the paper's pairing, strength set `tuned`. PublicTest chose the blend's
strength; PrivateTest is only reported."""


def tables(known: Known) -> list[Table]:
    """All tables of what is measured so far."""
    found = [arm_table(known, split) for split in ("private", "public")]
    found += [comparison_table(known, split) for split in ("private", "public")]
    return [*found, kind_table(known), run_table(known)]


def measured(known: Known, arm: Arm, split: str) -> list[Mapping[str, Any]]:
    """An arm's figures on a split, one for each seed that is measured."""
    runs = (known.get(f"{arm.training}-{seed}") for seed in SEEDS)
    return [run["arms"][arm.title][split] for run in runs if run and arm.title in run["arms"]]


def mean_of(parts: Sequence[Mapping[str, Any]], name: str, kind: str = "") -> float:
    """Mean of a figure over seeds and over the settings of a kind (of all noises without)."""
    rows = [row for part in parts for row in part["settings"] if row["name"] != "clean"]
    return float(np.mean([row[name] for row in rows if row["name"].startswith(kind)]))


def arm_table(known: Known, split: str) -> Table:
    """Accuracy, drift and SNR of every arm."""
    rows = []
    for arm in ARMS:
        parts = measured(known, arm, split)
        if not parts:
            rows.append((arm.title, *["not measured yet"], *["-"] * 9))
            continue
        clean = [part["settings"][0]["accuracy"] for part in parts]
        noisy = [part["noisy_mean"] for part in parts]
        spread = f" +- {100 * np.std(noisy, ddof=1):.1f}" if len(noisy) > 1 else ""
        rows.append(
            (
                arm.title,
                percent(float(np.mean(clean))),
                percent(float(np.mean(noisy))) + spread,
                *(percent(mean_of(parts, "accuracy", kind)) for kind in KINDS),
                percent(mean_of(parts, "oracle")),
                figure(mean_of(parts, "dc")),
                figure(mean_of(parts, "dc_cosine")),
                figure(mean_of(parts, "snr"), 1),
                str(len(parts)),
            )
        )
    return Table(
        f"{TITLES[split]}: every arm",
        (
            "arm",
            "clean %",
            "nine settings %",
            "gaussian %",
            "s&p %",
            "speckle %",
            "true kind %",
            "DC",
            "cosine",
            "SNR, dB",
            "seeds",
        ),
        tuple(rows),
        "noise@48, estimated kind, but for the column of the true kind. +- is the standard "
        "deviation over seeds. DC: 1 - SSIM and cosine distance of layer4's Grad-CAM (6x6 cells), "
        "class predicted on the clean picture; SNR of layer4, plain; both of every fourth picture. "
        "Means over the nine settings.",
    )


def _scores(parts: Sequence[Mapping[str, Any]], n: int) -> NDArray[np.float64]:
    """For each picture the share of seeds and noisy settings in which it is right, (N,)."""
    rights = [unpack(r["right"], n) for part in parts for r in part["settings"][1:]]
    return np.asarray(np.mean(rights, axis=0), np.float64)


def comparison_table(known: Known, split: str) -> Table:
    """What each step is worth, paired over pictures."""
    of, rows = {arm.title: arm for arm in ARMS}, []
    for first, second in COMPARED:
        one, two = (measured(known, of[title], split) for title in (first, second))
        seeds = min(len(one), len(two))
        if not seeds:
            continue
        one, two = one[:seeds], two[:seeds]  # the same seeds of both
        n = 4 * len(one[0]["settings"][0]["right"])
        gain, low, high = paired_difference(
            _scores(two, n), _scores(one, n), np.random.default_rng(0)
        )
        said = "helps" if low > 0 else "hurts" if high < 0 else "no difference shown"
        clean = [np.mean([p["settings"][0]["accuracy"] for p in parts]) for parts in (one, two)]
        drifts = [mean_of(parts, "dc") for parts in (one, two)]
        rows.append(
            (
                f"{first} -> {second}",
                f"{100 * gain:+.1f}",
                f"{100 * low:+.1f} to {100 * high:+.1f}",
                said,
                f"{100 * (clean[1] - clean[0]):+.1f}",
                f"{drifts[1] - drifts[0]:+.3f}",
                str(seeds),
            )
        )
    return Table(
        f"{TITLES[split]}: what each step is worth under noise",
        ("step", "points", "95 %", "verdict", "clean, points", "DC", "seeds"),
        tuple(rows),
        "Points of accuracy, mean over the nine settings and over seeds; interval: bootstrap over "
        "pictures, both arms on the same ones and of the same seeds.",
    )


def kind_table(known: Known) -> Table:
    """Gain over the clean-trained baseline at the middle level of each kind, PrivateTest."""
    names = [NOISY[number].name for number in (1, 4, 7)]
    base = measured(known, BASELINE, "private")
    rows = []
    for arm in ARMS:
        parts = measured(known, arm, "private")
        if parts and base:
            rows.append((arm.title, *(_gain(parts, base, name) for name in names)))
    return Table(
        "PrivateTest: points over the clean-trained baseline",
        ("arm", *names),
        tuple(rows),
        "The paper's gains of its filters and norms together: 11.6 / 12.7 / 12.4 points.",
    )


def _gain(parts: Sequence[Known], base: Sequence[Known], name: str) -> str:
    means = [
        np.mean([r["accuracy"] for p in some for r in p["settings"] if r["name"] == name])
        for some in (parts, base)
    ]
    return f"{100 * (means[0] - means[1]):+.1f}"


def run_table(known: Known) -> Table:
    """What was trained, and how long it took."""
    rows = [
        (name, figure(run["minutes"], 0), percent(run["history"][-1]["clean"]))
        for name, run in known.items()
    ]
    note = "Minutes of training in the last sitting, other work beside it; half of PublicTest."
    return Table("Runs", ("training and seed", "minutes", "clean, last %"), tuple(rows), note)
