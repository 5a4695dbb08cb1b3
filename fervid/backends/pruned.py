"""A model's graph without the nodes that an output alone needs.

ONNX Runtime computes every node of a graph, whichever outputs are asked for, so a session that
leaves the heatmaps out needs a graph without them. The file is read as the protocol buffer that it
is; a library for that (`onnx`) would weigh more than the network.

Source: Protocol Buffers, "Encoding"; onnx/onnx.proto (ModelProto.graph = 7; GraphProto.node = 1,
    output = 12; NodeProto.input = 1, output = 2; ValueInfoProto.name = 1).
"""

from collections.abc import Iterator, Sequence

GRAPH, NODE, OUTPUT = 7, 1, 12
NAMES_IN, NAMES_OUT, NAME = 1, 2, 1
BYTES = 2

Field = tuple[int, bytes, bytes]  # number; the field as it stands; its payload, b"" for a number


def pruned(model: bytes, outputs: Sequence[str]) -> bytes:
    """The model with these outputs alone, and no node that none of them needs.

    Args:
        model: an ONNX file.
        outputs: names of those that stay.

    Raises:
        ValueError: it is no protocol buffer.
    """
    parts = []
    for number, whole, payload in _fields(model):
        parts.append(_field(GRAPH, _graph(payload, outputs)) if number == GRAPH else whole)
    return b"".join(parts)


def _graph(graph: bytes, outputs: Sequence[str]) -> bytes:
    fields = list(_fields(graph))
    needed, kept = set(outputs), set()
    for k in range(len(fields) - 1, -1, -1):  # nodes are in the order in which they run
        number, _, payload = fields[k]
        if number == NODE and needed & set(_names(payload, NAMES_OUT)):
            needed |= set(_names(payload, NAMES_IN))
            kept.add(k)
    parts = []
    for k, (number, whole, payload) in enumerate(fields):
        unneeded = number == NODE and k not in kept
        other = number == OUTPUT and not set(_names(payload, NAME)) & set(outputs)
        if not (unneeded or other):
            parts.append(whole)
    return b"".join(parts)


def _names(message: bytes, number: int) -> list[str]:
    return [payload.decode() for found, _, payload in _fields(message) if found == number]


def _fields(message: bytes) -> Iterator[Field]:
    """The fields of a message, in their order."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        payload = b""
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                length, at = _varint(message, at)
                payload = message[at : at + length]
                at += length
            case kind:
                raise ValueError(f"no protocol buffer: a field of kind {kind}")
        if at > len(message):
            raise ValueError("no protocol buffer: it ends within a field")
        yield tag >> 3, message[start:at], payload


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("no protocol buffer: it ends within a number")


def _field(number: int, payload: bytes) -> bytes:
    return _as_varint(number << 3 | BYTES) + _as_varint(len(payload)) + payload


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
