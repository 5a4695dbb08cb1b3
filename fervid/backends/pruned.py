"""A model's graph without the nodes that an output alone needs.

ONNX Runtime computes every node of a graph, whichever outputs are asked for, so a session that
leaves the heatmaps out needs a graph without them. The file is read as the protocol buffer that it
is; a library for that (`onnx`) would weigh more than the network.

Source: onnx/onnx.proto (ModelProto.graph = 7; GraphProto.node = 1,
    output = 12; NodeProto.input = 1, output = 2; ValueInfoProto.name = 1).
"""

from collections.abc import Sequence

from fervid.protobuf import field, fields

GRAPH, NODE, OUTPUT = 7, 1, 12
NAMES_IN, NAMES_OUT, NAME = 1, 2, 1


def pruned(model: bytes, outputs: Sequence[str]) -> bytes:
    """The model with these outputs alone, and no node that none of them needs.

    Args:
        model: an ONNX file.
        outputs: names of those that stay.

    Raises:
        ValueError: it is no protocol buffer.
    """
    parts = []
    for number, _, payload, whole in fields(memoryview(model)):
        parts.append(field(GRAPH, _graph(payload, outputs)) if number == GRAPH else whole)
    return b"".join(parts)


def _graph(graph: memoryview, outputs: Sequence[str]) -> bytes:
    parts = list(fields(graph))
    needed, kept = set(outputs), set()
    for k in range(len(parts) - 1, -1, -1):  # nodes are in the order in which they run
        number, _, payload, _ = parts[k]
        if number == NODE and needed & set(_names(payload, NAMES_OUT)):
            needed |= set(_names(payload, NAMES_IN))
            kept.add(k)
    left = []
    for k, (number, _, payload, whole) in enumerate(parts):
        unneeded = number == NODE and k not in kept
        other = number == OUTPUT and not set(_names(payload, NAME)) & set(outputs)
        if not (unneeded or other):
            left.append(whole)
    return b"".join(left)


def _names(message: memoryview, number: int) -> list[str]:
    return [bytes(payload).decode() for found, _, payload, _ in fields(message) if found == number]
