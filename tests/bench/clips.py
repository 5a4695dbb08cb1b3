"""What is said of real clips, and how often it is uncertain: `python -m tests.bench.clips CLIPS`.

CLIPS is a folder of videos, read as `fervid CLIPS` reads it. Nobody says what the faces in them
express, so this is no accuracy. Writes clips.json and clips.md.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fervid
from train.options import RESULTS
from train.results import write_results
from train.tables import Table, figure, percent

HEAD = (
    "# Real clips\n\nMade by `python -m tests.bench.clips CLIPS`. Model {name}, SHA-256 `{sha}`. "
    "Nobody says what the faces in them express, so this is no accuracy."
)
NOTE = (
    "Shares of the faces in all frames. uncertain: the label is marked as one not to trust, and "
    "why; one face may have several reasons. noise: frames called noisy."
)


def row(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """A clip's figures, from its summary.json."""
    faces, frames = summary["faces"], summary["frames"]
    labels = sorted(summary["labels"].items(), key=lambda pair: -pair[1])[:2]
    uncertain = summary["uncertain"]
    reasons = [f"{name} {percent(share)}" for name, share in uncertain["reasons"].items()]
    return (
        Path(summary["source"]).name,
        f"{frames:,}",
        figure(faces / frames, 2),
        ", ".join(f"{name} {percent(share)}" for name, share in labels) or "-",
        percent(uncertain["share"]) if faces else "-",
        ", ".join(reasons) or "-",
        percent(1 - summary["noise"].get("clean", 0.0)),
    )


def table(summaries: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each clip."""
    head = ("clip", "frames", "faces a frame", "labels %", "uncertain %", "reasons %", "noise %")
    return Table("Labels and doubt", head, tuple(map(row, summaries)), NOTE)


def main() -> None:
    """Analyse, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    summaries = fervid.analyse(str(args.clips))
    about = {"name": summaries[0]["model"], "sha": summaries[0]["model_sha256"]}
    names = ("frames", "faces", "tracks", "labels", "noise", "filters", "uncertain")
    figures = {Path(s["source"]).name: {name: s[name] for name in names} for s in summaries}
    print(table(summaries).markdown())  # noqa: T201  its output
    write_results(
        args.out, "clips", about | {"clips": figures}, HEAD.format(**about), [table(summaries)]
    )


if __name__ == "__main__":
    main()
