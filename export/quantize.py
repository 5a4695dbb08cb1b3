"""int8: QDQ, per channel, unsigned activations, calibrated on training images."""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.graph import read_card, write

BATCH = 16
PERCENTILE = 99.99  # of the activations that set the scale: single outliers would coarsen the rest
WEIGHT_STEPS = 63  # of the 7-bit weights that `reduce_range` makes
COARSE = 0.03  # rounding noise of a row of weights from which it is kept in float32
# Sums, norms and the maps' own arithmetic stay float32: a residual stream that is rounded to 8 bits
# at every block loses labels.
QUANTIZED = ["Conv", "MaxPool"]


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
    reduce_range: bool,
) -> None:
    """Write the int8 form of a float32 graph.

    Args:
        source: a float32 .onnx file with a card.
        path: the int8 .onnx file to write.
        images: float32 (N, 3, S, S), calibration images as the network sees them.
        eta: float32 (N,).
        reduce_range: 7-bit weights, exact on processors without VNNI, whose unsigned x signed
            products saturate.

    Raises:
        ExportError: the source is no ONNX model, or the result cannot be written.
    """
    card = read_card(source)
    with tempfile.TemporaryDirectory() as folder:
        prepared, rough = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        network = onnx.load(str(prepared))
        quantize_static(
            str(prepared),
            str(rough),
            _Pictures(images, eta),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            nodes_to_exclude=_floats(network) + coarse(network),
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )
        write(onnx.load(str(rough)), card.replace(precision="int8"), path)


def coarse(model: onnx.ModelProto) -> list[str]:
    """Convolutions whose weights 7 bits would spoil; they stay float32.

    A row with one large weight and many small ones, as a slim start leaves them (1 for the channel
    that is passed on), rounds the small ones away. Its rounding noise, a step / sqrt(12) for each
    weight, is compared with the norm of the row: .013 in ordinary rows, up to .15 in such.
    """
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            rows = weights[node.input[1]]
            rows = rows.reshape(len(rows), -1).astype(np.float64)
            step = np.abs(rows).max(1) / WEIGHT_STEPS
            size = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
            noise = step * np.sqrt(rows.shape[1] / 12) / size
            if np.percentile(noise, 90) > COARSE:
                kept.append(node.name)
    return kept


def _floats(model: onnx.ModelProto) -> list[str]:
    """The head's convolution and its tuned copy, which stay float32."""
    sizes = {t.name: t.dims for t in model.graph.initializer}
    shapes = {n.name: sizes[n.input[1]] for n in model.graph.node if n.op_type == "Conv"}
    return [
        name
        for name, (out, inputs, side, _) in shapes.items()
        if side == 1 and out <= 64 and inputs == 2048
    ]
