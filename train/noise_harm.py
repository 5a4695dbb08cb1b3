"""`python -m train noise-harm`: whether choosing a filter by the noise ever costs accuracy.

Where noise was resized or compressed after it was added, in the dark and in mixtures the estimate
may be wrong, and a wrong filter could do worse than none. The same 48 px pictures go through the
card's choice of filters and through none; eta is what each leaves, the rest of the path the same.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fervid.backends import Backend
from fervid.errors import ConfigError
from fervid.filters import FilterName
from fervid.records import NOISE_KINDS
from train.data import Split, load_fer2013
from train.evaluate import deployed_plan, open_model
from train.metrics import mcnemar, paired_difference
from train.noise_faults import CONDITIONS, Fault, Mix, spoiled
from train.noise_tables import share
from train.options import RESULTS, EvaluateOptions
from train.results import about_model, write_results
from train.robustness import Plan, Prepared, prepare_pictures, run_model
from train.tables import Table, figure, percent
from train.thumbnails import choose

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]
Condition = tuple[Fault, Mix]

NONE: Mapping[str, FilterName] = dict.fromkeys(NOISE_KINDS, "none")

log = logging.getLogger(__name__)


def noise_harm(
    model: Path,
    data: Path,
    stdout: Console,
    limit: int | None = None,
    out: Path = RESULTS,
    seed: int = 0,
) -> list[Path]:
    """Measure filter auto against filter none on PrivateTest under every condition.

    Args:
        model: .onnx or .safetensors with a card.
        data: FER2013, as `load_fer2013` takes it.
        stdout: gets the tables.
        limit: a seeded choice of so many images; None: all.
        out: folder of the results.
        seed: of the noise, of the choice and of the intervals.

    Returns:
        The JSON and the Markdown file that were written.

    Raises:
        ConfigError: the limit is below 1.
        ModelError: the model cannot be loaded, or knows other classes than FER2013.
        DataError: FER2013 cannot be read, or the results cannot be written.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit must be at least 1, not {limit}.", "limit")
    with open_model(model) as backend:
        plan = deployed_plan(backend.card, EvaluateOptions(seed=seed))
        split = load_fer2013(data)["private"]
        at = choose(len(split[1]), limit, seed)
        rows = harm_rows(backend, split, at, plan)
    about = about_model(model, backend.card) | {"filters": dict(plan.choice)}
    figures = {"model": about, "images": len(at), "seed": seed, "conditions": rows}
    table = harm_table(rows, len(at))
    stdout.print(table.rich())
    filters = ", ".join(f"{kind} -> {name}" for kind, name in plan.choice.items())
    head = (
        f"# Filters where the noise estimate may fail: {model.name}\n\nMade by `python -m train "
        f"noise-harm`; limit {limit}, seed {seed}. Model {about['name']}, SHA-256 "
        f"`{about['sha256']}`. Filters: {filters}."
    )
    stem = f"noise-harm-{model.stem}" + ("" if limit is None else f"-{limit}")
    stem += f"-seed{seed}" if seed else ""
    return write_results(out, stem, figures, head, [table])


def harm_rows(
    backend: Backend,
    split: Split,
    indices: I64,
    plan: Plan,
    conditions: Sequence[Condition] = CONDITIONS,
) -> list[dict[str, Any]]:
    """Both paths under every condition, picture by picture the same noise.

    Args:
        backend: the model.
        split: images uint8 (M, 48, 48) and labels int64 (M,).
        indices: int64 (N,), which of them.
        plan: the path with the filters chosen by the noise.
        conditions: what is done to the pictures.

    Returns:
        For each condition: accuracies, "filtered" (share of pictures that reach the network
        otherwise than without a filter), "answers" (share of each kind that was taken), "gain" of
        auto over none with its 95 % interval and McNemar's p.
    """
    images, labels = split
    rng = np.random.default_rng(plan.seed)
    rows = []
    for fault, mix in conditions:
        pictures = [spoiled(images[i], fault, mix, plan.seed, int(i))[1] for i in indices]
        bare = dataclasses.replace(plan, choice=NONE)
        auto, none = (prepare_pictures(pictures, how) for how in (plan, bare))
        says, says_bare, changed = both_answers(backend, auto, none)
        right, right_bare = says == labels[indices], says_bare == labels[indices]
        row: dict[str, Any] = {"fault": fault.name, "noise": mix.name}
        row["filtered"] = float(changed.mean())
        row["answers"] = {kind: auto.kinds.count(kind) / len(indices) for kind in NOISE_KINDS}
        row |= compared(right, right_bare, rng)
        log.info("%s, %s: %+.2f points", fault.name, mix.name, 100 * row["gain"])
        rows.append(row)
    return rows


