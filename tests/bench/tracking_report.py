"""The tables of docs/results/tracking.md."""

from typing import Any

HEAD = """# Ids and people

Made by `python -m tests.bench.tracking --data CLIPS`, over the same detections for every tracker.
A cell is *switches / fragments*: a switch is a person who took an id that another person (or
something that is no face) had first; a fragment is a new id for a person who had one. Their sum is
what CLEAR MOT calls id switches. IDF1: Ristani et al. 2016.

Real: 16 clips as filmed, and again with every 2nd, every 4th, or 40 % of the frames (a live source
that drops), each with none and with 30 % of the detections lost; whose face each detection is was
labelled by looking at the frames (`tests/bench/tracking_clips.py`). Generated: 37 scenes of real
faces on known paths, found by the real detector, with four casts, thinned in the same way.
*One room*: people filmed by one camera in one light; *mixed*: from several cameras, brought into
one light. Constants were chosen on the casts a.
"""
REAL = {"asked for, as filmed": "real: asked for, as filmed", "all real": "real"}


def markdown(out: dict[str, dict[str, Any]], missing: list[str]) -> str:
    """All tables as text."""
    parts = [HEAD, "## In all\n", _summary(out)]
    for title, prefix in (
        ("Real clips, as filmed", "clip: "),
        ("Generated, by scene", "scene: "),
        ("Generated, by frames", "rate: "),
        ("Generated, by lost detections", "lost: "),
        ("Generated, by cast", "cast: "),
    ):
        parts += [f"## {title}\n", _by(out, prefix)]
    parts += [f"{line}\n" for line in missing]
    return "\n".join(parts)


def _summary(out: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, parts in out.items():
        asked = parts[REAL["asked for, as filmed"]]
        cells = [name, str(asked["ids"]), *(_counts(parts[part]) for part in REAL.values())]
        made = parts["generated"]
        minutes = made["seconds"] / 60
        cells.append(f"{made['switches'] / minutes:.1f} / {made['fragments'] / minutes:.1f}")
        cells += [f"{parts['real']['idf1']:.3f}", f"{made['idf1']:.3f}"]
        cells.append(f"{parts['ms_per_frame']:.2f}")
        rows.append(cells)
    first = next(iter(out.values()))
    spans = [f"{name}, {first[part]['seconds'] / 60:.1f} min" for name, part in REAL.items()]
    people = first[REAL["asked for, as filmed"]]["people"]
    head = ["tracker", f"ids for {people} people", *spans]
    return _table([*head, "generated, per minute", "IDF1 real", "generated", "ms a frame"], rows)


def _by(out: dict[str, dict[str, Any]], prefix: str) -> str:
    names = [p for p in next(iter(out.values())) if p.startswith(prefix)]
    if prefix == "clip: ":  # clips in which no tracker errs would fill the page
        names = [n for n in names if any(_errors(parts[n]) for parts in out.values())]
    rows = [[name, *(_counts(parts[n]) for n in names)] for name, parts in out.items()]
    return _table(["tracker", *(n.removeprefix(prefix) for n in names)], rows)


def _errors(made: dict[str, Any]) -> int:
    return int(made["switches"] + made["fragments"])


def _counts(made: dict[str, Any]) -> str:
    return f"{made['switches']} / {made['fragments']}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
