"""Which convolutions must stay float32 for the labels to stay: measured, one at a time."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx.utils import Extractor
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from fervid.backends.onnx_backend import session_options

# Sums, norms and the maps' own arithmetic stay float32: a residual stream that is rounded to 8 bits
# at every block loses labels.
QUANTIZED = ["Conv", "MaxPool"]
# RMS error of the logits that int8 may add: about one label in a hundred then changes.
LOGIT_ERROR = 0.04
BATCH = 16


def quantized(
    model: onnx.ModelProto, ranges: Any, floats: Iterable[str], reduced: bool = False
) -> onnx.ModelProto:
    """The graph with its convolutions in QDQ form: per channel, unsigned activations.

    Args:
        model: the prepared float32 graph; it is left as it is.
        ranges: of its activations, from onnxruntime's calibrator.
        floats: names of the nodes that stay float32.
        reduced: weights of 7 bits, for programs that run the file without `session_options`.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    quantizer = QDQQuantizer(
        copy,
        True,  # per channel
        reduced,  # fervid's own have 8 bits; without `session_options` 7 may saturate as well
        QuantType.QInt8,
        QuantType.QUInt8,
        ranges,
        [],
        list(floats),
        QUANTIZED,
        {},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result: onnx.ModelProto = quantizer.model.model
    return result


def logits(
    model: onnx.ModelProto, images: NDArray[np.float32], eta: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Run a graph; returns float32 (N, K)."""
    session = ort.InferenceSession(
        model.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
    )
    wanted = {node.name for node in session.get_inputs()}
    parts = []
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        feeds = {"images": images[part], "eta": eta[part]}
        if "target" in wanted:
            feeds["target"] = np.full(len(eta[part]), -1, np.int64)
        parts.append(session.run(["logits"], feeds)[0])
    return np.concatenate(parts)


def errors(
    model: onnx.ModelProto, ranges: Any, images: NDArray[np.float32], eta: NDArray[np.float32]
) -> dict[tuple[str, ...], float]:
    """Mean squared error of the logits when only one activation's readers are quantized, for each.

    Nodes that read one activation go together: once it is rounded for one, it is for all.

    Args:
        model: the prepared float32 graph.
        ranges: of its activations.
        images: float32 (N, 3, S, S), as the network sees them.
        eta: float32 (N,).

    Returns:
        By the names of the nodes.
    """
    model = Extractor(model).extract_model(["images", "eta"], ["logits"])  # without the heatmaps
    truth = logits(model, images, eta)
    nodes = [node for node in model.graph.node if node.op_type in QUANTIZED]
    names = [node.name for node in nodes]
    readers: dict[str, list[str]] = {}
    for node in nodes:
        readers.setdefault(node.input[0], []).append(node.name)
    found = {}
    for together in readers.values():
        others = [name for name in names if name not in together]
        said = logits(quantized(model, ranges, others), images, eta)
        found[tuple(together)] = float(np.square(said - truth).mean())
    return found


def worst(found: Mapping[tuple[str, ...], float], limit: float = LOGIT_ERROR) -> list[str]:
    """The fewest nodes without which the errors of the others add up to no more than the limit.

    Args:
        found: mean squared errors, as `errors` gives them; they add up, since the roundings of
            different activations are independent.
        limit: RMS error that may be left.
    """
    kept: list[str] = []
    left = sum(found.values())
    for names in sorted(found, key=lambda names: -found[names]):
        if left <= limit**2:
            break
        kept += names
        left -= found[names]
    return kept
