"""float16: half the size, and what GPUs are fastest in."""

from pathlib import Path

from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from export.graph import read, read_card, write


def halve(source: Path, path: Path) -> None:
    """Write the float16 form of a float32 graph; inputs and outputs stay float32.

    Args:
        source: a float32 .onnx file with a card.
        path: the float16 .onnx file to write.

    Raises:
        ExportError: the source is no ONNX model, or the result cannot be written.
    """
    card = read_card(source)
    model = OnnxModel(convert_float_to_float16(read(source), keep_io_types=True))
    model.topological_sort()  # it leaves the casts of the inputs at the end
    write(model.model, card.replace(precision="float16"), path)
