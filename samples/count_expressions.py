"""Count expressions: a folder of clips in, a table out (CSV), a row a clip.

python samples/count_expressions.py clips/ > table.csv

A cell is the share of the faces that were seen with that expression; uncertain ones are counted
apart.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

import fervid

CLIPS = {".avi", ".mkv", ".mov", ".mp4", ".mpg", ".webm"}


def count(pipeline: fervid.Pipeline, clip: Path) -> Counter[str]:
    """How often each expression was seen, once for every face in every frame."""
    seen: Counter[str] = Counter()
    for result in pipeline.run(clip):
        for label, uncertain in zip(result.labels, result.uncertain.tolist(), strict=True):
            seen["uncertain" if uncertain else label] += 1
    return seen


def main(folder: str) -> None:
    table = csv.writer(sys.stdout)
    with fervid.Pipeline() as pipeline:
        columns = [*pipeline.classes, "uncertain"]
        table.writerow(["clip", "faces", *columns, "problem"])
        for clip in sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in CLIPS):
            try:
                seen, problem = count(pipeline, clip), ""
            except fervid.SourceError as error:  # one bad clip does not stop the others
                seen, problem = Counter(), str(error)
            faces = max(seen.total(), 1)
            shares = [f"{seen[name] / faces:.3f}" for name in columns]
            table.writerow([clip.relative_to(folder), seen.total(), *shares, problem])


if __name__ == "__main__":
    main(sys.argv[1])
