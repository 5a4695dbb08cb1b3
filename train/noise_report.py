"""How well the noise estimator does on FER2013's test splits, as figures and as a table."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.corruptions import CORRUPTIONS, PAPER_LEVELS
from fervid.noise import NoiseWeights, read_noise
from fervid.noise_features import measure
from fervid.noise_sample import sample_plane
from fervid.records import NOISE_KINDS

U8 = NDArray[np.uint8]

# Half to double the paper's levels, around and between them.
WIDE_LEVELS: Mapping[str, tuple[float, ...]] = {
    "gaussian": (0.05, 0.15, 0.4, 0.6),
    "salt_pepper": (0.01, 0.025, 0.04, 0.1, 0.16),
    "speckle": (0.02, 0.03, 0.12, 0.16),
}

log = logging.getLogger(__name__)


def rms(noisy: U8, clean: U8) -> float:
    """RMS difference of two uint8 pictures on the 0-1 scale."""
    return float(np.sqrt(np.mean((noisy.astype(np.float32) - clean) ** 2))) / 255


def evaluate(images: U8, weights: NoiseWeights, seed: int) -> dict[str, Any]:
    """Figures of one split: every setting, clean among them, and their means.

    Args:
        images: uint8 (N, 48, 48), clean.
        weights: of the estimator.
        seed: of the noise; each setting has its own generator.

    Returns:
        "settings", a list of one dict a setting, and the summary that NOISE.md's bars speak of.
    """
    settings = [("clean", 0.0, True)]
    for paper, levels in ((True, PAPER_LEVELS), (False, WIDE_LEVELS)):
        settings += [(kind, v, paper) for kind, values in levels.items() for v in values]
    rows = []
    for number, (kind, level, paper) in enumerate(settings):
        rng = np.random.default_rng([seed, number])
        rows.append({"paper": paper} | _setting(images, weights, (kind, level), rng))
        log.info("%s %g: %.2f %% right", kind, level, 100 * rows[-1]["right"])
    paper_rows = [row["right"] for row in rows if row["paper"]]
    wide = {f"{row['kind']} {row['level']:g}": row["right"] for row in rows if not row["paper"]}
    return {
        "images": len(images),
        "right_mean": float(np.mean(paper_rows)),
        "right_worst": min(paper_rows),
        "right_wide_mean": float(np.mean(list(wide.values()))),
        "right_wide_worst": min(wide.values()),
        "clean_called_noisy": 1 - rows[0]["right"],
        "settings": rows,
    }


def _setting(
    images: U8, weights: NoiseWeights, setting: tuple[str, float], rng: np.random.Generator
) -> dict[str, Any]:
    """One kind and level: share of each answer, and errors where the kind is right.

    The level's error is relative to the nominal level (variance for speckle), the severity's to
    the RMS that was really added.
    """
    kind, level = setting
    answers = dict.fromkeys(NOISE_KINDS, 0)
    errors = []
    for image in images:
        noisy = image if kind == "clean" else CORRUPTIONS[kind](image, level, rng)
        found, levels, severity = read_noise(measure(sample_plane(noisy)), weights)
        answers[found] += 1
        if found == kind != "clean":
            value = float(levels[NOISE_KINDS.index(found) - 1])
            value = value**2 if kind == "speckle" else value
            errors.append((abs(value / level - 1), abs(severity / rms(noisy, image) - 1)))
    row: dict[str, Any] = {
        "kind": kind,
        "level": level,
        "right": answers[kind] / len(images),  # type: ignore[index]
        "answers": {name: count / len(images) for name, count in answers.items()},
    }
    if errors:
        row["level_error_p50"], row["severity_error_p50"] = np.median(errors, 0).tolist()
        row["level_error_p90"], row["severity_error_p90"] = np.quantile(errors, 0.9, 0).tolist()
    return row


def write_report(figures: Mapping[str, Any], folder: Path) -> None:
    """Write noise.json and noise.md.

    Args:
        figures: what `fit_noise` returns.
        folder: where; made if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=1, default=float)
    (folder / "noise.json").write_text(text + "\n", encoding="utf-8")
    (folder / "noise.md").write_text(_markdown(figures), encoding="utf-8")


def _markdown(figures: Mapping[str, Any]) -> str:
    lines = [
        "# Noise estimator on FER2013",
        "",
        f"Made by `python -m train noise --seed {figures['seed']}`: fitted on "
        f"{figures['images']:,} pictures of Training (exact repeats and pictures of the test "
        f"splits left out), {figures['samples']:,} samples. Level errors are relative to the "
        "nominal level (speckle: variance), severity errors to the RMS really added; both over "
        "the pictures whose kind is right, median / 90 %.",
    ]
    for split in ("public", "private"):
        lines += ["", *_table(split, figures[split])]
    return "\n".join(lines) + "\n"


def _table(split: str, part: Mapping[str, Any]) -> list[str]:
    titles = {"public": "PublicTest", "private": "PrivateTest"}
    lines = [
        f"## {titles[split]}, {part['images']:,} pictures a setting",
        "",
        f"Right kind, nine settings and clean: mean {part['right_mean']:.2%}, worst "
        f"{part['right_worst']:.2%}. Half to double levels: mean {part['right_wide_mean']:.2%}, "
        f"worst {part['right_wide_worst']:.2%}. "
        f"Clean called noisy: {part['clean_called_noisy']:.2%}.",
        "",
        "| kind | level | right % | clean | gaussian | salt_pepper | speckle | level error % "
        "| severity error % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in part["settings"]:
        answers = " | ".join(f"{100 * row['answers'][kind]:.2f}" for kind in NOISE_KINDS)
        name = row["kind"] if row["paper"] else f"{row['kind']} (wide)"
        lines.append(
            f"| {name} | {row['level']:g} | {100 * row['right']:.2f} | {answers} "
            f"| {_errors(row, 'level')} | {_errors(row, 'severity')} |"
        )
    return lines


def _errors(row: Mapping[str, Any], name: str) -> str:
    if f"{name}_error_p50" not in row:
        return ""
    return f"{100 * row[f'{name}_error_p50']:.1f} / {100 * row[f'{name}_error_p90']:.1f}"
