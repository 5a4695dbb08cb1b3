"""What the noise estimator answers on one kind of pictures, counted."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.noise_sample import green_plane
from fervid.records import NOISE_KINDS, Noise
from train.noise_faults import Fault, Mix, spoiled
from train.noise_levels import realised_level
from train.noise_material import Material
from train.noise_report import WIDE_LEVELS, rms
from train.robustness import SETTINGS, Setting, corrupt

U8 = NDArray[np.uint8]
Estimate = Callable[[U8], Noise]

WIDE = tuple(
    Setting(number, kind, level)
    for number, (kind, level) in enumerate(
        ((kind, level) for kind, levels in WIDE_LEVELS.items() for level in levels), start=101
    )
)

log = logging.getLogger(__name__)


def material_figures(
    material: Material, settings: Sequence[Setting], seed: int, estimate: Estimate
) -> dict[str, Any]:
    """Figures of one material: a row a setting, and what the paper's settings and clean come to.

    Args:
        material: N clean pictures, N at least 1.
        settings: what is added to them.
        seed: of the noise.
        estimate: the estimator.

    Returns:
        "pictures", "settings", and over the paper's settings and clean among them "right_mean",
        "right_worst", "clean_called_noisy" and "confusion", the share of each answer by kind.
    """
    rows = []
    for setting in settings:
        rows.append(setting_figures(material, setting, seed, estimate))
        log.info("%s, %s: %.2f %% right", material.name, setting.name, 100 * rows[-1]["right"])
    paper = {setting.name for setting in SETTINGS}
    usual = [row for row in rows if row["setting"] in paper]
    right = [row["right"] for row in usual]
    return {
        "pictures": len(material.pictures),
        "right_mean": float(np.mean(right)),
        "right_worst": min(right),
        "clean_called_noisy": 1 - usual[0]["answers"]["clean"],
        "confusion": confusion(usual),
        "settings": rows,
    }


def confusion(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """True kind -> answer -> share, the settings of a kind with equal weight."""
    table: dict[str, dict[str, float]] = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        answers = [row["answers"] for row in rows if row["kind"] == kind]
        table[kind] = {name: float(np.mean([a[name] for a in answers])) for name in NOISE_KINDS}
    return table


def setting_figures(
    material: Material, setting: Setting, seed: int, estimate: Estimate
) -> dict[str, Any]:
    """One setting: share of each answer, and errors over the pictures whose kind is right.

    The level's error is relative to the realised level (`realised_level`, sigma for Gaussian and
    speckle), the severity's to the RMS that was really added. Both are of green.
    """
    answers = dict.fromkeys(map(str, NOISE_KINDS), 0)
    errors = []
    for clean, place in zip(material.pictures, material.places, strict=True):
        noisy = corrupt(clean, setting, seed, int(place))
        noise = estimate(noisy)
        answers[noise.kind] += 1
        if noise.kind != setting.kind or noise.kind == "clean":
            continue
        level = realised_level(clean, noisy, setting.kind)
        if level:
            power = rms(green_plane(noisy), green_plane(clean))
            errors.append((abs(noise.level / level - 1), abs(noise.severity / power - 1)))
    n = len(material.pictures)
    row: dict[str, Any] = {
        "setting": setting.name,
        "kind": setting.kind,
        "level": setting.level,
        "right": answers[setting.kind] / n,
        "answers": {name: count / n for name, count in answers.items()},
    }
    if errors:
        row["level_error_p50"], row["severity_error_p50"] = np.median(errors, 0).tolist()
        row["level_error_p90"], row["severity_error_p90"] = np.quantile(errors, 0.9, 0).tolist()
    return row


def condition_figures(
    material: Material, condition: tuple[Fault, Mix], seed: int, estimate: Estimate
) -> dict[str, Any]:
    """Noise that something else happened to, or that is not alone; nothing of it is "right".

    Returns:
        "answers": share of each. Of noisy pictures the medians, 0 where noise went unseen: "left",
        RMS that is left of the noise; "severity_ratio", the estimate's over it; "level_ratios",
        each part's level as estimated over the one that was added.
    """
    fault, mix = condition
    answers = dict.fromkeys(map(str, NOISE_KINDS), 0)
    left, severities, levels = [], [], []
    for clean, place in zip(material.pictures, material.places, strict=True):
        without, noisy = spoiled(clean, fault, mix, seed, int(place))
        noise = estimate(noisy)
        answers[noise.kind] += 1
        power = rms(green_plane(noisy), green_plane(without))
        if power:
            left.append(power)
            severities.append(noise.severity / power)
            levels.append([_level(noise, part) / _added(part) for part in mix.parts])
    n = len(material.pictures)
    figures: dict[str, Any] = {
        "fault": fault.name,
        "noise": mix.name,
        "answers": {name: count / n for name, count in answers.items()},
    }
    if left:
        names, ratios = (part.kind for part in mix.parts), np.median(levels, 0)
        figures["left"] = float(np.median(left))
        figures["severity_ratio"] = float(np.median(severities))
        figures["level_ratios"] = dict(zip(names, map(float, ratios), strict=True))
    return figures


def _level(noise: Noise, part: Setting) -> float:
    return float(noise.levels[NOISE_KINDS.index(part.kind) - 1])


def _added(part: Setting) -> float:
    """The level that was asked for, in the unit of `Noise.levels`."""
    return float(np.sqrt(part.level)) if part.kind == "speckle" else part.level
