"""Does an exported model say what the network says? Differences with their tolerances."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend, open_backend
from fervid.errors import ExportError
from fervid.records import CAM_NAMES, ModelOutput

# Largest difference, relative to the reference's largest value. float32: rounding in another
# order. int8: agreement of labels decides, the maps are compared by correlation.
FLOAT_TOLERANCE = 1e-4
INT8_AGREEMENT = 0.98
INT8_CAM_CORRELATION = 0.9


@dataclass(frozen=True, slots=True)
class Parity:
    """How one model compares with the reference; errors relative to the reference's maximum."""

    logits_error: float
    maps_error: float
    cams_error: tuple[float, ...]
    cams_correlation: tuple[float, ...]
    agreement: float
    accuracy: float
    reference_accuracy: float

    def rows(self) -> list[tuple[str, str]]:
        """The figures for a person."""
        cams = zip(CAM_NAMES, self.cams_error, self.cams_correlation, strict=True)
        return [
            ("labels that agree", f"{self.agreement:.2%}"),
            ("accuracy, reference", f"{self.reference_accuracy:.2%}"),
            ("accuracy, this", f"{self.accuracy:.2%}"),
            ("logits, largest difference", f"{self.logits_error:.1e}"),
            ("class maps, largest difference", f"{self.maps_error:.1e}"),
            *(
                (f"{name}, largest / median correlation", f"{e:.1e} / {c:.4f}")
                for name, e, c in cams
            ),
        ]


def outputs(
    backend: Backend, images: NDArray[np.float32], eta: NDArray[np.float32], batch: int = 16
) -> ModelOutput:
    """Run many images in batches of one size."""
    parts = []
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        parts.append(backend.run(images[part], eta[part], np.full(len(eta[part]), -1, np.int64)))
    return ModelOutput(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.maps for part in parts]),
        np.concatenate([part.cams for part in parts]),
    )


def compare(reference: ModelOutput, other: ModelOutput, labels: NDArray[np.int64]) -> Parity:
    """Compare two models' outputs; the maps only where both explain the same class."""
    chosen, said = reference.logits.argmax(1), other.logits.argmax(1)
    same = chosen == said
    cams, theirs = reference.cams[same], other.cams[same]
    return Parity(
        logits_error=_relative(reference.logits, other.logits),
        maps_error=_relative(reference.maps, other.maps),
        cams_error=tuple(_relative(cams[:, v], theirs[:, v]) for v in range(cams.shape[1])),
        cams_correlation=tuple(
            _correlation(cams[:, v], theirs[:, v]) for v in range(cams.shape[1])
        ),
        agreement=float(same.mean()),
        accuracy=float((said == labels).mean()),
        reference_accuracy=float((chosen == labels).mean()),
    )


def enforce(parity: Parity, precision: str) -> None:
    """Refuse a model that differs too much.

    Raises:
        ExportError: which figure is out of its tolerance.
    """
    if precision == "int8":
        if parity.agreement < INT8_AGREEMENT:
            raise ExportError(
                f"int8 and torch agree on {parity.agreement:.2%} of the labels, "
                f"less than {INT8_AGREEMENT:.0%}."
            )
        worst = min(parity.cams_correlation)
        if worst < INT8_CAM_CORRELATION:
            raise ExportError(
                f"An int8 heatmap has a median correlation of {worst:.3f} with torch's, "
                f"less than {INT8_CAM_CORRELATION}."
            )
        return
    worst = max(parity.logits_error, parity.maps_error, *parity.cams_error)
    if worst > FLOAT_TOLERANCE:
        raise ExportError(
            f"The graph differs from torch by {worst:.1e} of the largest value, "
            f"more than {FLOAT_TOLERANCE:.0e}."
        )


def time_ms(path: Path, batches: tuple[int, ...], threads: int, repeats: int = 15) -> list[float]:
    """Median milliseconds a face, for each batch size."""
    backend = open_backend(path, "cpu", threads)
    px = backend.card.input_px
    found = []
    for n in batches:
        images = np.random.default_rng(0).normal(size=(n, 3, px, px)).astype(np.float32)
        eta, target = np.zeros(n, np.float32), np.full(n, -1, np.int64)
        run: Callable[[], ModelOutput] = lambda: backend.run(images, eta, target)  # noqa: B023, E731
        run()
        took = []
        for _ in range(repeats):
            start = time.perf_counter()
            run()
            took.append(time.perf_counter() - start)
        found.append(1000 * float(np.median(took)) / n)
    backend.close()
    return found


def _relative(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max(initial=0) / max(float(np.abs(a).max(initial=0)), 1e-12))


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Median over images of the correlation of two stacks of maps (N, h, w)."""
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    a, b = (x - x.mean(1, keepdims=True) for x in (a, b))
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    known = size > 1e-12
    return float(np.median((a * b).sum(1)[known] / size[known])) if known.any() else 1.0
