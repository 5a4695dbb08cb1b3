"""int8: QDQ, per channel, unsigned activations, calibrated on training images."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
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
# Only convolutions, and the additions between them, gain; the maps' own arithmetic stays float.
QUANTIZED = ["Conv", "Add", "Relu", "MaxPool"]


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Feeds calibration batches to onnxruntime."""

    def __init__(self, images: NDArray[np.float32], eta: NDArray[np.float32]) -> None:
        self._batches = self._cut(images, eta)

    @staticmethod
    def _cut(
        images: NDArray[np.float32], eta: NDArray[np.float32]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
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
        quantize_static(
            str(prepared),
            str(rough),
            _Pictures(images, eta),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            nodes_to_exclude=_floats(onnx.load(str(prepared))),
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
        write(onnx.load(str(rough)), card.replace(precision="int8"), path)


def _floats(model: onnx.ModelProto) -> list[str]:
    """Nodes that stay float32: the head's convolutions, and sums that feed no convolution.

    A residual sum (an Add whose result goes to a Relu) is quantized; the Adds of the adaptive
    norms, of the input's light and of the maps are not.
    """
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    sizes = {t.name: t.dims for t in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if (
            node.op_type == "Conv"
            and sizes[node.input[1]][0] <= 64
            and sizes[node.input[1]][2] == 1
        ):
            if sizes[node.input[1]][1] == 2048:  # the head and its tuned copy
                kept.append(node.name)
        elif node.op_type == "Add":
            followers = users.get(node.output[0], [])
            if not any(user.op_type == "Relu" for user in followers):
                kept.append(node.name)
    return kept
