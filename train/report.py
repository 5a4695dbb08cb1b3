"""`python -m train report`: everything that is said of the model, measured again from its weights.

Each measurement has its own file in docs/results; one that is of these very weights and of these
options is kept, so a report that was interrupted goes on. The page and the plots are made from the
files alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from fervid.backends import open_backend
from fervid.card import sha256
from train.ablation_report import write_ablation
from train.bars import bar_table
from train.baseline_table import baseline_table
from train.evaluate import deployed_plan, evaluate
from train.figure2 import figure2
from train.options import EvaluateOptions, ReportOptions
from train.paper_tables import paper_table
from train.plots import plots
from train.results import FORMAT, stem

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
        """What is written already, if it is of this model's very weights and of today's format."""
        if not self.file.is_file():
            return None
        found: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        same = found.get("format") == FORMAT and found["model"]["sha256"] == sha256(self.model)
        return found if same else None


def parts(model: Path, options: ReportOptions) -> list[Part]:
    """All measurements of FER2013, the shorter ones first."""
    out = options.out
    private = EvaluateOptions(split="private", out=out)
    faults = EvaluateOptions(faults=True, split="private", out=out)
    found = [
        Part("faults", model, faults),
        Part("evaluate", model, private),
        Part("frames", model, EvaluateOptions(in_frame=True, limit=FRAME_FACES, out=out)),
        Part("maps", model, EvaluateOptions(maps=True, split="private", out=out)),
        Part("maps-public", model, EvaluateOptions(maps=True, split="public", out=out)),
        Part("public", model, EvaluateOptions(split="public", out=out)),
    ]
    if options.baseline is not None:
        found += [
            Part("baseline", options.baseline, private),
            Part("baseline-faults", options.baseline, faults),
        ]
    return found


def report(
    model: Path, data: Path, options: ReportOptions, stdout: Console, stderr: Console
) -> list[Path]:
    """Measure what is not measured yet, and write the page and the plots.

    Args:
        model: the shipped .onnx file.
        data: FER2013, as `load_fer2013` takes it.
        options: what the report is of.
        stdout: gets the tables.
        stderr: gets the progress.

    Returns:
        The page and the plots.
    """
    for part in parts(model, options):
        if options.fresh or part.known() is None:
            stderr.print(f"measuring: {part.name}, {part.model.name}", highlight=False)
            evaluate(part.model, data, part.options, stdout, stderr)
    backend = open_backend(model)
    try:
        plan = deployed_plan(backend.card, EvaluateOptions())
        drawn = figure2(backend, plan, options.out / "figure2.png")
    finally:
        backend.close()
    return [*render(model, options), drawn]


def render(model: Path, options: ReportOptions) -> list[Path]:
    """The page and the plots, from the files alone."""
    results = {part.name: known for part in parts(model, options) if (known := part.known())}
    for name, stem_ in BASELINE.items():
        file = options.out / f"{stem_}.json"
        if name not in results and file.is_file():
            results[name] = json.loads(file.read_text(encoding="utf-8"))
    ablation = write_ablation(options.out)
    if ablation:
        text = (options.out / "ablation.json").read_text(encoding="utf-8")
        results["ablation"] = json.loads(text)
    pictures = plots(results, options.out)
    page = options.out / "report.md"
    page.write_text(_page(results, pictures, options, bool(ablation)), encoding="utf-8")
    return [page, *pictures, *ablation]


BASELINE = {
    "baseline": "evaluate-fervid-clean-private",
    "baseline-faults": "faults-fervid-clean-private",
}
CAPTIONS = {
    "accuracy": "Accuracy under the paper's noises. The paper's lines are its own means over three "
    "levels, on its own data.",
    "drift": "How far the heatmaps move; less is better.",
    "faults": "The faults of poor video.",
    "risk-coverage": "What is gained by answering only when sure.",
    "figure2": "The paper's Figure 2: the same face and our four maps.",
}


def _page(
    results: Mapping[str, Any], pictures: list[Path], options: ReportOptions, ablation: bool
) -> str:
    """report.md: the bars, the plots, and where everything else is."""
    about = next(iter(results.values()))["model"]
    head = (
        f"# Report\n\nMade by `python -m train report --data PATH` from the files beside it. Model "
        f"{about['name']}, {about['precision']}, {about['input_px']} px, SHA-256 "
        f"`{about['sha256']}`. The network's input is FER2013's own 48 px, so noise@input, noise "
        "drawn on that grid, is noise@48."
    )
    shown = [*(path.stem for path in pictures), "figure2"]
    drawn = [f"![{CAPTIONS[name]}]({name}.png)\n\n{CAPTIONS[name]}" for name in shown]
    pages = sorted(path.name for path in options.out.glob("*.md") if path.name != "report.md")
    links = "\n".join(f"- [{name.removesuffix('.md')}]({name})" for name in pages)
    said = "" if ablation else "The ablation is not measured yet (`python -m train ablate`).\n\n"
    made = (bar_table(results), paper_table(results), baseline_table(results))
    tables = [table.markdown() for table in made if table.rows]
    return "\n\n".join([head, *tables, *drawn, f"## All measurements\n\n{said}{links}"]) + "\n"
