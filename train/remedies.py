"""`python -m train remedies`: what could be done against blocking, blur and darkness, and whether.

The run time measures the three in every frame (`Noise.quality`). Each remedy here is tried on
PublicTest's pictures with that fault, and on clean ones, against doing nothing: the same path, the
same network. A remedy belongs into the filter table only if it helps where the fault is; deblocking
is there, and "without" is without it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fervid import corruptions, filters
from fervid.backends import Backend
from fervid.noise import estimate_noise
from train.data import load_fer2013
from train.evaluate import deployed_plan, open_model
from train.faults import TRAINED
from train.metrics import paired_difference
from train.options import RESULTS, EvaluateOptions, at_least_1
from train.results import about_model, write_results
from train.robustness import CLEAN, Plan, Setting, corrupt, prepare_pictures, run_model
from train.tables import Table, percent
from train.thumbnails import choose

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
Remedy = Callable[[U8], U8]

QUALITIES = ("blocking", "blur", "darkness")


def gamma(face: U8) -> U8:
    """Raise the mean to mid-grey by a power."""
    mean = max(float(face.mean()) / 255, 1e-3)
    power = float(np.clip(np.log(0.5) / np.log(mean), 0.2, 1.0))
    table = 255 * (np.arange(256) / 255) ** power
    return np.asarray(cv2.LUT(face, np.rint(table).astype(np.uint8)), np.uint8)


def clahe(face: U8) -> U8:
    """Equalise the histogram of each sixteenth of the face, contrast limited.

    Source: Zuiderveld 1994, "Contrast limited adaptive histogram equalization".
    """
    return np.asarray(cv2.createCLAHE(2.0, (4, 4)).apply(face), np.uint8)


def soften(face: U8) -> U8:
    """A Gaussian blur of half a pixel."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), 0.5), np.uint8)


def sharpen(face: U8) -> U8:
    """An unsharp mask: 1 px, once the difference added."""
    soft = cv2.GaussianBlur(face, (0, 0), 1.0)
    return np.asarray(cv2.addWeighted(face, 2.0, soft, -1.0, 0), np.uint8)


REMEDIES: Mapping[str, Remedy] = {
    "gamma": gamma,
    "clahe": clahe,
    "deblock": lambda face: filters.deblock(face, 0.0),
    "soften": soften,
    "sharpen": sharpen,
}


@dataclass(frozen=True, slots=True)
class JpegAt:
    """The face at another size, `px`, and compressed there."""

    px: int

    def __call__(self, face: U8, quality: float, rng: np.random.Generator) -> U8:
        """uint8 (48, 48) -> (px, px)."""
        how = cv2.INTER_CUBIC if self.px > len(face) else cv2.INTER_AREA
        sized = cv2.resize(face, (self.px, self.px), interpolation=how)
        return corruptions.jpeg(np.asarray(sized, np.uint8), quality, rng)


AT_SIZES = tuple(
    Setting(60 + i, f"{px} px, jpeg", 10, JpegAt(px)) for i, px in enumerate((36, 64, 96))
)
# Nothing held out is looked at here.
SETTINGS: tuple[Setting, ...] = (CLEAN, *TRAINED, *AT_SIZES)


def remedies(
    model: Path, data: Path, stdout: Console, limit: int | None = None, out: Path = RESULTS
) -> list[Path]:
    """Measure every remedy under every fault.

    Args:
        model: .onnx or .safetensors with a card.
        data: FER2013, as `load_fer2013` takes it.
        stdout: gets the table.
        limit: a seeded choice of so many images of PublicTest; None: all.
        out: folder of the results.

    Returns:
        The JSON and the Markdown file that were written.

    Raises:
        ConfigError: the limit is below 1.
        ModelError: the model cannot be loaded, or knows other classes than FER2013.
        DataError: FER2013 cannot be read, or the results cannot be written.
    """
    at_least_1("limit", limit)
    split = load_fer2013(data)["public"]
    at = choose(len(split[1]), limit, 0)
    with open_model(model) as backend:
        plan = deployed_plan(backend.card, EvaluateOptions())
        bare = dataclasses.replace(plan, choice={**plan.choice, "blocked": "none"})
        rows = [remedy_row(backend, (split[0], at, split[1][at]), s, bare) for s in SETTINGS]
        about = about_model(model, backend.card)
    table = remedy_table(rows, len(at))
    stdout.print(table.rich())
    head = (
        f"# Remedies: {model.name}\n\nMade by `python -m train remedies`; limit {limit}. Model "
        f"{about['name']}, SHA-256 `{about['sha256']}`."
    )
    figures = {"model": about, "images": len(at), "settings": rows}
    name = f"remedies-{model.stem}" + ("" if limit is None else f"-{limit}")
    return write_results(out, name, figures, head, [table])


def remedy_row(
    backend: Backend, pictures: tuple[U8, I64, I64], setting: Setting, plan: Plan
) -> dict[str, Any]:
    """One fault: accuracy without a remedy, and what each remedy adds, 95 % interval."""
    images, at, labels = pictures
    spoiled = [corrupt(images[i], setting, plan.seed, int(i)) for i in at]
    quality = np.array([estimate_noise(picture).quality for picture in spoiled])
    without = _right(backend, spoiled, labels, plan)
    found = {}
    for name, remedy in REMEDIES.items():
        right = _right(backend, [remedy(picture) for picture in spoiled], labels, plan)
        gain, *interval = paired_difference(right, without, np.random.default_rng(0))
        found[name] = {"gain": gain, "gain_95": interval}
    return {
        "name": setting.name,
        "accuracy": float(without.mean()),
        "quality": dict(zip(QUALITIES, quality.mean(0).tolist(), strict=True)),
        "remedies": found,
    }


def _right(backend: Backend, pictures: list[U8], labels: I64, plan: Plan) -> NDArray[np.bool_]:
    seen = prepare_pictures(pictures, plan)
    target = np.full(len(labels), -1, np.int64)
    logits = run_model(backend, seen, target, lambda _, __: None).logits
    return np.asarray(logits.argmax(1) == labels, np.bool_)


def remedy_table(rows: list[dict[str, Any]], n: int) -> Table:
    """Points that each remedy adds; bold where its interval is clear of zero."""
    body = [
        (
            row["name"],
            " / ".join(f"{row['quality'][name]:.2f}" for name in QUALITIES),
            percent(row["accuracy"]),
            *(_gain(row["remedies"][name]) for name in REMEDIES),
        )
        for row in rows
    ]
    return Table(
        f"PublicTest: points that a remedy adds, {n:,} images",
        ("fault", "blocking / blur / darkness", "without %", *REMEDIES),
        tuple(body),
        "Read by the run time's own measures, means. A star: the 95 % interval (bootstrap over "
        "images) is clear of zero.",
    )


def _gain(found: Mapping[str, Any]) -> str:
    low, high = found["gain_95"]
    return f"{100 * found['gain']:+.1f}" + ("*" if low > 0 or high < 0 else "")
