"""Opening containers by PyAV, and whether one was cut off; refusals are said in one sentence.

FFmpeg's errors become fervid's here and in media.py, for files and network streams alike.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fervid.errors import SourceOpenError
from fervid.records import SourceInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt", "mms", "mmsh")
OPEN_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 5.0
# The noise estimator needs as many pixels on each side of a picture.
MIN_SIDE_PX = 16
MP4_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"moov")
# What else MP4 and MOV files have outermost.
MORE_BOXES = (b"moof", b"mfra", b"sidx", b"styp", b"skip", b"udta", b"uuid", b"meta", b"pnot")
EBML_HEADER, MATROSKA_SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# MPEG program streams are packs of packets, and a packet is 64 KiB at most: no packet that starts
# in the first half of the tail reaches the end, so that two in a row must be right.
PROGRAM_PACK, PROGRAM_PART, PROGRAM_TAIL = b"\x00\x00\x01\xba", rb"\x00\x00\x01[\xba-\xef]", 1 << 18


def open_container(uri: str, shown: str) -> "InputContainer":
    """Open a file or stream.

    Args:
        uri: a file name or a URL.
        shown: the same without credentials, for messages.

    Raises:
        SourceOpenError: it is missing, empty, cut off, no video, or does not answer.
    """
    import av

    if "://" not in uri:
        _check_file(uri)
    options = {"rtsp_transport": "tcp"} if uri.startswith("rtsp") else {}
    timeout = (OPEN_TIMEOUT_S, READ_TIMEOUT_S) if "://" in uri else None
    # "file:" keeps FFmpeg from taking a colon in a file's name for a protocol.
    name = uri if "://" in uri else f"file:{uri}"
    try:
        container: InputContainer = av.open(
            name, "r", options=options, timeout=timeout, **_tolerance(av.__version__)
        )
    except (av.FFmpegError, OSError) as error:
        if "://" not in uri:
            raise SourceOpenError(_why_unreadable(Path(uri), error), shown) from error
        # The library's own error holds the password, so it is not passed on.
        raise SourceOpenError(
            f"The stream {shown} cannot be opened ({reason(error)}); check the address, the "
            "password, and that the camera is on.",
            shown,
        ) from None
    return container


def _tolerance(version: str) -> dict[str, Any]:
    """What keeps a title that is no UTF-8 from being an error; PyAV 19 is tolerant by itself."""
    return {"metadata_errors": "replace"} if int(version.partition(".")[0]) < 19 else {}


def _check_file(uri: str) -> None:
    path = Path(uri)
    if not uri:
        raise SourceOpenError("The name of the video is empty; name a file, stream or camera.")
    try:
        if path.is_dir():
            raise SourceOpenError(f"{path} is a folder; name a video file in it.", uri)
        if not path.exists():
            raise SourceOpenError(f"There is no file {path}; check its name and folder.", uri)
        if path.is_file() and path.stat().st_size == 0:
            raise SourceOpenError(f"{path} is empty; copy or record it again.", uri)
    except OSError as error:
        raise SourceOpenError(_no_access(path, error), uri) from error


def _no_access(path: Path, error: Any) -> str:
    return f"{path} cannot be read ({reason(error)}); check its name, its permissions and the disk."


def _why_unreadable(path: Path, error: Any) -> str:
    if isinstance(error, OSError):
        return _no_access(path, error)
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in MP4_BOXES:
        return (
            f"{path} is an MP4 or MOV file without its index (moov): it was cut off; copy or "
            "record it again, or repair it with a tool like untrunc."
        )
    return (
        f"{path} is not a video that can be read; check that it is one, or convert it to H.264 in "
        "an .mp4 file."
    )


def video_stream(container: "InputContainer", shown: str) -> "VideoStream":
    """Return the first stream of moving pictures; the cover of a piece of music is none.

    Raises:
        SourceOpenError: there is none, or its codec is not known.
    """
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            # An unknown codec leaves no context, whatever the annotations say.
            if getattr(stream, "codec_context", None) is None:
                break
            return stream
    else:
        raise SourceOpenError(f"{shown} holds no video stream; name a video file.", shown)
    raise SourceOpenError(
        f"The video of {shown} has a codec that is not supported; convert it to H.264.", shown
    )


def check_size(info: SourceInfo) -> None:
    """Refuse a source whose pictures are too small to be judged.

    Raises:
        SourceOpenError: its pictures have less than 16 px on a side.
    """
    if min(info.width, info.height) < MIN_SIDE_PX:
        raise SourceOpenError(
            f"The pictures of {info.label} are too small ({info.width} x {info.height} px); give "
            f"a video of at least {MIN_SIDE_PX} px on each side.",
            info.uri,
        )


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
    """Go from part to part; return where the last one ends, 0 where something else comes."""
    while start < size:
        file.seek(start)
        if not (length := _part_length(file.read(16))):
            return 0
        start += length
    return start


def _part_length(head: bytes) -> int:
    """The bytes of a part of a file, from its first 16; 0 where they do not tell."""
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


def is_live(uri: str, container: "InputContainer") -> bool:
    """Tell whether a source cannot wait for its reader."""
    scheme, remote, _ = uri.partition("://")
    return bool(remote) and (scheme.lower() in LIVE_SCHEMES or not container.duration)


def reason(error: Any) -> str:
    """Return the system's own words, without the address that FFmpeg adds to them."""
    if type(error).__name__ == "ExitError":
        return "no answer in time"
    return str(getattr(error, "strerror", None) or type(error).__name__)
