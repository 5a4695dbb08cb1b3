"""Does an exported model say what the network says? Differences with their tolerances."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend, open_backend
from fervid.card import ModelCard
from fervid.errors import ExportError
from fervid.records import CAM_NAMES, ModelOutput

Kind = Literal["clean", "noisy"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What int8 must reach: share of labels that agree, each heatmap's median correlation."""

    agreement: float
    cam_correlation: float


# Largest difference, relative to the reference's largest value: rounding in another order.
FLOAT_TOLERANCE = 1e-4
# The fused maps go back through layer4's ReLU masks: where an activation is 0 to the last bit,
# rounding opens or shuts a mask and the map jumps (torch alone does, when its input moves by 1e-6).
# So they are within the tolerance on this share of the pictures, the others on all.
FUSED_CLOSE = 0.95
FUSED = tuple(name.endswith("_fused") for name in CAM_NAMES)
# int8: agreement of labels decides, the maps are compared by correlation. Clean: what this project
# asks of its int8 form. Noisy: eta widens the range of the activations and more pictures lie near
# the border of two classes, so rounding moves more; two released models had 97.3 and 96.8 %, with
# correlations of .952 and .998 (`python -m export verify`).
INT8: Mapping[Kind, Tolerance] = {"clean": Tolerance(0.98, 0.95), "noisy": Tolerance(0.95, 0.9)}
# float16 has 11 bits: logits and maps of the released model differ by 6e-4 of the largest value.
HALF_TOLERANCE = 5e-3
HALF = Tolerance(0.99, 0.99)
FLAT = 1e-6  # a map whose range is this share of its largest value is constant


