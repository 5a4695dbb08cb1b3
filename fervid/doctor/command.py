"""`fervid doctor`: the findings as a table or as JSON."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fervid.doctor import Finding
from fervid.doctor.examine import examine

LOOKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "bad": ("BAD", "bold red")}


def doctor(
    *,
    model: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    console: Annotated[Console, Parameter(parse=False)],
) -> int:
    """Say what works here, and how to mend what does not.

    Exit code 0 if all that is needed works, 1 if something that is needed does not.

    Args:
        model: Model file to look at instead of the one that comes with fervid.
        as_json: Print JSON for programs instead of a table.
        console: Standard output.
    """
    findings = examine(model)
    if as_json:
        console.out(to_json(findings), highlight=False)
    else:
        console.print(table(findings))
        console.print(Text(verdict(findings)))
    return int(not works(findings))


def works(findings: Sequence[Finding]) -> bool:
    """Whether all that is needed works."""
    return all(finding.status != "bad" for finding in findings)


def verdict(findings: Sequence[Finding]) -> str:
    """The table in one sentence."""
    bad = sum(finding.status == "bad" for finding in findings)
    notes = sum(finding.status == "note" for finding in findings)
    if bad:
        return f"{bad} of {len(findings)} checks failed; do what stands beside them."
    return f"Everything that is needed works ({notes} notes)." if notes else "Everything works."


def to_json(findings: Sequence[Finding]) -> str:
    """The findings as JSON: {"works": bool, "findings": [{name, status, found, todo}, ...]}."""
    rows = [dataclasses.asdict(finding) for finding in findings]
    return json.dumps({"works": works(findings), "findings": rows}, indent=2, ensure_ascii=False)


def table(findings: Sequence[Finding]) -> Table:
    """The findings as a table."""
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column("")
    shown.add_column("What", no_wrap=True)
    shown.add_column("Found", overflow="fold", ratio=3)
    shown.add_column("What to do", overflow="fold", ratio=2)
    for finding in findings:
        word, style = LOOKS[finding.status]
        cells = (finding.name, finding.found, finding.todo)
        shown.add_row(Text(word, style=style), *(Text(_plain(cell)) for cell in cells))
    return shown


def _plain(text: str) -> str:
    """Text on one line, without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
