"""Follow the README's first command in a fresh clone and a fresh environment, and take the times.

    python -m tests.bench.walk [--python python3.11]

writes docs/results/walk.json and .md. What pip downloads comes from where this machine gets it; its
cache is not used.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.places import ROOT

RESULTS = ROOT / "docs" / "results"
LIMIT_S = 300
KEPT = ("PATH", "LANG", "SSL_CERT_FILE", "PIP_INDEX_URL", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


def command():
    """The first command of the README's "Try it"."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## Try it")[1]
    return next(line.strip() for line in text.splitlines() if line.startswith("    "))


def walk(folder, python):
    """Run each step of the command in a shell of its own; returns its seconds by what was typed."""
    kept = {name: os.environ[name] for name in (*KEPT, *map(str.lower, KEPT)) if name in os.environ}
    environment = kept | {"HOME": str(folder), "PIP_NO_CACHE_DIR": "1", "PIP_QUIET": "1"}
    before, took = "", {}
    for step in command().split(" && "):
        typed = step.replace("python3 ", f"{python} ")
        if step.startswith("."):
            before = f"{typed} && "
            continue
        begin = time.monotonic()
        subprocess.run(
            ["bash", "-c", before + typed], cwd=folder / "fervid", env=environment, check=True
        )
        took[step] = round(time.monotonic() - begin, 1)
    return took


def report(record):
    """The record as a page."""
    rows = [f"| `{step}` | {seconds} |" for step, seconds in record["steps"].items()]
    return "\n".join(
        [
            "# The README, followed",
            "",
            f"`python -m tests.bench.walk`, {record['date']}, {record['machine']}, in a fresh "
            "clone and a fresh environment.",
            "",
            "| step | s |",
            "|---|---|",
            *rows,
            f"| in all (the bar is {LIMIT_S}) | {record['seconds']} |",
            "",
            f"Then the results' folder holds {', '.join(f'`{name}`' for name in record['left'])}.",
            "",
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="python3")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "fervid")], check=True)
        steps = walk(folder, shutil.which(args.python) or args.python)
        left = sorted(p.name for p in (folder / "fervid" / "results").rglob("*") if p.is_file())
    seconds = round(sum(steps.values()), 1)
    record = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "steps": steps,
        "seconds": seconds,
        "left": left,
    }
    (RESULTS / "walk.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "walk.md").write_text(report(record), encoding="utf-8")
    sys.stdout.write(report(record))
    return 0 if seconds <= LIMIT_S and "faces.parquet" in left else 1


if __name__ == "__main__":
    sys.exit(main())
