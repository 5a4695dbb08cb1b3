"""From logits to calibrated probabilities, and the reasons to doubt a label."""

import numpy as np
from numpy.typing import NDArray

from fervid.card import ModelCard
from fervid.config import LabelConfig
from fervid.records import F32, Faces

LIT = 0.35  # mean luma from which a crop counts as lit, 0-1
BLUR_ENDS = (0.7, 0.95)  # variation kept by a 3 px mean: sharp faces, and faces of 8 px


def darkness(crops: NDArray[np.uint8]) -> F32:
    """How dark crops uint8 (N, S, S) are, float32 (N,): 0 from a mean luma of LIT up, 1 black."""
    light = crops.mean((1, 2), dtype=np.float32) / 255 if len(crops) else np.zeros(0)
    return np.clip(1 - light / LIT, 0, 1).astype(np.float32)


def blur(crops: NDArray[np.uint8]) -> F32:
    """How blurred crops uint8 (N, S, S) are on the network's grid, float32 (N,), 0 sharp to 1.

    The share of the variation between neighbours that survives a 3 px mean, along the worse axis.
    Of FER2013's faces 99 % keep less than .73; shrunk to 16 px or blurred by 1.5 px, where the
    network starts to lose accuracy, most keep more than .88. A face that is small in the frame is
    not blurred by this, one that was enlarged before is.

    Source: Crete et al. 2007, "The blur effect" (equations 3-7), with a shorter filter.
    """
    x = crops.astype(np.float32)
    kept = np.zeros(len(crops), np.float32)
    for axis in (1, 2):
        steps = np.abs(np.diff(x, axis=axis))
        n = steps.shape[axis]
        # The mean of three neighbours changes by a third of what lies between its ends.
        wide = np.take(x, range(3, n + 1), axis) - np.take(x, range(n - 2), axis)
        inner = np.take(steps, range(1, n - 1), axis)
        lost = np.maximum(inner - np.abs(wide) / 3, 0).sum((1, 2))
        kept = np.maximum(kept, 1 - lost / np.maximum(inner.sum((1, 2)), 1e-6))
    return np.interp(kept, BLUR_ENDS, (0, 1)).astype(np.float32)


def calibrate(logits: F32, eta: F32, crops: NDArray[np.uint8], card: ModelCard) -> F32:
    """Probabilities by the card's temperature exp(t0 + t1 eta + t2 darkness).

    Args:
        logits: float32 (N, K).
        eta: float32 (N,), noise left in the crops.
        crops: uint8 (N, S, S).
        card: the model's card.

    Returns:
        float32 (N, K), each row sums to 1.

    Source: Guo et al. 2017, "On calibration of modern neural networks" (temperature scaling), with
        a temperature that depends on the conditions.
    """
    t0, t1, t2 = card.temperature
    temperature = np.exp(t0 + t1 * eta + t2 * darkness(crops))[:, None]
    z = logits / temperature
    e = np.exp(z - z.max(1, keepdims=True, initial=-np.inf))
    return np.asarray(e / e.sum(1, keepdims=True), np.float32)


def doubts(
    probabilities: F32,
    faces: Faces,
    crops: NDArray[np.uint8],
    config: LabelConfig,
    card: ModelCard,
) -> tuple[tuple[str, ...], ...]:
    """Why each label is uncertain; an empty tuple where it is not.

    Args:
        probabilities: float32 (N, K), calibrated.
        faces: N faces.
        crops: uint8 (N, S, S), what the network saw.
        config: the limits.
        card: the model's card, for its own confidence limit.

    Returns:
        N tuples of "confidence", "small", "blurred", "dark".
    """
    least = card.uncertain_below if config.confident_from is None else config.confident_from
    dark, soft = darkness(crops), blur(crops)
    found = []
    for i in range(len(faces)):
        x0, y0, x1, y1 = faces.boxes[i]
        checks = {
            "confidence": float(probabilities[i].max()) < least,
            "small": max(x1 - x0, y1 - y0) < config.small_px,
            "blurred": soft[i] >= config.blurred_from,
            "dark": dark[i] >= config.dark_from,
        }
        found.append(tuple(reason for reason, holds in checks.items() if holds))
    return tuple(found)
