"""The tables of docs/results/flicker.md."""

from typing import Any

HEAD = """# Heatmaps: flicker and lag

Made by `python -m tests.bench.flicker --data SHARED`, with the embedded model {model}.
Flicker: mean DC (1 - SSIM) of the shown map from one frame to the next, once it has settled; the
bar is .05, the aim .02. Lag: seconds from the last frame of one face until the map is nearer, by
DC, to the next face's own and stays so; the bar is .4, the aim .25. In brackets the worst pair.

Generated truth: {pairs} pairs of FER2013 faces (PublicTest), enlarged into a picture with fresh
Gaussian noise of {sigma} in every frame; after {stretch_s:g} s the second face takes the place of
the first, under the same id. All but the detector is fervid's pipeline. A new id begins a new map
at once: of the pairs of {sizes} px, the tracker gave {seen} one.
"""
REAL = """## Real clips

Flicker with detector and tracker, 30 frames a second: a frame that stands still under fresh noise,
and clips as they were filmed, in which faces do move.
"""


def markdown(out: dict[str, Any]) -> str:
    """All tables as text."""
    rows = out["generated"]
    saw = {r["face_px"]: f"{r['tracker_saw_the_cut']:.0%}" for r in rows}
    sizes, seen = (" / ".join(map(str, part)) for part in (saw, saw.values()))
    parts = [HEAD.format(**out, sizes=sizes, seen=seen), _generated(rows), REAL, _real(out["real"])]
    return "\n".join(parts)


def _generated(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys((r["face_px"], r["fps"]) for r in rows))
    head = ["`heatmap_smooth_s`", *(f"{px} px, {fps:.0f} fps" for px, fps in columns)]
    body = []
    for smooth_s in dict.fromkeys(r["heatmap_smooth_s"] for r in rows):
        mine = {(r["face_px"], r["fps"]): r for r in rows if r["heatmap_smooth_s"] == smooth_s}
        body.append([f"{smooth_s:g}", *(_cell(mine[column]) for column in columns)])
    return _table(head, body)


def _cell(row: dict[str, Any]) -> str:
    steady = f"{row['flicker']:.3f} ({row['flicker_worst']:.3f})"
    return f"{steady} / {row['lag_s']:.2f} ({row['lag_worst_s']:.2f}) s"


def _real(rows: list[dict[str, Any]]) -> str:
    constants = list(dict.fromkeys(r["heatmap_smooth_s"] for r in rows))
    found = {(r["clip"], r["heatmap_smooth_s"]): r["flicker"] for r in rows}
    clips = dict.fromkeys(r["clip"] for r in rows)
    body = [[clip, *(f"{found[clip, smooth_s]:.3f}" for smooth_s in constants)] for clip in clips]
    return _table(["smoothed over, s", *(f"{value:g}" for value in constants)], body)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
