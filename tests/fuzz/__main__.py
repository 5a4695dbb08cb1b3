"""Gives fervid thousands of damaged files: `python -m tests.fuzz --files 2000 --seed 0`.

Each is analysed in a child process with limits. It shall be analysed, or refused with one sentence;
anything else is a failure: a crash, another exception, over 10 s of work, over 1.5 GB. Writes
fuzz.json and fuzz.md; the exit code tells whether anything failed.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fervid.console import printable
from tests.fuzz.corpus import corpus
from tests.fuzz.pool import FAILURES, LONGEST_S, MOST_MB, Verdict, look_at
from train.options import RESULTS
from train.results import write_results
from train.tables import Table, figure

HEAD = (
    "# Damaged and hostile files\n\nMade by `python -m tests.fuzz --files {wanted} --seed {seed}` "
    "in {minutes:.0f} minutes: {files} files, {ok} analysed, {refused} refused with one sentence, "
    "**{failed} failures** (a crash, an exception that is no FervidError, a refusal that is no "
    "sentence, over {longest:.0f} s of work, over {most:.0f} MB). Every file is read to its end, "
    "and every {every}th is written out as `-o` does; the network is a stand-in, as what is "
    "damaged does not reach it."
)
COLUMNS = ("ok", "refused", *FAILURES)


def table(found: Sequence[Verdict]) -> Table:
    """A row for each kind of damage."""
    head = ("damage", "files", *COLUMNS, "frames", "damaged", "longest s", "most MB")
    rows = []
    for kind in (*sorted({item.case.kind for item in found}), "all"):
        some = [item for item in found if kind in (item.case.kind, "all")]
        counts = Counter(item.verdict for item in some)
        rows.append(
            (
                *(kind, str(len(some)), *(str(counts[name]) for name in COLUMNS)),
                *(str(sum(item.frames for item in some)), str(sum(i.damaged for i in some))),
                *(figure(max(i.cpu_s for i in some), 1), figure(max(i.peak_mb for i in some), 0)),
            )
        )
    note = "frames: that were analysed; damaged: pictures or packets that were passed over."
    return Table("By kind of damage", head, tuple(rows), note)


def failures(found: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The files that failed, with what happened."""
    return [
        {
            "file": printable(item.case.path.name),
            "kind": item.case.kind,
            "of": item.case.seed,
            "verdict": item.verdict,
            "said": item.said,
        }
        for item in found
        if item.failed
    ]


def main() -> int:
    """Make the files, have them looked at, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    began, found = time.monotonic(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = corpus(folder, args.files, args.seed)
        for item in look_at(cases, folder, args.children, args.every):
            found.append(item)
            if item.failed:
                print(item.verdict, item.case, item.said, flush=True)  # noqa: T201
            if len(found) % 100 == 0:
                print(len(found), "files", flush=True)  # noqa: T201
    counts = Counter(item.verdict for item in found)
    failed = failures(found)
    about = {
        "wanted": args.files,
        "seed": args.seed,
        "every": args.every,
        "files": len(found),
        "minutes": (time.monotonic() - began) / 60,
        "cores": os.cpu_count(),
        **{name: counts[name] for name in ("ok", "refused")},
        "failed": len(failed),
    }
    print(table(found).markdown())  # noqa: T201  its output
    by_kind = Counter((item.case.kind, item.verdict) for item in found)
    figures = about | {
        "verdicts": {f"{kind}: {verdict}": n for (kind, verdict), n in sorted(by_kind.items())},
        "failures": failed,
    }
    head = HEAD.format(**about, longest=LONGEST_S, most=MOST_MB)
    write_results(args.out, "fuzz", figures, head, [table(found)])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