@dataclass(frozen=True, slots=True)
class Parity:
    """How one model compares with the reference; errors relative to the reference's maximum.

    `finite`: no output of either is NaN or infinite. `cams_close`: share of the pictures whose map
    is within FLOAT_TOLERANCE.
    """

    finite: bool
    logits_error: float
    maps_error: float
    cams_error: tuple[float, ...]
    cams_close: tuple[float, ...]
    cams_correlation: tuple[float, ...]
    agreement: float
    accuracy: float
    reference_accuracy: float

    def rows(self) -> list[tuple[str, str]]:
        """The figures for a person."""
        columns = (self.cams_error, self.cams_close, self.cams_correlation)
        cams = zip(CAM_NAMES, *columns, strict=True)
        return [
            ("all outputs finite", "yes" if self.finite else "NO"),
            ("labels that agree", f"{self.agreement:.2%}"),
            ("accuracy, reference", f"{self.reference_accuracy:.2%}"),
            ("accuracy, this", f"{self.accuracy:.2%}"),
            ("logits, largest difference", f"{self.logits_error:.1e}"),
            ("class maps, largest difference", f"{self.maps_error:.1e}"),
            *(
                (f"{name}, largest / close / correlation", f"{e:.1e} / {n:.1%} / {c:.4f}")
                for name, e, n, c in cams
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


def check_comparable(reference: ModelCard, other: ModelCard) -> None:
    """Refuse models of different networks before anything is run.

    Raises:
        ExportError: they have other classes or another input.
    """
    one, two = ((card.classes, card.input_px) for card in (reference, other))
    if one != two:
        said = (f"{', '.join(names)} at {px} px" for names, px in (two, one))
        raise ExportError(
            f"The models are of different networks ({', not '.join(said)}); give the weights that "
            "the .onnx file was made from."
        )


def compare(reference: ModelOutput, other: ModelOutput, labels: NDArray[np.int64]) -> Parity:
    """Compare two models' outputs; the maps only where both explain the same class."""
    chosen, said = reference.logits.argmax(1), other.logits.argmax(1)
    same = chosen == said
    cams, theirs = reference.cams[same], other.cams[same]
    return Parity(
        finite=_finite(reference) and _finite(other),
        logits_error=_relative(reference.logits, other.logits),
        maps_error=_relative(reference.maps, other.maps),
        cams_error=tuple(_relative(cams[:, v], theirs[:, v]) for v in range(cams.shape[1])),
        cams_close=tuple(_close(cams[:, v], theirs[:, v]) for v in range(cams.shape[1])),
        cams_correlation=tuple(
            _correlation(cams[:, v], theirs[:, v]) for v in range(cams.shape[1])
        ),
        agreement=float(same.mean()),
        accuracy=float((said == labels).mean()),
        reference_accuracy=float((chosen == labels).mean()),
    )


def enforce(parity: Parity, precision: str, kind: Kind = "clean") -> None:
    """Refuse a model that differs too much.

    Args:
        parity: from `compare`.
        precision: of the exported model's card.
        kind: of the pictures, which decides int8's tolerance.

    Raises:
        ExportError: which figure is out of its tolerance; NaN is out of every one.
    """
    if not parity.finite:
        raise ExportError(
            f"On {kind} pictures an output is NaN or infinite; train or export the model again."
        )
    if precision == "int8":
        _enforce_rounded(parity, kind, precision, INT8[kind])
        return
    cams = tuple(e for e, fused in zip(parity.cams_error, FUSED, strict=True) if not fused)
    worst = _largest((parity.logits_error, parity.maps_error, *cams))
    limit = FLOAT_TOLERANCE
    if precision == "float16":
        _enforce_rounded(parity, kind, precision, HALF)
        limit = HALF_TOLERANCE
    elif not min(parity.cams_close) >= FUSED_CLOSE:
        raise ExportError(
            f"On {kind} pictures only {min(parity.cams_close):.1%} of a heatmap's pictures agree "
            f"with torch's, less than {FUSED_CLOSE:.0%}; export it again from these weights."
        )
    if not worst <= limit:
        raise ExportError(
            f"On {kind} pictures the graph differs from torch by {worst:.1e} of the largest "
            f"value, more than {limit:.0e}; export it again from these weights."
        )


def _enforce_rounded(parity: Parity, kind: Kind, precision: str, wanted: Tolerance) -> None:
    """Labels that agree, and maps that correlate, where rounding is coarse."""
    again = "quantize with more --images" if precision == "int8" else "use the float32 file"
    if not parity.agreement >= wanted.agreement:
        raise ExportError(
            f"On {kind} pictures {precision} and torch agree on {parity.agreement:.2%} of the "
            f"labels, less than {wanted.agreement:.0%}; {again}."
        )
    worst = -_largest(tuple(-value for value in parity.cams_correlation))
    if not worst >= wanted.cam_correlation:
        raise ExportError(
            f"On {kind} pictures one of {precision}'s heatmaps has a median correlation of "
            f"{worst:.3f} with torch's, less than {wanted.cam_correlation}; {again}."
        )


def _largest(values: tuple[float, ...]) -> float:
    """The largest value, NaN if any is: Python's own max lets a NaN go unseen."""
    return float(np.max(values))


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


def _finite(output: ModelOutput) -> bool:
    return all(bool(np.isfinite(part).all()) for part in (output.logits, output.maps, output.cams))


def _relative(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which `enforce` refuses
        return float(np.abs(a - b).max(initial=0) / max(float(np.abs(a).max(initial=0)), 1e-12))


def _close(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Share of the maps (N, h, w) that differ by no more than FLOAT_TOLERANCE; 1 without any."""
    if not len(a):
        return 1.0
    least = FLOAT_TOLERANCE * max(float(np.abs(a).max()), 1e-12)
    with np.errstate(invalid="ignore"):
        return float((np.abs(a - b).max((1, 2)) <= least).mean())


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Median over images of the correlation of two stacks of maps (N, h, w).

    A map that is constant, or not finite, on one side only counts as 0; on both, not at all.
    """
    a_alive, b_alive = _alive(a), _alive(b)
    either = a_alive | b_alive
    if not either.any():
        return 1.0
    both = a_alive & b_alive
    x, y = (m[both].astype(np.float64) for m in (a, b))
    x, y = (m - m.mean((1, 2), keepdims=True) for m in (x, y))
    size = np.sqrt((x**2).sum((1, 2)) * (y**2).sum((1, 2)))
    found = np.zeros(len(a))
    found[both] = (x * y).sum((1, 2)) / size
    return float(np.median(found[either]))


def _alive(maps: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which maps (N, h, w) are finite and not constant, bool (N,)."""
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(maps).all((1, 2)))
    safe = np.where(finite[:, None, None], maps, 0)
    alive = finite & (np.ptp(safe, (1, 2)) > FLAT * np.abs(safe).max((1, 2)))
    return np.asarray(alive, np.bool_)
