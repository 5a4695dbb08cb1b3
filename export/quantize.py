"""int8: QDQ, per channel, unsigned activations, calibrated on training images."""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.graph import read_card, write
from export.sensitivity import BATCH, LOGIT_ERROR, QUANTIZED, errors, quantized, worst

TRIED = 96  # calibration images on which each convolution's error is measured


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Feeds calibration batches to onnxruntime."""

    def __init__(self, images: NDArray[np.float32], eta: NDArray[np.float32]) -> None:
        self._batches = self._cut(images, eta)

    @staticmethod
    def _cut(
        images: NDArray[np.float32], eta: NDArray[np.float32]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        batch = math.gcd(len(images), BATCH)  # percentiles want batches of one size
        for start in range(0, len(images), batch):
            part = slice(start, start + batch)
            target = np.full(len(eta[part]), -1, np.int64)
            yield {"images": images[part], "eta": eta[part], "target": target}

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next batch, None at the end."""
        return next(self._batches, None)


def quantize(
    source: Path,
    path: Path,
    images: NDArray[np.float32],
    eta: NDArray[np.float32],
    *,
    limit: float = LOGIT_ERROR,
    reduced: bool = False,
) -> list[str]:
    """Write the int8 form of a float32 graph.

    The convolutions that cost most stay float32, until the logits' RMS error is within a limit.
    Activations are scaled by their extremes.

    Args:
        source: a float32 .onnx file with a card.
        path: the int8 .onnx file to write.
        images: float32 (N, 3, S, S), calibration images as the network sees them.
        eta: float32 (N,).
        limit: RMS error of the logits that int8 may add; infinity measures nothing.
        reduced: weights of 7 bits.

    Returns:
        The convolutions that stayed float32 because of their error.

    Raises:
        ExportError: the source is no ONNX model, or the result cannot be written.
    """
    card = read_card(source)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        network = onnx.load(str(prepared))
        ranges = _ranges(prepared, images, eta)
    kept = []
    if math.isfinite(limit):
        tried = np.linspace(0, len(images) - 1, min(TRIED, len(images))).astype(int)
        kept = worst(errors(network, ranges, images[tried], eta[tried]), limit)
    result = quantized(network, ranges, _heads(network, len(card.classes)) + kept, reduced)
    write(result, card.replace(precision="int8"), path)
    return kept


def _ranges(prepared: Path, images: NDArray[np.float32], eta: NDArray[np.float32]) -> Any:
    """The extremes of every activation over the calibration images."""
    with tempfile.TemporaryDirectory() as folder:
        calibrator = create_calibrator(
            prepared,
            QUANTIZED,
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
        )
        calibrator.collect_data(_Pictures(images, eta))
        return calibrator.compute_data()


def _heads(model: onnx.ModelProto, n_classes: int) -> list[str]:
    """The head's convolution and its tuned copy, which stay float32."""
    sizes = {t.name: t.dims for t in model.graph.initializer}
    shapes = {n.name: sizes[n.input[1]] for n in model.graph.node if n.op_type == "Conv"}
    return [name for name, (out, _, side, _) in shapes.items() if side == 1 and out == n_classes]
