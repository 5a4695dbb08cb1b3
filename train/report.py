"""`python -m train report`: everything that is said of the model, measured again from its weights.

Each measurement has its own file in docs/results; one that is of these very weights and of these
options is kept, so a report that was interrupted goes on. The page and the plots are made from the
files alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fervid.card import sha256
from train.options import RESULTS, EvaluateOptions
from train.results import stem

FRAME_FACES = 300


@dataclass(frozen=True, slots=True)
class Part:
    """One measurement: its name in the report, of which model, and with what options."""

    name: str
    model: Path
    options: EvaluateOptions

    @property
    def file(self) -> Path:
        """Where it is written."""
        return self.options.out / f"{stem(self.model, self.options)}.json"

    def known(self) -> dict[str, Any] | None:
        """What is written already, if it is of this model's very weights."""
        if not self.file.is_file():
            return None
        found: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return found if found["model"]["sha256"] == sha256(self.model) else None


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the report is of.

    Attributes:
        baseline: The clean-trained network of the same budget; without it the baseline's files are
            used where they are.
        out: Folder of the results.
        fresh: Measure again what is measured already.
    """

    baseline: Path | None = None
    out: Path = RESULTS
    fresh: bool = False


def parts(model: Path, options: ReportOptions) -> list[Part]:
    """All measurements of FER2013, the shorter ones first."""
    out = options.out
    private = EvaluateOptions(split="private", out=out)
    found = [
        Part("faults", model, EvaluateOptions(faults=True, split="private", out=out)),
        Part("evaluate", model, private),
        Part("frames", model, EvaluateOptions(in_frame=True, limit=FRAME_FACES, out=out)),
        Part("public", model, EvaluateOptions(split="public", out=out)),
    ]
    if options.baseline is not None:
        faults = EvaluateOptions(faults=True, split="private", out=out)
        found += [
            Part("baseline", options.baseline, private),
            Part("baseline-faults", options.baseline, faults),
        ]
    return found
