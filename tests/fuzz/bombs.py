"""Files that are small and ask for much: decompression bombs, absurd sizes, endless lists."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tests.fuzz.mutants import PNG_HEAD

SPARSE = 10 * 2**30
SIDE = 30_000


def bombs(folder: Path, whole: Path) -> Iterator[tuple[Path, str]]:
    """Write them one after the other, and yield each with its kind.

    Args:
        folder: for the files.
        whole: a good .mp4 file.
    """
    yield _write(folder / "bomb.png", png_bomb(SIDE, SIDE)), "bomb"
    yield _write(folder / "bomb.apng", png_bomb(SIDE, SIDE)), "bomb"
    yield _write(folder / "text-bomb.png", png_bomb(96, 72, text=500_000_000)), "bomb"
    yield _write(folder / "empty-bomb.png", png_bomb(65_535, 65_535, rows=0)), "bomb"
    for side in (12_000, 16_000, 65_535):
        yield _write(folder / f"bomb-{side}.gif", gif_bomb(side, 200)), "bomb"
    yield _write(folder / "bomb.bmp", bmp_bomb(SIDE)), "bomb"
    yield _write(folder / "bomb.pgm", b"P5\n30000 30000\n255\n" + bytes(100_000)), "bomb"
    small = cv2.imencode(".jpg", np.full((72, 96, 3), 90, np.uint8))[1].tobytes()
    large = small.replace(struct.pack(">HH", 72, 96), struct.pack(">HH", 65_000, 65_000))
    yield _write(folder / "bomb.jpg", large), "bomb"
    small = cv2.imencode(".tif", np.full((72, 96, 3), 90, np.uint8))[1].tobytes()
    for tag, side in ((256, 96), (257, 72)):
        small = small.replace(
            struct.pack("<HHIHH", tag, 3, 1, side, 0), struct.pack("<HHII", tag, 4, 1, SIDE)
        )
    yield _write(folder / "bomb.tif", small), "bomb"
    yield from sparse(folder, whole)
    tiny = struct.pack(">I", 8) + b"free"
    head = struct.pack(">I", 16) + b"ftypisom" + bytes(4)
    yield _write(folder / "boxes.mp4", head + tiny * 3_000_000), "endless list"
    yield _write(folder / "boxes-after.mp4", whole.read_bytes() + tiny * 3_000_000), "endless list"
    nested = b""
    for _ in range(20_000):
        nested = struct.pack(">I", min(len(nested) + 8, 0xFFFFFFFF)) + b"moov" + nested
        if len(nested) > 4_000_000:
            break
    yield _write(folder / "nested.mp4", head + nested), "endless list"


def sparse(folder: Path, whole: Path) -> Iterator[tuple[Path, str]]:
    """10 GB without content, under names that different readers take; one begins as a clip."""
    for suffix in (".mp4", ".ts", ".h264", ".png", ".avi", ".mkv", ".mjpeg", ".mp3"):
        path = _write(folder / f"sparse{suffix}", b"")
        with path.open("r+b") as file:
            file.truncate(SPARSE)
        yield path, "sparse"
    for suffix in (".mp4", ".png"):
        path = _write(folder / f"sparse-begun{suffix}", whole.read_bytes())
        with path.open("r+b") as file:
            file.truncate(SPARSE)
        yield path, "sparse"


def png_bomb(width: int, height: int, *, rows: int | None = None, text: int = 0) -> bytes:
    """A grey PNG of zeros, which takes a thousandth of its pixels; `text` is a packed remark's."""
    body = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    if text:
        body.append(_chunk(b"zTXt", b"Comment\0\0" + _packed(text, 1)))
    body.append(_chunk(b"IDAT", _packed(width + 1, height if rows is None else rows)))
    return PNG_HEAD + b"".join(body) + _chunk(b"IEND", b"")


def gif_bomb(side: int, pictures: int) -> bytes:
    """A GIF of so many pictures as large as its screen, each with a few bytes of content."""
    screen = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    one = b"\x21\xf9\x04\0\x04\0\0\0"
    one += b"\x2c" + struct.pack("<HHHHB", 0, 0, side, side, 0)
    one += b"\x02\x04\x84\x8f\xa9\x05\0"
    return screen + one * pictures + b"\x3b"


def bmp_bomb(side: int) -> bytes:
    """A BMP that states a size and holds little of it."""
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + 10_000, 0, 0, 54) + head + bytes(10_000)


def _packed(row: int, rows: int) -> bytes:
    packer, zeros = zlib.compressobj(9), bytes(row)
    return b"".join(packer.compress(zeros) for _ in range(rows)) + packer.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
