"""What `noise-check` measured, as tables; and the files that they are written to."""

from collections.abc import Mapping, Sequence
from typing import Any

from fervid.records import NOISE_KINDS
from train.noise_bars import bars_table, smoothed_noisy
from train.robustness_tables import TITLES
from train.tables import Table, figure

ANSWERS = tuple(f"{kind} %" for kind in NOISE_KINDS)


def check_tables(figures: Mapping[str, Any]) -> list[Table]:
    """All tables, the bars first; none of a section that was left out."""
    parts = {f"48 px faces, {TITLES[name]}": part for name, part in figures["faces"].items()}
    parts |= {
        title: figures[name]
        for name, title in (
            ("crops", "face crops of 64-300 px"),
            ("frames", "frames of real clips, at most 640 px wide"),
        )
        if name in figures
    }
    tables = [bars_table(figures["bars"]), _confusion_table(parts)]
    tables += [_settings_table(title, part) for title, part in parts.items()]
    if "clips" in figures:
        tables.append(_clips_table(figures["clips"]))
    if figures["real_noise"]:
        tables.append(_real_table(figures["real_noise"]))
    tables += [_conditions_table(name, rows) for name, rows in figures["conditions"].items()]
    if "sigma" in figures:
        tables.append(_sigma_table(figures["sigma"]))
    return [*tables, _time_table(figures["time"])]


def share(value: float) -> str:
    """A share as a percentage with two decimals."""
    return f"{100 * value:.2f}"


def _answers(answers: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(share(answers[kind]) for kind in NOISE_KINDS)


def _confusion_table(parts: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        (f"{title}: {kind}", *_answers(answers))
        for title, part in parts.items()
        for kind, answers in part["confusion"].items()
    ]
    note = "The paper's three levels of a kind together. Down: what it is; across: what is said."
    return Table("Confusion matrices", ("", *ANSWERS), tuple(rows), note)


def _settings_table(title: str, part: Mapping[str, Any]) -> Table:
    rows = [
        (
            row["setting"],
            share(row["right"]),
            *_answers(row["answers"]),
            _errors(row, "level"),
            _errors(row, "severity"),
        )
        for row in part["settings"]
    ]
    note = (
        f"{part['pictures']:,} pictures a setting. The paper's settings and clean: mean "
        f"{share(part['right_mean'])} %, worst {share(part['right_worst'])} % right. RMS: that of "
        "the noise as it was really added."
    )
    head = ("", "right %", *ANSWERS, "level error %", "RMS error %")
    return Table(title[0].upper() + title[1:], head, tuple(rows), note)


def _errors(row: Mapping[str, Any], name: str) -> str:
    if f"{name}_error_p50" not in row:
        return "-"
    return " / ".join(f"{100 * row[f'{name}_error_{q}']:.1f}" for q in ("p50", "p90"))


def _clips_table(clips: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (r["clip"], f"{r['frames']}", f"{r['raw']}", f"{r['smoothed']}", figure(r["severity_p50"]))
        for r in clips
    ]
    frames, raw, smoothed = (sum(r[name] for r in clips) for name in ("frames", "raw", "smoothed"))
    rows.append(("all", f"{frames}", f"{raw}", f"{smoothed}", ""))
    note = (
        f"Frames called noisy: raw {share(raw / max(frames, 1))} %, smoothed "
        f"{figure(smoothed_noisy(clips), 2)} %. Every frame at native size, by NoiseMeter as in a "
        "run; of one clip the frames are not independent."
    )
    head = ("clean clips", "frames", "noisy, raw", "noisy, smoothed", "RMS, median")
    return Table("Real clips as they are", head, tuple(rows), note)


def _real_table(found: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            f"{row['picture']} ({row['factor']}x)",
            f"{row['sigma_p50']:.4f}",
            f"{row['sigma_max']:.4f}",
            *(f"{row['answers'][kind]}" for kind in NOISE_KINDS),
            figure(row["severity_ratio"], 2),
        )
        for row in found
    ]
    note = (
        f"{found[0]['pictures']} pairs. True sigma: RMS of the difference from the mean of many "
        "shots, green. Answers are counts; the ratio is 0 where the noise goes unseen."
    )
    head = ("", "sigma, median", "sigma, most", *NOISE_KINDS, "RMS said / true")
    return Table("Real camera noise", head, tuple(rows), note)


def _conditions_table(name: str, found: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for row in found:
        ratios = row.get("level_ratios", {})
        levels = ", ".join(f"{kind} {figure(ratio, 2)}" for kind, ratio in ratios.items())
        left = figure(row.get("left")), figure(row.get("severity_ratio"), 2)
        rows.append((row["fault"], row["noise"], *_answers(row["answers"]), *left, levels or "-"))
    note = (
        "No bar but what it costs (noise-harm). H.264: the last of three frames of a still scene "
        "with fresh noise in each. Half and double size: the noise at twice or half of it, then "
        "brought back. In frames noise is drawn per channel, of which compression keeps less. RMS "
        "left: against the clean picture treated the same. Ratios are medians over all pictures, "
        "0 where the noise goes unseen; level: over the one that was added."
    )
    head = ("", "noise", *ANSWERS, "RMS left", "RMS said / left", "level said / added")
    return Table(f"Noise that something else happened to: {name}", head, tuple(rows), note)


def _sigma_table(found: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            row["material"],
            f"{row['sigma']:g}",
            f"{row['pictures']:,}",
            *(
                text
                for who in ("ours", "published")
                for text in (f"{100 * row[who]['error_p50']:.1f}", figure(row[who]["ratio_p50"], 2))
            ),
        )
        for row in found
    ]
    note = (
        "Gaussian noise on green; median relative error against the realised sigma and median of "
        "the ratio to it. All pictures count, whatever kind was answered."
    )
    head = ("", "sigma", "pictures", "fervid error %", "ratio", "estimate_sigma error %", "ratio")
    return Table("Beside skimage.restoration.estimate_sigma", head, tuple(rows), note)


def _time_table(found: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for row in found:
        size = f"{row['width']}x{row['height']}, {'grey' if row['channels'] == 1 else 'BGR'}"
        both = (row.get(who, {}) for who in ("ours", "published"))
        times = (figure(part.get(name)) for part in both for name in ("p50_ms", "p95_ms"))
        rows.append((size, *times, figure(row.get("ratio"), 1)))
    note = (
        f"Milliseconds a call on one core, median and 95 % of {found[0]['repeats']} calls, kind, "
        "levels, severity and quality together; estimate_sigma gives one sigma of green. The two "
        "by turns in one run; another machine has other figures."
    )
    head = ("", "fervid ms", "95 %", "estimate_sigma ms", "95 %", "times as long")
    return Table("Time", head, tuple(rows), note)
