"""The results of a soak from its record: figures, the bars, and a page."""

import json
import sys
from collections import Counter
from itertools import pairwise

import numpy as np

from tests.bench import soak_page, soak_plot
from tests.bench.soak_page import LEAST_WORSE_MS, MOST_SLOPE_MB_H, MOST_WORSE

WARM_UP_S = 600.0
QUARTERS = 4
BLOCK_S = 300.0


def read(path):
    """The lines of a record; one that was cut off at its end is left out."""
    *whole, rest = path.read_text(encoding="utf-8").split("\n")
    lines = [json.loads(line) for line in whole]
    return lines if not rest.strip() else [*lines, *_parsed(rest)]


def _parsed(text):
    try:
        return [json.loads(text)]
    except ValueError:
        return []


def slope(times_s, values):
    """What values grow by in an hour, by least squares; None of fewer than three."""
    if len(values) < 3:
        return None
    return float(np.polyfit(np.asarray(times_s) / 3600, values, 1)[0])


def slope_error(times_s, values):
    """The standard error of that slope; None of fewer than three blocks.

    Neighbouring samples are alike, so those of five minutes together count as one.
    """
    blocks = {}
    for at_s, value in zip(times_s, values, strict=True):
        blocks.setdefault(at_s // BLOCK_S, []).append((at_s, value))
    if len(blocks) < 3:
        return None
    hours, means = np.transpose([np.mean(block, 0) for block in blocks.values()]) / [[3600], [1]]
    line = np.polyfit(hours, means, 1)
    left = means - np.polyval(line, hours)
    spread = ((hours - hours.mean()) ** 2).sum()
    return float(np.sqrt((left**2).sum() / (len(means) - 2) / spread))


def quarters(samples, end_s):
    """Samples by the quarter of the time in which they were taken."""
    parts = [[] for _ in range(QUARTERS)]
    for sample in samples:
        parts[min(QUARTERS - 1, int(QUARTERS * sample["at_s"] / end_s))].append(sample)
    return parts


def latency(samples, percent):
    """A percentile of the latency of all rows in some samples, in milliseconds; None of no row."""
    every = [ms for sample in samples for ms in sample["latency_ms"]]
    return round(float(np.percentile(every, percent)), 1) if every else None


def missing_ms(lines):
    """What is missing in the latency of all rows alike, as the losses tell; None without one."""
    events = [event for line in lines for event in line.get("events", ())]
    told = [event["missing_ms"] for event in events if event["missing_ms"] is not None]
    return float(np.median(told)) if told else None


def complete(sample, missing):
    """A sample with what is missing in its latencies added."""
    return sample | {"latency_ms": [ms + missing for ms in sample["latency_ms"]]}


def rates(samples):
    """Frames a second in each sample, which counts since the one before; the first has none."""
    return [
        sample["frames"] / (sample["at_s"] - before["at_s"]) for before, sample in pairwise(samples)
    ]


def figures(lines):
    """All figures of a record, as JSON types."""
    start = next(line for line in lines if line["kind"] == "start")
    missing = missing_ms(lines)
    every = [complete(line, missing or 0) for line in lines if line["kind"] == "sample"]
    samples = [line for line in every if "rss_mb" in line]
    if len(samples) < 2:
        sys.exit("The record holds less than two samples; let the soak run for longer.")
    end_s = every[-1]["at_s"]
    warm_s = min(WARM_UP_S, end_s / 5)
    warm = [sample for sample in samples if sample["at_s"] >= warm_s]
    done = {
        "date": start["date"],
        **{k: start[k] for k in ("fervid", "machine", "hours", "fps", "seed", "clip", "size")},
        "duration_s": round(end_s),
        "warm_up_s": round(warm_s),
        "faults": _faults(lines),
        "memory": _memory(warm),
        "slope_mb_h": {
            k: _rounded(slope([s["at_s"] for s in warm], [s[k] for s in warm]))
            for k in ("rss_mb", "anonymous_mb")
        },
        "slope_error_mb_h": _rounded(
            slope_error([s["at_s"] for s in warm], [s["rss_mb"] for s in warm])
        ),
        **{k: _counts(samples, warm, k) for k in ("threads", "descriptors")},
        "latency_missing_ms": missing,
        "cpu_share": round(samples[-1]["cpu_s"] / samples[-1]["at_s"], 3),
        "frames": sum(s["frames"] for s in every),
        "dropped_late": sum(s["dropped"] for s in every),
        "quarters": [_quarter(part) for part in quarters(_with_rates(samples), end_s)],
        "harness": {
            when: samples[n]["harness"] for when, n in (("first", 0), ("last", len(samples) - 1))
        },
        "end": next((line for line in lines if line["kind"] == "end"), None),
    }
    return done | {"bars": bars(done)}


def bars(done):
    """Which bars are met, by name."""
    latency_ms = [
        q["latency_ms"]["p95"] for q in done["quarters"] if q["latency_ms"]["p95"] is not None
    ]
    most_ms = max(min(latency_ms) * MOST_WORSE, min(latency_ms) + LEAST_WORSE_MS)
    growth = done["slope_mb_h"]["rss_mb"]
    end, faults = done["end"], done["faults"]
    return {
        "memory": growth is not None and growth < MOST_SLOPE_MB_H,
        "threads": _holds(done["threads"]),
        "descriptors": _holds(done["descriptors"]),
        "latency_p95": latency_ms[-1] <= most_ms,
        "recovered": faults["recovered"] == faults["injected"],
        "ended": end is not None
        and not end["ended_early"]
        and end["exit_code"] == 130
        and end["summary"] == end["rows"],
    }


def _holds(counts):
    """Whether a count is no higher in the last quarter than in the first after warming up."""
    first, *_, last = counts["median_by_quarter_after_warm_up"]
    return last <= first


def _counts(samples, warm, key):
    every = [sample[key] for sample in samples]
    parts = quarters([s | {"at_s": s["at_s"] - warm[0]["at_s"]} for s in warm], _spent(warm))
    medians = [float(np.median([s[key] for s in part])) for part in parts if part]
    return {
        "first": every[0],
        "last": every[-1],
        "max": max(every),
        "median_by_quarter_after_warm_up": medians,
    }


def _spent(samples):
    return max(samples[-1]["at_s"] - samples[0]["at_s"], 1e-9)


def _memory(samples):
    values = [sample["rss_mb"] for sample in samples]
    named = {"first": values[0], "last": values[-1], "min": min(values), "max": max(values)}
    return {f"{name}_mb": round(value, 1) for name, value in named.items()}


def _faults(lines):
    back = [line for line in lines if line["kind"] == "recovery"]
    times = [line["first_result_s"] for line in back if line["recovered"]]
    return {
        "injected": sum(line["kind"] == "fault" for line in lines),
        "by_kind": dict(Counter(line["how"] for line in lines if line["kind"] == "fault")),
        "noticed": sum(line["noticed"] for line in back),
        "recovered": len(times),
        "first_result_s": {
            "median": _rounded(np.median(times) if times else None),
            "largest": max(times, default=None),
        },
    }


def _with_rates(samples):
    """Samples with the rate since the one before; none where a fault was, or just had been."""
    rate = [None, *rates(samples)]
    calm = [
        n > 0 and not (samples[n]["disturbed"] or samples[n - 1]["disturbed"] or s["events"])
        for n, s in enumerate(samples)
    ]
    return [s | {"rate": r if c else None} for s, r, c in zip(samples, rate, calm, strict=True)]


def _quarter(samples):
    calm = [s["rate"] for s in samples if s["rate"] is not None]
    return {
        "frames": sum(s["frames"] for s in samples),
        "dropped_late": sum(s["dropped"] for s in samples),
        "fps_undisturbed": _rounded(np.median(calm) if calm else None),
        "latency_ms": {f"p{n}": latency(samples, n) for n in (50, 95)},
        **{
            key: _rounded(np.median([s[key] for s in samples]) if samples else None)
            for key in ("rss_mb", "load")
        },
    }


def _rounded(value):
    return None if value is None else round(float(value), 2)


def write(path, docs):
    """Write the results of a record; returns the page."""
    lines = read(path)
    done = figures(lines)
    page = soak_page.markdown(done)
    (docs / "results").mkdir(parents=True, exist_ok=True)
    (docs / "results" / "soak.json").write_text(json.dumps(done, indent=1) + "\n")
    (docs / "results" / "soak.md").write_text(page)
    soak_plot.draw(lines, done, docs / "soak.png")
    return page
