"""How well a heatmap says what the network looks at: deletion, insertion, response to the class.

A heatmap ranks the pixels of a crop. Deletion replaces the most important ones by a blurred copy
of the crop, insertion starts from the blurred copy and puts them back; both follow the probability
of the class that the unmodified crop was given. Beside each map stand controls that know nothing
of the image: the mean of that kind's maps over the same images, a centred blob, a random map.

Source: Petsiuk, Das, Saenko 2018, "RISE: Randomized input sampling for explanation of black-box
    models", arXiv 1806.07421 (deletion and insertion, areas by the trapezoid rule).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend
from fervid.explain import aligned
from fervid.labels import calibrate
from fervid.records import CAM_NAMES, F32, ModelOutput
from train.metrics import drift, unit_maps
from train.robustness import Prepared, run_model
from train.telling import Tell

U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

STEPS = 12
# Sigma of the blurred copy as a share of the crop's side, 4 px of 48: on 40 faces of PublicTest the
# shipped model's confidence falls from .66 to .25 (.44 at 2 px, .19 at 6).
BLUR_SHARE = 1 / 12
DIGITS = 4  # values of an enlarged map that agree so far are equal: more is rounding
CONTROLS = ("mean_face", "blob", "random")
RANKINGS = (*CAM_NAMES, *(f"mean_face {name}" for name in CAM_NAMES), "blob", "random")


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Probability of the predicted class while pixels go (deletion) or come back (insertion).

    Attributes:
        shares: float64 (T + 1,), share of the pixels that went or came back, 0 to 1.
        deletion: ranking (one of RANKINGS) -> float32 (N, T + 1); good maps fall fast.
        insertion: the same; good maps rise fast.
    """

    shares: F64
    deletion: Mapping[str, F32]
    insertion: Mapping[str, F32]

    def areas(self, way: str) -> dict[str, F64]:
        """Area under each image's curve, ranking -> float64 (N,); way: a field's name."""
        curves: Mapping[str, F32] = getattr(self, way)
        return {
            name: np.asarray(np.trapezoid(curve, self.shares, axis=1), np.float64)
            for name, curve in curves.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """How far the maps of the two most probable classes of a crop lie apart.

    Attributes:
        ssim: float32 (N,), 1 - SSIM.
        cosine: float32 (N,), cosine distance.
        both: bool (N,), whether both maps say something; where not, the distances mean nothing.
    """

    ssim: F32
    cosine: F32
    both: Bools


def work(n: int, steps: int = STEPS) -> int:
    """Steps that `explain_crops`, `follow` and `respond` together will tell of, for n crops."""
    return n * (3 + 2 * len(RANKINGS) * (steps - 1))


def explain_crops(backend: Backend, prepared: Prepared, tell: Tell) -> ModelOutput:
    """The model's answer for N crops, maps of the predicted class."""
    tell("maps", 0)
    return run_model(backend, prepared, np.full(len(prepared.eta), -1, np.int64), tell)


def follow(
    backend: Backend,
    prepared: Prepared,
    output: ModelOutput,
    tell: Tell,
    seed: int = 0,
    steps: int = STEPS,
) -> Curves:
    """Deletion and insertion curves of the four maps and of the controls.

    Args:
        backend: the model; its probabilities are calibrated by its card, as fervid's are.
        prepared: N crops of S x S; eta stays what it is while pixels are replaced.
        output: what `explain_crops` returns for them.
        tell: is told of progress.
        seed: of the random map.
        steps: T, equal shares of the pixels.
    """
    target = np.asarray(output.logits.argmax(1), np.int64)
    sharp, soft = prepared.crops, blurred(prepared.crops)
    px, pixels = sharp.shape[1], sharp[0].size

    def probability(crops: U8) -> F32:
        logits = run_model(backend, Prepared(crops, prepared.eta, prepared.kinds), target, tell)
        return _of_target(logits.logits, crops, prepared.eta, backend, target)

    whole = _of_target(output.logits, sharp, prepared.eta, backend, target)
    tell("blurred crops", 0)
    empty = probability(soft)
    shares = np.linspace(0, 1, steps + 1)
    curves: dict[str, dict[str, F32]] = {"deletion": {}, "insertion": {}}
    for name, places in rankings(output.cams, px, np.random.default_rng(seed)):
        tell(f"deletion and insertion, {name}", 0)
        fell, rose = [whole], [empty]
        for share in shares[1:-1]:
            first = (places < round(share * pixels)).reshape(sharp.shape)
            fell.append(probability(np.where(first, soft, sharp)))
            rose.append(probability(np.where(first, sharp, soft)))
        curves["deletion"][name] = np.stack([*fell, empty], 1)
        curves["insertion"][name] = np.stack([*rose, whole], 1)
    return Curves(shares, **curves)


def _of_target(logits: F32, crops: U8, eta: F32, backend: Backend, target: I64) -> F32:
    return calibrate(logits, eta, crops, backend.card)[np.arange(len(target)), target]


def blurred(crops: U8) -> U8:
    """Crops uint8 (N, S, S) without most of the expression: Gaussian of sigma BLUR_SHARE S."""
    sigma = crops.shape[1] * BLUR_SHARE
    return np.stack([np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.uint8) for crop in crops])


