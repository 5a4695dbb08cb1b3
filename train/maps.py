"""How good the four heatmaps are on FER2013, and which one to show."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend
from fervid.network import ExpressionNet
from fervid.records import CAM_NAMES
from train.bars import MIDDLE
from train.cam_faithfulness import faithfulness
from train.cam_quality import explain_crops, follow, respond
from train.cam_quality_report import Measured, cam_quality_figures, choose_map
from train.cam_quality_tables import cam_quality_tables
from train.cam_sanity import randomise_weights
from train.data import Split
from train.metrics import drift
from train.robustness import CLEAN, NOISY, Plan, Prepared, prepare, run_model
from train.robustness_tables import TITLES
from train.tables import Table, figure
from train.telling import Tell

I64 = NDArray[np.int64]
IMAGES = 400  # of a split, unless told otherwise
SANITY_IMAGES, FAITHFUL_IMAGES = 100, 40  # of those, for what needs many passes through torch


def measure_maps(
    backend: Backend,
    net: ExpressionNet | None,
    splits: Mapping[str, Split],
    chosen: Mapping[str, I64],
    plan: Plan,
    tell: Tell,
) -> tuple[dict[str, Any], list[Table]]:
    """Deletion and insertion, response, drift, and with torch also sanity and faithfulness.

    Args:
        backend: the model.
        net: the same weights in torch; None leaves out what needs them.
        splits: as `load_fer2013` returns them.
        chosen: "public" and/or "private" -> int64 (N,), which images.
        plan: how pictures reach the network.
        tell: is told of progress.

    Returns:
        Figures for JSON, and tables.
    """
    parts: dict[str, Any] = {}
    tables: list[Table] = []
    for name, at in chosen.items():
        images = splits[name][0]
        seen = prepare(images, at, CLEAN, plan)
        output = explain_crops(backend, seen, tell)
        curves = follow(backend, seen, output, tell, plan.seed)
        response = respond(backend, seen, output, tell)
        randomised = faithful = None
        if net is not None:
            some = _first(seen, SANITY_IMAGES)
            randomised = randomise_weights(net, some, plan.card, tell, plan.seed)
            faithful = faithfulness(net, _first(seen, FAITHFUL_IMAGES), plan.card, tell)
        measured = Measured(curves, response, randomised, faithful)
        part = cam_quality_figures(measured, np.random.default_rng(plan.seed))
        said = np.asarray(output.logits.argmax(1), np.int64)
        part["drift"] = _drifts(backend, (images, at, said), output.cams, plan, tell)
        part["chosen"] = choose_map(part, part["drift"]) if randomised is not None else None
        parts[name] = part
        tables += [_titled(table, name) for table in cam_quality_tables(part)]
        tables.append(_choice_table(name, part))
    return {"splits": parts}, tables


def _first(seen: Prepared, n: int) -> Prepared:
    return Prepared(seen.crops[:n], seen.eta[:n], seen.kinds[:n])


def _drifts(
    backend: Backend,
    pictures: tuple[NDArray[np.uint8], I64, I64],
    clean: NDArray[np.float32],
    plan: Plan,
    tell: Tell,
) -> dict[str, float]:
    """Mean DC of each map over the middle level of each noise; images, which, classes."""
    images, at, said = pictures
    moved: dict[str, list[float]] = {name: [] for name in CAM_NAMES}
    for setting in (s for s in NOISY if s.name in MIDDLE.values()):
        tell(f"drift, {setting.name}", 0)
        noisy = run_model(backend, prepare(images, at, setting, plan), said, tell)
        for number, name in enumerate(CAM_NAMES):
            moved[name].append(float(drift(clean[:, number], noisy.cams[:, number])[0].mean()))
    return {name: float(np.mean(values)) for name, values in moved.items()}


def _titled(table: Table, split: str) -> Table:
    return Table(f"{TITLES[split]}: {table.title}", table.head, table.rows, table.note)


def _choice_table(split: str, part: Mapping[str, Any]) -> Table:
    rows = [
        (
            name,
            "yes" if part["better_than_all"][name] else "no",
            "-"
            if part["randomised"] is None
            else ("yes" if part["randomised"]["maps"][name]["survives"] else "no"),
            figure(part["drift"][name]),
            "shown" if part["chosen"] == name else "",
        )
        for name in CAM_NAMES
    ]
    return Table(
        f"{TITLES[split]}: which map to show",
        ("map", "beats mean face, blob, random", "survives random weights", "DC", "by the rule"),
        tuple(rows),
        "The rule: of the maps that beat all three controls in deletion and insertion and do not "
        "survive random weights, the one that drifts least (mean DC at the middle levels).",
    )


def work(chosen: Mapping[str, I64], per_image: int, torch: bool) -> int:
    """Steps that `measure_maps` will tell of, about; `per_image` is `cam_quality.work(1)`."""
    extra = 7 * SANITY_IMAGES + FAITHFUL_IMAGES if torch else 0
    return sum(len(at) * (per_image + len(MIDDLE)) + extra for at in chosen.values())
