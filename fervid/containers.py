"""Opening containers by PyAV: what cannot be opened is said in one sentence.

FFmpeg's errors become fervid's here and in media.py; those of network streams in streams.py.
"""

import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fervid.config import without_credentials
from fervid.cut_off import MP4_BOXES
from fervid.errors import SourceOpenError, SourceReadError
from fervid.nearest import or_else
from fervid.noise_sample import MIN_SIDE
from fervid.picture_size import MOST_PIXELS
from fervid.pipe import Readable
from fervid.records import SourceInfo
from fervid.refusals import is_silence, reason
from fervid.zeros import WrittenFile, is_bare

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

LONGEST_OPEN_S = 30.0  # of a file; a hostile one may hold a list without end
# What a list of pieces may lead to: files beside it, no addresses. FFmpeg's own default for files,
# which for a pipe would be everything.
LOCAL = "file,crypto,data"
NO_PIPE = (
    "What comes through standard input cannot be read, or not as it comes; send Matroska, MPEG-TS "
    "or fragmented MP4, like ffmpeg -i clip.mp4 -f matroska -"
)

DRAWS_TEXT = ("tty", "bin", "xbin", "adf", "idf")  # FFmpeg makes pictures of any text's letters
NOTHING_CAME = (
    "Nothing came through standard input; see what the program before the pipe says, and that it "
    "writes to its standard output."
)
# An address that lacks a slash, or what stands before them.
MISWRITTEN = re.compile(
    r"(?i)((?:rtsps?|https?|udp|rtmps?|srt):)/?(?=[^/])|(?=\d+(?:\.\d+){3}[:/])"
)
VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".mpg", ".mpeg"),
        *(".mpe", ".m1v", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".mxf", ".wmv", ".asf"),
        *(".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".dv", ".nut", ".y4m", ".gif"),
        *(".apng", ".mjpeg", ".mjpg", ".h264", ".264", ".h265", ".hevc", ".265", ".ivf"),
    )
)
# What files that somebody gave as a video are instead, and where they belong.
INSTEAD = {
    **dict.fromkeys((".toml",), "a configuration; give it as --config {path}"),
    **dict.fromkeys((".onnx", ".safetensors"), "a model; give it as --model {path}"),
    **dict.fromkeys((".jsonl", ".parquet", ".csv"), "a table; name the video that it is of"),
    **dict.fromkeys((".srt",), "subtitles; name the video that they are of"),
}


def open_container(uri: str, shown: str, pipe: Readable | None = None) -> "InputContainer":
    """Open a file; for streams there is streams.open_stream.

    Args:
        uri: a file name.
        shown: the same for messages.
        pipe: standard input, where that is read instead.

    Raises:
        SourceOpenError: it is missing, empty, cut off or no video.
    """
    import av

    piped = pipe is not None
    if not piped:
        check_file(uri)
    limit_s = None if piped else LONGEST_OPEN_S  # a pipe may wait for a camera
    options = {"max_pixels": str(MOST_PIXELS), "protocol_whitelist": LOCAL}
    file: Any = None
    try:
        file = pipe or _opened(uri)
        container: InputContainer = av.open(
            file, "r", options=options, timeout=(limit_s, None), **tolerance()
        )
    except SourceReadError as error:  # of zeros.WrittenFile
        raise SourceOpenError(str(error), shown) from error
    except (av.FFmpegError, OSError) as error:
        if piped:
            said = f"{NO_PIPE} ({reason(error)})." if getattr(file, "begun", True) else NOTHING_CAME
            raise SourceOpenError(said, uri) from error
        raise SourceOpenError(_why_unreadable(Path(uri), error), shown) from error
    if container.format.name in DRAWS_TEXT:
        container.close()
        raise SourceOpenError(f"{shown} is a text and not a video; name a video file.", shown)
    return container


def _opened(uri: str) -> Any:
    """What PyAV reads: a file object or a name.

    "file:" keeps FFmpeg from taking a colon in a file's name for a protocol.
    """
    return WrittenFile(Path(uri)) if is_bare(uri) else f"file:{uri}"


def tolerance() -> dict[str, Any]:
    """What keeps a title that is no UTF-8 from being an error; PyAV 19 is tolerant by itself."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def check_file(uri: str) -> None:
    """Refuse a file that is not there, is empty or a folder.

    Raises:
        SourceOpenError: it is.
    """
    path, shown = Path(uri), without_credentials(uri)
    if not uri.strip():
        raise SourceOpenError("The name of the video is empty; name a file, stream or camera.")
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceOpenError(_why_missing(uri), shown) from error
    except (OSError, ValueError) as error:
        raise SourceOpenError(_no_access(path, error), shown) from error
    if not os.access(path, os.R_OK):
        raise SourceOpenError(
            _no_access(path, PermissionError(errno.EACCES, "Permission denied")), shown
        )
    if stat.S_ISDIR(about.st_mode):
        raise SourceOpenError(f"{path} is a folder; name a video file in it.", uri)
    if stat.S_ISREG(about.st_mode) and about.st_size == 0:
        raise SourceOpenError(f"{path} is empty; copy or record it again.", uri)


def _why_missing(uri: str) -> str:
    path = Path(uri)
    if MISWRITTEN.match(uri):
        meant = MISWRITTEN.sub(lambda found: f"{found[1] or 'rtsp:'}//", uri, count=1)
        return f"There is no file of that name; did you mean {without_credentials(meant)}?"
    if path.is_symlink():
        return f"{path} is a link to {path.readlink()}, which is not there; name the file itself."
    if uri.endswith("/"):
        return f"There is no folder {path}; to write results into it, put -o before it."
    return f"There is no file {path}; {or_else(path, 'check its name and folder')}"


def _no_access(path: Path, error: Any) -> str:
    return f"{path} cannot be read ({reason(error)}); check its name, its permissions and the disk."


def _why_unreadable(path: Path, error: Any) -> str:
    if is_silence(error):
        return (
            f"{path} could not be looked through within {LONGEST_OPEN_S:.0f} s; copy it to a "
            "faster disk, or check that it is a video."
        )
    if isinstance(error, OSError):
        return _no_access(path, error)
    if instead := INSTEAD.get(path.suffix.lower()):
        return f"{path} is no video but {instead.format(path=path)}."
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
    """Refuse a source whose pictures are too small for the noise estimator, or too large.

    Raises:
        SourceOpenError: its pictures have less than 16 px on a side, or over MOST_PIXELS.
    """
    refuse_large(info.width, info.height, info.label, info.uri)
    if min(info.width, info.height) < MIN_SIDE:
        raise SourceOpenError(
            f"The pictures of {info.label} are too small ({info.width} x {info.height} px); give "
            f"a video of at least {MIN_SIDE} px on each side.",
            info.uri,
        )


def refuse_large(width: int, height: int, label: str, uri: str) -> None:
    """Refuse pictures that would take too much memory.

    Raises:
        SourceOpenError: they have over MOST_PIXELS.
    """
    if width * height > MOST_PIXELS:
        raise SourceOpenError(
            f"The pictures of {label} are too large ({width} x {height} px); scale them down to "
            f"{MOST_PIXELS / 1e6:.0f} million pixels (8K video has 33) or fewer.",
            uri,
        )
