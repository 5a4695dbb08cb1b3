"""The plot of a soak: memory, latency, frames a second, threads and descriptors, over time."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt

COLOURS = {"kill": "#b5651d", "stop": "#3b5b92", "freeze": "#8e5ea2"}
OURS, OTHER = "#0b6e4f", "#777777"
DPI = 110


def draw(lines, done, path):
    """Draw a record with its figures into a file."""
    samples = [line for line in lines if line["kind"] == "sample" and "rss_mb" in line]
    faults = [line for line in lines if line["kind"] == "fault"]
    long = done["duration_s"] >= 1800
    unit_s, unit = (3600, "h") if long else (60, "min")
    at = np.array([s["at_s"] for s in samples]) / unit_s
    figure, axes = plt.subplots(4, 1, figsize=(10, 9), sharex=True, layout="constrained")
    for ax in axes:
        ax.grid(alpha=0.25)
        for fault in faults:
            ax.axvline(fault["at_s"] / unit_s, color=COLOURS[fault["how"]], lw=0.9, alpha=0.7)
    _memory(axes[0], at, samples, done, unit_s)
    _latency(axes[1], at, samples, done["latency_missing_ms"] or 0)
    spent_s = [b["at_s"] - a["at_s"] for a, b in pairwise([{"at_s": 0.0}, *samples])]
    rate = [s["frames"] / seconds for s, seconds in zip(samples, spent_s, strict=True)]
    axes[2].plot(at, rate, color=OURS, lw=1)
    axes[2].set(ylabel="frames/s", ylim=(0, 1.15 * max(rate)))
    for key, colour in (("threads", OURS), ("descriptors", OTHER)):
        axes[3].plot(at, [s[key] for s in samples], color=colour, lw=1, label=key)
    axes[3].set(ylim=(0, None), xlabel=unit, xlim=(0, at[-1]))
    axes[3].legend(fontsize=8, loc="lower right")
    for how in dict.fromkeys(fault["how"] for fault in faults):
        axes[2].plot([], [], color=COLOURS[how], label=how)
    if faults:
        axes[2].legend(fontsize=8, loc="lower right", title="faults", title_fontsize=8, ncols=3)
    figure.savefig(path, dpi=DPI, metadata={"Software": ""})
    plt.close(figure)


def _memory(ax, at, samples, done, unit_s):
    values = np.array([s["rss_mb"] for s in samples])
    ax.plot(at, values, color=OURS, lw=1, label="resident")
    growth = done["slope_mb_h"]["rss_mb"]
    if growth is not None:
        warm = at >= done["warm_up_s"] / unit_s
        hours = at[warm] * unit_s / 3600
        line = values[warm].mean() + growth * (hours - hours.mean())
        ax.plot(at[warm], line, "--", color=OTHER, label=f"{growth:+.2f} MB/h")
    ax.set(ylabel="memory, MB")
    ax.legend(fontsize=8, loc="lower right")
    minutes = done["duration_s"] / 60
    ax.set_title(
        f"fervid on a live stream, {done['size'][0]}x{done['size'][1]} at {done['fps']} frames/s, "
        f"{minutes:.0f} min, {done['faults']['recovered']} of {done['faults']['injected']} faults "
        "recovered",
        fontsize=10,
    )


def _latency(ax, at, samples, missing_ms):
    for percent, colour in ((95, OURS), (50, OTHER)):
        values = [
            np.percentile(s["latency_ms"], percent) + missing_ms if s["latency_ms"] else np.nan
            for s in samples
        ]
        ax.plot(at, values, color=colour, lw=1, label=f"p{percent}")
    ax.set(ylabel="latency, ms", ylim=(0, None))
    ax.legend(fontsize=8, loc="upper right")
