"""`python -m train noise-check`: the noise estimator on held-out pictures, and what it is worth.

Nothing is fitted here. FER2013's test splits and, where they are at hand, real clips, group
photographs and real camera noise; a section without its material is left out with the reason.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fervid.errors import ConfigError, DataError
from fervid.noise import NoiseMeter, estimate_noise
from fervid.noise_sample import green_plane
from fervid.records import NOISE_KINDS
from train.data import Split, load_fer2013
from train.noise_bars import bars
from train.noise_faults import CONDITIONS
from train.noise_material import (
    Material,
    at_most_wide,
    clip_files,
    clip_frames,
    detected_squares,
    kept,
    labelled_squares,
    material,
    noise_pairs,
)
from train.noise_report import rms
from train.noise_sigma import published_sigma, sigma_rows, time_rows
from train.noise_tables import check_tables
from train.noise_tally import WIDE, Estimate, condition_figures, material_figures
from train.options import RESULTS
from train.results import write_results
from train.robustness import SETTINGS
from train.robustness_tables import TITLES
from train.thumbnails import choose

U8 = NDArray[np.uint8]

SPOILED_FACES = 300  # 48 px faces for the conditions, a seeded choice
REPEATS = 200  # calls that are timed
AMPLIFIED = 4  # real camera noise is also shown so many times as strong
STEM = "noise-check"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What is measured: the folder of clips/, groups/ and real_noise/, and how much of it all.

    `limit`: a seeded choice of so many pictures of each kind, so many frames of each clip and so
    many timed calls; None: all. `seed` is that of the noise and of every choice.
    """

    extra: Path
    limit: int | None = None
    out: Path = RESULTS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"--limit must be at least 1, not {self.limit}.", "limit")
        if not self.extra.is_dir():
            raise DataError(f"{self.extra} is not a folder; check --extra.")


def noise_check(
    data: Path, options: CheckOptions, stdout: Console, estimate: Estimate = estimate_noise
) -> list[Path]:
    """Check the noise estimator.

    Args:
        data: FER2013, as `load_fer2013` takes it.
        options: what else, and how much.
        stdout: gets the tables.
        estimate: the estimator.

    Returns:
        The JSON and the Markdown file that were written.

    Raises:
        DataError: FER2013 or a picture cannot be read, or the results cannot be written.
        SourceError: a clip cannot be read.
    """
    figures = check_figures(load_fer2013(data), options, estimate)
    tables = check_tables(figures)
    for table in tables:
        stdout.print(table.rich())
    limited = "" if options.limit is None else f"-{options.limit}"
    limited += f"-seed{options.seed}" if options.seed else ""
    head = (
        "# Noise estimator, checked\n\nMade by `python -m train noise-check`; "
        f"limit {options.limit}, seed {options.seed}. Held-out pictures; a level's error is "
        "relative to the realised level: what was really drawn, after clipping, in sigma units for "
        "Gaussian noise and speckle, as a density for impulses. Errors are over the pictures whose "
        "kind is right, median / 90 %."
    )
    for section, reason in figures["skipped"].items():
        head += f"\n\nLeft out: {section}; {reason}."
    return write_results(options.out, STEM + limited, figures, head, tables)


def check_figures(
    splits: Mapping[str, Split], options: CheckOptions, estimate: Estimate
) -> dict[str, Any]:
    """All sections, the bars last; "skipped" says of those left out why."""
    skipped: dict[str, str] = {}
    faces = {name: _faces(name, splits[name][0], options) for name in TITLES}
    seed, paper = options.seed, SETTINGS
    every = {n: material_figures(m, (*paper, *WIDE), seed, estimate) for n, m in faces.items()}
    figures: dict[str, Any] = {"limit": options.limit, "seed": seed, "faces": every}
    frames, crops = _clips(figures, skipped, options, estimate)
    for name, pictures in (("frames", frames), ("crops", crops)):
        if pictures.pictures:
            figures[name] = material_figures(pictures, paper, seed, estimate)
        else:
            skipped[pictures.name] = f"none found in {options.extra.name}/"
    figures["real_noise"] = _real_noise(options, skipped, estimate)
    spoiled = [faces["private"].some(SPOILED_FACES, seed), *([frames] if frames.pictures else [])]
    figures["conditions"] = {m.name: _conditions(m, seed, estimate) for m in spoiled}
    published = published_sigma()
    if published is None:
        skipped["the comparison with estimate_sigma"] = "PyWavelets is not installed"
    else:
        compared = [faces["private"], *spoiled[1:]]
        figures["sigma"] = [r for m in compared for r in sigma_rows(m, seed, estimate, published)]
    repeats = min(REPEATS, options.limit or REPEATS)
    figures["time"] = time_rows(splits["private"][0][0], repeats, estimate, published)
    return figures | {"skipped": skipped, "bars": bars(figures)}


