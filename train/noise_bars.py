"""The bars that the noise estimator is held to, beside what `noise-check` measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from train.robustness import SETTINGS
from train.tables import Table, figure

PAPER_NAMES = {setting.name for setting in SETTINGS}
SHOWN_PX = (640, 360)  # the frame whose time has a bar


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: what must and what should be reached; `at_least` or at most."""

    what: str
    must: float
    aim: float
    at_least: bool
    unit: str = "%"


def bars(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every bar with the measured figure, None where its section was left out.

    Args:
        figures: "faces" (of which PrivateTest counts), "crops", "frames", "clips" and "time" as
            `noise-check` measured them.
    """
    faces, crops, frames = figures["faces"]["private"], figures.get("crops"), figures.get("frames")
    sizes = (("48 px", faces, 98, 99.2), ("crops", crops, 99, 99.6), ("frames", frames, 99, 99.6))
    found: list[tuple[Bar, float | None]] = []
    for name, part, worst, aim in sizes:
        mean_aim = 99.7 if part is faces else 99.9
        for which, must, wanted in (("mean", 99, mean_aim), ("worst", worst, aim)):
            what = f"kind right, {name}: {'mean' if which == 'mean' else 'every setting'}"
            value = _percent(part[f"right_{which}"]) if part else None
            found.append((Bar(what, must, wanted, True), value))
    called = _percent(faces["clean_called_noisy"])
    found.append((Bar("clean 48 px faces called noisy", 0.5, 0.1, False), called))
    smoothed = smoothed_noisy(figures.get("clips", ()))
    found.append((Bar("frames of clean clips called noisy, smoothed", 0.1, 0, False), smoothed))
    for name, part, must, wanted in (("48 px", faces, 5, 3), ("frames", frames, 4, 2)):
        for kind in ("gaussian", "speckle"):
            value = worst_level_error(part, kind) if part else None
            what = f"level error, {kind} sigma, {name}: worst median"
            found.append((Bar(what, must, wanted, False), value))
    shown = [r for r in figures["time"] if (r["width"], r["height"]) == SHOWN_PX]
    cost = shown[0]["ours"]["p50_ms"] if shown else None
    found.append((Bar("time at 640x360, median", 1, 0.3, False, "ms"), cost))
    return [_row(bar, value) for bar, value in found]


def smoothed_noisy(clips: Sequence[Mapping[str, Any]]) -> float | None:
    """Per cent of all clips' frames that are called noisy after smoothing; None without clips."""
    frames = sum(row["frames"] for row in clips)
    return 100 * sum(row["smoothed"] for row in clips) / frames if frames else None


def worst_level_error(part: Mapping[str, Any], kind: str) -> float | None:
    """The largest median error in per cent over the paper's levels of a kind; None without any."""
    errors = [
        row["level_error_p50"]
        for row in part["settings"]
        if row["kind"] == kind and row["setting"] in PAPER_NAMES and "level_error_p50" in row
    ]
    return _percent(max(errors)) if errors else None


def _percent(share: float) -> float:
    return 100 * share


def _row(bar: Bar, value: float | None) -> dict[str, Any]:
    margins = {
        "must_margin": margin(bar, bar.must, value),
        "aim_margin": margin(bar, bar.aim, value),
    }
    said = {"bar": bar.what, "must": bar.must, "aim": bar.aim, "unit": bar.unit}
    return said | {"at_least": bar.at_least, "measured": value} | margins


def margin(bar: Bar, bound: float, value: float | None) -> float | None:
    """By how much a bound is met; negative: missed."""
    if value is None:
        return None
    return value - bound if bar.at_least else bound - value


def bars_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Must, aim, measured, and by how much each is met or missed."""
    cells = []
    for row in rows:
        sign = ">=" if row["at_least"] else "<="
        must, aim = (f"{sign} {row[name]:g} {row['unit']}" for name in ("must", "aim"))
        measured = figure(row["measured"], 2)
        met = (verdict(row[name]) for name in ("must_margin", "aim_margin"))
        cells.append((row["bar"], must, aim, measured, *met))
    return Table(
        "The bars",
        ("PrivateTest, crops, frames and clips", "must", "aim", "measured", "must is", "aim is"),
        tuple(cells),
        "Kind: the paper's nine settings and clean. A dash: not measured, see above.",
    )


def verdict(by: float | None) -> str:
    """In words: by how much a bound is met or missed."""
    if by is None:
        return "-"
    return f"met by {by:.2f}" if by >= 0 else f"missed by {-by:.2f}"
