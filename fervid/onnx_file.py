"""What an .onnx file holds, read from its bytes before ONNX Runtime is given any of it.

An .onnx file is one protobuf message. Only what lies on the way to tensors, graphs and the card is
read.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, the numbers of the fields.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from fervid.errors import ModelLoadError
from fervid.protobuf import fields

# Of each message the fields that are messages themselves, by number.
INNER: dict[str, dict[int, str]] = {
    "model": {7: "graph", 14: "entry", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
GRAPH = 7  # of a model
KEY, VALUE = 1, 2  # of an entry
EXTERNAL_DATA, DATA_LOCATION, EXTERNAL = 13, 14, 1  # of a tensor
DEEPEST = 32  # messages within each other; the networks of fervid have 5


@dataclass(frozen=True, slots=True)
class OnnxContents:
    """What is known of an .onnx file.

    Attributes:
        metadata: its texts by their keys.
        external: whether a part of it lies in other files.
        controlled: whether it branches or loops: has graphs within operators, or functions.
        graph_sha256: hash of the network itself, without metadata; "" where there is none.
    """

    metadata: dict[str, str]
    external: bool
    controlled: bool
    graph_sha256: str


def contents(data: bytes, where: str) -> OnnxContents:
    """Look into an .onnx file.

    Args:
        data: the file.
        where: its name, for the message.

    Raises:
        ModelLoadError: it is no such file, or a damaged one.
    """
    metadata: dict[str, str] = {}
    external = controlled = False
    graph = b""
    try:
        for depth, kind, number, value, part in _walk(memoryview(data), "model", 0):
            if kind == "tensor":
                external |= number == EXTERNAL_DATA or (number, value) == (DATA_LOCATION, EXTERNAL)
            inner = INNER.get(kind, {}).get(number)
            controlled |= inner == "function" or (inner == "graph" and kind == "attribute")
            if inner == "entry":
                texts = {n: bytes(text) for n, _, text, _ in fields(part)}
                key, said = (texts.get(n, b"").decode() for n in (KEY, VALUE))
                metadata.setdefault(key, said)
            if depth == 0 and number == GRAPH:
                graph = bytes(part)
    except ValueError as error:
        raise ModelLoadError(
            f"{where} cannot be loaded as an ONNX model ({error}); it is damaged or something "
            "else, so copy or export it again."
        ) from error
    digest = hashlib.sha256(graph).hexdigest() if graph else ""
    return OnnxContents(metadata, external, controlled, digest)


def _walk(
    data: memoryview, kind: str, depth: int
) -> Iterator[tuple[int, str, int, int, memoryview]]:
    """Yield every field on the way: its depth, the kind of its message, number, value, bytes."""
    if depth > DEEPEST:
        raise ValueError("its parts lie too deep in each other")
    for number, value, part, _ in fields(data):
        yield depth, kind, number, value, part
        inner = INNER.get(kind, {}).get(number)
        if inner is not None and inner != "entry":
            yield from _walk(part, inner, depth + 1)
