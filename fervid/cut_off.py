"""Whether a file was cut off, by the sizes that its outermost parts state."""

import re
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from fervid.config import STDIN
from fervid.errors import SourceReadError

MP4_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"moov")
# What else MP4 and MOV files have outermost.
MORE_BOXES = (b"moof", b"mfra", b"sidx", b"styp", b"skip", b"udta", b"uuid", b"meta", b"pnot")
EBML_HEADER, MATROSKA_SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# MPEG program streams are packs of packets, and a packet is 64 KiB at most: no packet that starts
# in the first half of the tail reaches the end, so that two in a row must be right.
PROGRAM_PACK, PROGRAM_PART, PROGRAM_TAIL = b"\x00\x00\x01\xba", rb"\x00\x00\x01[\xba-\xef]", 1 << 18
HEAD_BYTES = 16  # of a part, which tell its size
MOST_PARTS = 200_000  # a camera's file of a day in fragments of a second has half of them
# What a file may lack of the length it states, as headers round it, and count a frame too many.
SHORT_S, SHORT_FRAMES = 0.2, 3


def check_whole(
    path: Path, end_s: float, promised_s: float, rate: Fraction, *, estimated: bool
) -> None:
    """Refuse a file of which a part is missing: it ends too early, and its own sizes say so.

    Neither is enough alone. A good file may state more than its pictures last (the sound goes on,
    the last frame stands), and one that was cut off may lack its index only.

    Args:
        path: the file.
        end_s: when its last picture ended, in seconds.
        promised_s: how long it states to be.
        rate: nominal frame rate.
        estimated: the length is not stated but estimated from what is there, as in MPEG program
            streams.

    Raises:
        SourceReadError: the file was cut off.
    """
    if not (estimated or _is_short(end_s, promised_s, rate)) or not is_cut_off(path):
        return
    how = f"promises {promised_s:.1f} s and ends after {end_s:.1f} s"
    if estimated:
        how = f"ends after {end_s:.1f} s in the middle of a packet"
    raise SourceReadError(f"{path} was cut off: it {how}; copy it again.", str(path))


def check_whole_pipe(parts: "Parts", end_s: float, promised_s: float, rate: Fraction) -> None:
    """Refuse what came through a pipe in the same case: the program before it broke off.

    Args:
        parts: of what came.
        end_s: when its last picture ended, in seconds.
        promised_s: how long it states to be.
        rate: nominal frame rate.

    Raises:
        SourceReadError: it was cut off.
    """
    if parts.cut_off and _is_short(end_s, promised_s, rate):
        raise SourceReadError(
            f"What came through standard input was cut off: it promises {promised_s:.1f} s and "
            f"ends after {end_s:.1f} s; see what the program before the pipe says.",
            STDIN,
        )


def _is_short(end_s: float, promised_s: float, rate: Fraction) -> bool:
    return promised_s - end_s > max(SHORT_S, float(SHORT_FRAMES / rate))


class Parts:
    """Follows the outermost parts of what comes in pieces, without keeping them."""

    def __init__(self) -> None:
        self._n_bytes = 0
        self._next: int | None = 0  # where the next part begins; None where nobody knows
        self._head = b""

    @property
    def cut_off(self) -> bool:
        """Whether a part has not come as a whole, by the size that it states."""
        return self._next is not None and self._next > self._n_bytes

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        begin, self._n_bytes = self._n_bytes, self._n_bytes + len(data)
        while self._next is not None and self._next < self._n_bytes:
            at = self._next + len(self._head) - begin
            self._head += data[at : at + HEAD_BYTES - len(self._head)]
            if len(self._head) < HEAD_BYTES:
                return
            length = _part_length(self._head)
            self._next = self._next + length if length else None
            self._head = self._head[length:]  # of a short part it holds the next one's beginning


def is_cut_off(path: Path) -> bool:
    """Tell whether a file ends before one of its own parts does, by the sizes that they state.

    It knows MP4 and MOV, Matroska and WebM, AVI, and MPEG program streams; of other files, and
    of parts without a stated size, it says no.
    """
    if not path.is_file():
        return False
    size, starts = path.stat().st_size, [0]
    with path.open("rb") as file:
        if file.read(4) == PROGRAM_PACK and size > PROGRAM_TAIL:
            tail = file.seek(size - PROGRAM_TAIL)
            parts = re.finditer(PROGRAM_PART, file.read(PROGRAM_TAIL // 2))
            starts = [tail + part.start() for part in parts]
        ends = (_end_of_parts(file, start, size) for start in starts)
        return next((end for end in ends if end >= size), size) > size


def _end_of_parts(file: BinaryIO, start: int, size: int) -> int:
    """Go from part to part; return where the last one ends, 0 where something else comes.

    Of a file that holds more parts than any real one nothing is said.
    """
    for _ in range(MOST_PARTS):
        if start >= size:
            return start
        file.seek(start)
        if not (length := _part_length(file.read(HEAD_BYTES))):
            return 0
        start += length
    return 0


def _part_length(head: bytes) -> int:
    """The bytes of a part of a file, from its first HEAD_BYTES; 0 where they do not tell."""
    if head[:4] == b"RIFF":
        length = int.from_bytes(head[4:8], "little")
        return 0 if length == 0xFFFFFFFF else 8 + length
    if head[:4] in (EBML_HEADER, MATROSKA_SEGMENT):
        return _ebml_length(head)
    # Before MPEG's packets, as the length of a box can look like the start of one.
    if head[4:8] in MP4_BOXES + MORE_BOXES:
        length = int.from_bytes(head[:4], "big")
        return int.from_bytes(head[8:16], "big") if length == 1 else length
    return _program_length(head) if head[:3] == PROGRAM_PACK[:3] else 0


def _ebml_length(head: bytes) -> int:
    """The same for an element of Matroska; one that is written live has a size of all ones."""
    width = 9 - int.from_bytes(head[4:5], "big").bit_length()  # the leading zeros of the size tell
    unknown = (1 << 7 * width) - 1
    length = int.from_bytes(head[4 : 4 + width], "big") & unknown
    return 0 if width > 8 or length == unknown else 4 + width + length


def _program_length(head: bytes) -> int:
    """The same for an MPEG program stream: a pack's header, its end code, or a packet."""
    code = int.from_bytes(head[3:4], "big")
    if code == 0xBA:  # MPEG-2 marks itself in its fifth byte and adds up to 7 bytes of stuffing
        stuffing = int.from_bytes(head[13:14], "big") & 7
        return 14 + stuffing if b"\x40" <= head[4:5] < b"\x80" else 12
    if code == 0xB9:
        return 4
    return 6 + int.from_bytes(head[4:6], "big") if code > 0xBA else 0