def _faces(name: str, images: U8, options: CheckOptions) -> Material:
    at = choose(len(images), options.limit, options.seed)
    return Material(f"48 px faces, {TITLES[name]}", list(images[at]), at.tolist())


def _conditions(pictures: Material, seed: int, estimate: Estimate) -> list[dict[str, Any]]:
    log.info("%s: noise that something else happened to", pictures.name)
    return [condition_figures(pictures, condition, seed, estimate) for condition in CONDITIONS]


def _clips(
    figures: dict[str, Any], skipped: dict[str, str], options: CheckOptions, estimate: Estimate
) -> tuple[Material, Material]:
    """Frames and face crops; the clips themselves, as they are, go into the figures."""
    rows, native = [], []
    for path in clip_files(options.extra / "clips"):
        row, few = clip_figures(path, options.limit, estimate)
        rows.append(row)
        native += few
        log.info("%s: %d of %d frames called noisy", path.name, row["raw"], row["frames"])
    if rows:
        figures["clips"] = rows
    else:
        skipped["real clips"] = f"there are none in {options.extra.name}/clips"
    squares = detected_squares(native) if native else []
    squares += labelled_squares(options.extra / "groups")
    frames = material(
        "frames of real clips, at most 640 px wide", [at_most_wide(f) for f in native]
    )
    crops = material("face crops of 64-300 px", squares)
    most = options.limit or max(len(native), len(squares))
    return frames.some(most, options.seed), crops.some(most, options.seed)


def clip_figures(
    path: Path, limit: int | None, estimate: Estimate
) -> tuple[dict[str, Any], list[U8]]:
    """A clip as it is: frames that are called noisy, raw and smoothed; and a few of its frames.

    Every frame is measured at native size, as fervid does.

    Returns:
        "clip", "frames", "raw" and "smoothed" (counts), "severity_p50" of the raw estimates; and
        the frames that `kept` names, BGR.
    """
    meter, few, raw, smoothed = NoiseMeter(), [], [], 0
    for number, bgr in enumerate(clip_frames(path, limit)):
        noise = estimate(bgr)
        raw.append(noise)
        smoothed += meter.add(noise).kind != "clean"
        if kept(number):
            few.append(bgr)
    row = {
        "clip": path.name,
        "frames": len(raw),
        "raw": sum(noise.kind != "clean" for noise in raw),
        "smoothed": smoothed,
        "severity_p50": float(np.median([noise.severity for noise in raw])),
    }
    return row, few


def _real_noise(
    options: CheckOptions, skipped: dict[str, str], estimate: Estimate
) -> list[dict[str, Any]]:
    pairs = noise_pairs(options.extra / "real_noise")
    if not pairs:
        skipped["real camera noise"] = f"there are no pairs in {options.extra.name}/real_noise"
        return []
    return real_noise_figures(pairs[: options.limit], estimate)


def real_noise_figures(pairs: list[tuple[U8, U8]], estimate: Estimate) -> list[dict[str, Any]]:
    """What is said of the mean of many shots, of one shot, and of one with its noise amplified.

    Returns:
        Of each: "answers" (counts), "sigma_p50" and "sigma_max" of what is really there (green),
        "severity_ratio", the estimate's median over it, 0 where noise goes unseen.
    """
    rows = []
    for name, factor in (("mean of many shots", 0), ("one shot", 1), ("amplified", AMPLIFIED)):
        answers = dict.fromkeys(map(str, NOISE_KINDS), 0)
        sigmas, ratios = [], []
        for shot, mean in pairs:
            gap = shot.astype(np.float32) - mean
            picture = np.rint((mean + factor * gap).clip(0, 255)).astype(np.uint8)
            noise = estimate(picture)
            answers[noise.kind] += 1
            sigma = rms(green_plane(picture), green_plane(mean))
            sigmas.append(sigma)
            ratios += [noise.severity / sigma] if sigma else []
        row = {"picture": name, "factor": factor, "pictures": len(pairs), "answers": answers}
        row["sigma_p50"], row["sigma_max"] = float(np.median(sigmas)), max(sigmas)
        row["severity_ratio"] = float(np.median(ratios)) if ratios else None
        rows.append(row)
    return rows