def both_answers(backend: Backend, auto: Prepared, none: Prepared) -> tuple[I64, I64, Bools]:
    """The most probable classes (N,) of both, and which pictures differ between them, bool (N,).

    Only those that differ are run twice: the same input has the same answer.
    """
    changed = np.asarray((auto.crops != none.crops).any((1, 2)) | (auto.eta != none.eta), np.bool_)
    without = _predicted(backend, none)
    answers = without.copy()
    if changed.any():
        kinds = tuple(kind for kind, differs in zip(auto.kinds, changed, strict=True) if differs)
        some = Prepared(auto.crops[changed], auto.eta[changed], kinds)
        answers[changed] = _predicted(backend, some)
    return answers, without, changed


def _predicted(backend: Backend, prepared: Prepared) -> I64:
    target = np.full(len(prepared.eta), -1, np.int64)
    output = run_model(backend, prepared, target, lambda what, steps: None)
    return np.asarray(output.logits.argmax(1), np.int64)


def compared(auto: Bools, none: Bools, rng: np.random.Generator) -> dict[str, Any]:
    """Accuracies of both, the paired difference with its interval, and McNemar's p.

    Args:
        auto: (N,), whether each picture is right with the filter chosen.
        none: (N,), without one.
        rng: resamples the pictures.
    """
    gain, *interval = paired_difference(auto, none, rng)
    return {
        "accuracy_auto": float(auto.mean()),
        "accuracy_none": float(none.mean()),
        "gain": gain,
        "gain_95": interval,
        "mcnemar_p": mcnemar(auto, none),
    }


def harm_table(rows: Sequence[Mapping[str, Any]], images: int) -> Table:
    """A row a condition; the note counts those in which the filters cost accuracy."""
    cells = []
    for row in rows:
        low, high = row["gain_95"]
        cells.append(
            (
                row["fault"],
                row["noise"],
                percent(row["accuracy_auto"]),
                percent(row["accuracy_none"]),
                f"{100 * row['gain']:+.2f}",
                f"{100 * low:+.2f} to {100 * high:+.2f}",
                figure(row["mcnemar_p"]),
                percent(row["filtered"]),
                *(share(row["answers"][kind]) for kind in NOISE_KINDS),
            )
        )
    kinds = tuple(f"{kind} %" for kind in NOISE_KINDS)
    gains = ("auto - none, points", "95 %", "McNemar p")
    head = ("", "noise", "auto %", "none %", *gains, "filtered %", *kinds)
    return Table(
        "Accuracy with the filter chosen and with none", head, tuple(cells), said(rows, images)
    )


def said(rows: Sequence[Mapping[str, Any]], images: int) -> str:
    """In how many conditions auto is below none, and in which of them beyond chance."""
    lower = [row for row in rows if row["gain"] < 0]
    worse = [f"{row['fault']}, {row['noise']}" for row in lower if row["mcnemar_p"] < 0.05]
    beyond = f"with p < .05 in {len(worse)}" + (f" ({'; '.join(worse)})" if worse else "")
    return (
        f"{images:,} PrivateTest images. Auto is below none in {len(lower)} of {len(rows)} "
        f"conditions, {beyond}; were the two equal everywhere, one in forty would be so by chance. "
        "Filtered: pictures that reach the network otherwise than without a filter."
    )
