"""Ways to damage a file; each takes its bytes and returns others."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator

from tests.fuzz.seeds import SIZE

HEAD = 1024  # bytes that count as the header
ABSURD = (0, 1, 15, 17, 4096, 16_384, 32_767, 65_535, 0x7FFFFFFF, 0xFFFFFFFF)
PNG_HEAD = b"\x89PNG\r\n\x1a\n"

Mutation = Callable[[bytes, random.Random], bytes]


def truncated(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The file cut off at every 5 % of its length."""
    for share in range(5, 100, 5):
        yield f"cut at {share} %", content[: len(content) * share // 100]


def flipped(content: bytes, chance: random.Random, n: int, end: int | None = None) -> bytes:
    """So many bits turned round, before an end."""
    new = bytearray(content)
    for _ in range(n):
        place = chance.randrange(min(end or len(new), len(new)))
        new[place] ^= 1 << chance.randrange(8)
    return bytes(new)


def few_in_head(content: bytes, chance: random.Random) -> bytes:
    """One to four bits of the header turned round."""
    return flipped(content, chance, chance.randint(1, 4), HEAD)


def many_in_head(content: bytes, chance: random.Random) -> bytes:
    """Five to sixty bits of the header turned round."""
    return flipped(content, chance, chance.randint(5, 60), HEAD)


def few(content: bytes, chance: random.Random) -> bytes:
    """One to ten bits anywhere turned round."""
    return flipped(content, chance, chance.randint(1, 10))


def many(content: bytes, chance: random.Random) -> bytes:
    """One bit in a hundred bytes turned round."""
    return flipped(content, chance, max(1, len(content) // 100))


def zeroed(content: bytes, chance: random.Random) -> bytes:
    """A stretch set to zero, as a bad block of a disk is."""
    return _stretch(content, chance, lambda part: bytes(len(part)))


def noise(content: bytes, chance: random.Random) -> bytes:
    """A stretch replaced by noise."""
    return _stretch(content, chance, lambda part: chance.randbytes(len(part)))


def lost(content: bytes, chance: random.Random) -> bytes:
    """A stretch taken out."""
    return _stretch(content, chance, lambda part: b"")


def doubled(content: bytes, chance: random.Random) -> bytes:
    """A stretch there twice."""
    return _stretch(content, chance, lambda part: part + part)


def swapped(content: bytes, chance: random.Random) -> bytes:
    """The halves exchanged at a random place."""
    place = chance.randrange(len(content))
    return content[place:] + content[:place]


def number(content: bytes, chance: random.Random) -> bytes:
    """Four bytes of the header set to a number on the edge: sizes, counts, lengths."""
    new = bytearray(content)
    place = chance.randrange(max(1, min(HEAD, len(new)) - 4))
    order = chance.choice("<>")
    new[place : place + 4] = struct.pack(f"{order}I", chance.choice(ABSURD))
    return bytes(new)


def dimensions(content: bytes, chance: random.Random) -> bytes:
    """The width and height, wherever they stand next to each other, absurd."""
    wide, high = chance.choice(ABSURD), chance.choice(ABSURD)
    for order in "<>":
        for kind, most in (("II", 0xFFFFFFFF), ("HH", 0xFFFF)):
            old = struct.pack(order + kind, *SIZE)
            content = content.replace(
                old, struct.pack(order + kind, min(wide, most), min(high, most))
            )
    # Matroska: PixelWidth and PixelHeight of one byte each.
    for mark, value, side in ((0xB0, wide, SIZE[0]), (0xBA, high, SIZE[1])):
        old = bytes((mark, 0x81, side))
        content = content.replace(old, bytes((mark, 0x84)) + struct.pack(">I", value))
    return png_summed(content)


def png_summed(content: bytes) -> bytes:
    """A PNG whose header has the right sum again; other files as they are."""
    if not content.startswith(PNG_HEAD) or len(content) < 33:
        return content
    return content[:29] + struct.pack(">I", zlib.crc32(content[12:29])) + content[33:]


MUTATIONS: dict[str, Mutation] = {
    "few bits of the header": few_in_head,
    "many bits of the header": many_in_head,
    "few bits": few,
    "many bits": many,
    "zeroed stretch": zeroed,
    "stretch of noise": noise,
    "lost stretch": lost,
    "doubled stretch": doubled,
    "halves swapped": swapped,
    "number on the edge": number,
    "absurd size": dimensions,
}


def _stretch(content: bytes, chance: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    length = chance.randint(1, max(1, min(4096, len(content) // 4)))
    place = chance.randrange(max(1, len(content) - length))
    return content[:place] + change(content[place : place + length]) + content[place + length :]
