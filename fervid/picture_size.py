"""What an image file states in its head, read before any memory is taken for its pixels.

A PNG of 1 MB may hold 30,000 x 30,000 pixels: it is refused by its head.
"""

import re
import struct
from collections.abc import Callable

# As large as 8K video (33 million) and pictures of cameras with 50 million pixels.
MOST_PIXELS = 8192 * 6144
MOST_BYTES = 1 << 28  # of an image file, which is read as a whole
J2K = b"\xff\x4f\xff\x51"  # begins the codestream, in .jp2 files after some boxes
JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # markers of frames
JPEG_BARE = frozenset({0x01, 0xFF, *range(0xD0, 0xDA)})  # markers without a length
PNM = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)")
PAM = re.compile(rb"P7\s(?:.*\n)*?WIDTH (\d+)\s(?:.*\n)*?HEIGHT (\d+)")
TIFF_WIDTH, TIFF_HEIGHT = 256, 257
# AVIF's boxes of 9 bytes, the last of which says how often, and which way.
BOX_TURNS = re.compile(rb"(?s)\0\0\0\x09irot(.)"), re.compile(rb"(?s)\0\0\0\x09imir(.)")
WEBP_FLAGS, WEBP_ANIMATED = 20, 2  # where an extended WebP has its flags, and the flag

Size = tuple[int, int]


def stated_size(data: bytes) -> Size | None:
    """Return the width and height that an image file states; None where it is of no known kind.

    Args:
        data: the file.
    """
    try:
        return _size(data)
    except (struct.error, IndexError):  # it ends within its head
        return None


def _size(data: bytes) -> Size | None:
    for begins, size in KINDS:
        if data.startswith(begins):
            return size(data)
    if found := PNM.match(data[:4096]) or PAM.match(data[:4096]):
        return int(found[1]), int(found[2])
    return _boxes(data)


def _png(data: bytes) -> Size:
    return _pair(">II", data, 16)


def _pair(form: str, data: bytes, place: int) -> Size:
    wide, high = struct.unpack_from(form, data, place)
    return wide, high


def _jpeg(data: bytes) -> Size | None:
    """Go from marker to marker until the one of the frame."""
    place = 2
    while place < len(data):
        if data[place] != 0xFF:
            place = data.find(b"\xff", place)
            if place < 0:
                return None
        kind = data[place + 1]
        if kind in JPEG_SIZES:
            high, wide = _pair(">HH", data, place + 5)
            return wide, high
        length = struct.unpack_from(">H", data, place + 2)[0] if kind not in JPEG_BARE else 0
        place += (1 if kind == 0xFF else 2) + length
    return None


def _bmp(data: bytes) -> Size:
    if data[14] == 12:  # the oldest head
        return _pair("<HH", data, 18)
    wide, high = _pair("<ii", data, 18)
    return abs(wide), abs(high)


def _webp(data: bytes) -> Size | None:
    if len(data) < 30:
        return None
    match data[12:16]:
        case b"VP8X":
            wide, high = (int.from_bytes(data[n : n + 3], "little") + 1 for n in (24, 27))
            return wide, high
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            wide, high = _pair("<HH", data, 26)
            return wide & 0x3FFF, high & 0x3FFF
    return None


def _tiff(data: bytes) -> Size | None:
    """The size of the first picture, by its table of fields."""
    order = "<" if data.startswith(b"II") else ">"
    (table,) = struct.unpack_from(f"{order}I", data, 4)
    (n,) = struct.unpack_from(f"{order}H", data, table)
    found = {}
    for place in range(table + 2, table + 2 + 12 * n, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in (TIFF_WIDTH, TIFF_HEIGHT):
            form = "H" if kind == 3 else "I"
            (found[tag],) = struct.unpack_from(order + form, data, place + 8)
    if len(found) < 2:
        return None
    return found[TIFF_WIDTH], found[TIFF_HEIGHT]


def _boxes(data: bytes) -> Size | None:
    """The largest of the sizes in its boxes: a picture may be made of tiles."""
    if data[4:8] != b"ftyp":
        return _jpeg2000(data)
    places = (found.end() for found in re.finditer(b"ispe", data[: 1 << 20]))
    return max((_pair(">II", data, place + 4) for place in places), default=None)


def box_turns(data: bytes) -> tuple[int, int | None]:
    """How an AVIF file wants its picture turned: quarter turns against the clock, then a mirror.

    Returns:
        0 to 3; and what is mirrored then: 0 top with bottom, 1 left with right, None nothing.
    """
    head = data[: 1 << 20] if data[4:8] == b"ftyp" else b""
    turn, mirror = (found and found[1][0] for found in (p.search(head) for p in BOX_TURNS))
    return (turn or 0) & 3, None if mirror is None else mirror & 1


def _jpeg2000(data: bytes) -> Size | None:
    place = data.find(J2K)
    return _pair(">II", data, place + 8) if place >= 0 else None


KINDS: tuple[tuple[bytes, Callable[[bytes], Size | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"BM", _bmp),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)


def is_animated(data: bytes) -> bool:
    """Whether a file of pictures says that it has several: an animated WebP or PNG.

    Args:
        data: the file, or its beginning.
    """
    if data.startswith(b"\x89PNG"):
        return b"acTL" in data.partition(b"IDAT")[0]
    extended = data.startswith(b"RIFF") and data[8:16] == b"WEBPVP8X"
    return extended and len(data) > WEBP_FLAGS and bool(data[WEBP_FLAGS] & WEBP_ANIMATED)
