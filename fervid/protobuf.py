"""Protocol buffers without their schema: the fields of a message, and how one is written.

A field is a number and a kind, then a varint, 4 or 8 bytes, or a length and as many bytes.

Source: https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5

# Number; value of a varint, else 0; its bytes, empty for a varint; the field as it stands.
Field = tuple[int, int, memoryview, memoryview]


def fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message, in their order.

    Raises:
        ValueError: it is no message, or was cut off.
    """
    place = 0
    while place < len(message):
        start = place
        tag, place = varint(message, place)
        number, kind = tag >> 3, tag & 7
        value, length = 0, {EIGHT: 8, FOUR: 4}.get(kind, 0)
        if kind == VARINT:
            value, place = varint(message, place)
        elif kind == BYTES:
            length, place = varint(message, place)
        elif kind not in (EIGHT, FOUR):
            raise ValueError("it is no protobuf message")
        end = place + length
        if number == 0 or end > len(message):
            raise ValueError("it is no protobuf message, or was cut off")
        yield number, value, message[place:end], message[start:end]
        place = end


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of up to 10 bytes, and the place behind it.

    Raises:
        ValueError: it does not end.
    """
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("it is no protobuf message, or was cut off")


def field(number: int, payload: bytes) -> bytes:
    """A field of bytes."""
    return as_varint(number << 3 | BYTES) + as_varint(len(payload)) + payload


def as_varint(value: int) -> bytes:
    """A number as it is written, seven bits a byte."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