def rankings(cams: F32, px: int, rng: np.random.Generator) -> Iterator[tuple[str, I32]]:
    """Each ranking's name and the place of every pixel in it, 0 the most important.

    Pixels on which a map is equal are ordered by the random map, so a constant map does exactly as
    well as that control. The mean face is over all N images, each one's own map among them, which
    favours it by 1/N. Of the blob only the order counts, so it has no width.

    Args:
        cams: float32 (N, 4, h, w), in the order of CAM_NAMES.
        px: S, side of the crops.
        rng: draws the random maps, uniform, one of h x w cells an image.

    Yields:
        In the order of RANKINGS, a name and int32 (N, S S).
    """
    n, _, h, w = cams.shape
    chance = enlarged(rng.random((n, h, w), np.float32), px)
    units = [unit_maps(cams[:, number]) for number in range(len(CAM_NAMES))]
    for name, (unit, _) in zip(CAM_NAMES, units, strict=True):
        yield name, _places(enlarged(unit, px), chance)
    for name, (unit, alive) in zip(CAM_NAMES, units, strict=True):
        mean = unit.sum(0, keepdims=True) / max(1, int(alive.sum()))
        yield f"mean_face {name}", _places(np.repeat(enlarged(mean, px), n, 0), chance)
    away = np.square(np.arange(px) - (px - 1) / 2)
    blob = -np.add.outer(away, away).astype(np.float32)
    yield "blob", _places(np.repeat(blob[None], n, 0), chance)
    yield "random", _places(chance, chance)


def enlarged(unit: F32, px: int) -> F32:
    """Maps (N, h, w) of 0-1 as fervid lays them over a crop, (N, px, px), in the same order.

    Half as steep about the middle, because the cubic interpolation of `aligned` overshoots by less
    than half the range, and what it clips would lose its order.
    """
    return aligned((unit / 2 + 0.25).astype(np.float32), px)


def _places(heat: F32, chance: F32) -> I32:
    """(N, S, S) -> int32 (N, S S): how many pixels are hotter; equal ones by `chance`."""
    flat, other = heat.reshape(len(heat), -1).round(DIGITS), chance.reshape(len(heat), -1)
    order = np.lexsort((-other, -flat), axis=1)
    places = np.empty(flat.shape, np.int32)
    np.put_along_axis(places, order, np.arange(flat.shape[1], dtype=np.int32)[None], 1)
    return places


def respond(
    backend: Backend, prepared: Prepared, output: ModelOutput, tell: Tell
) -> dict[str, Response]:
    """How far each map changes from the predicted class to the runner-up.

    Args:
        backend: the model.
        prepared: N crops.
        output: what `explain_crops` returns for them.
        tell: is told of progress.

    Returns:
        Name of the map -> its response.
    """
    tell("maps of the runner-up", 0)
    second = np.asarray(output.logits.argsort(1)[:, -2], np.int64)
    other = run_model(backend, prepared, second, tell).cams
    found = {}
    for number, name in enumerate(CAM_NAMES):
        a, b = output.cams[:, number], other[:, number]
        found[name] = Response(*drift(a, b), unit_maps(a)[1] & unit_maps(b)[1])
    return found
