"""Network streams by PyAV: options for each protocol, limits that are kept, ends that are true."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fervid.config import ReadConfig
from fervid.containers import tolerance
from fervid.deadline import call_in_time
from fervid.errors import SourceOpenError
from fervid.logins import Login, Logins, is_too_long, own_login, with_login
from fervid.refusals import (
    is_untrusted,
    why_malformed,
    why_refused,
    why_silent,
    why_too_long,
    why_untrusted,
)
from fervid.trust import tls_options

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet

LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt", "mms", "mmsh")
# Protocols whose certificates are checked. FFmpeg checks the list of HLS, and not its pieces.
TLS_SCHEMES = ("https", "rtsps")
# Formats that deliver seconds of pictures at once.
IN_PIECES = ("hls", "dash")
# FFmpeg counts its limits from each stage of opening anew; ours holds for all of them.
GRACE_S = 0.3
# Bytes that the system may hold for us; it gives less where it allows no more.
SOCKET_BYTES = 1 << 20


def options_for(scheme: str, read: ReadConfig) -> dict[str, str]:
    """Return FFmpeg's options for a protocol.

    What keeps pictures fresh is reading them as they come, and prefetch, which drops the old
    ones. `fflags=nobuffer` looks made for this and is not: FFmpeg then throws away what it read
    to learn the format, the key frame included, so that the first picture of RTSP came at 2.1
    instead of 1.2 s here (one key frame a second), and nothing was fresher later on.
    """
    # Not waiting for 20 pictures to measure the frame rate: RTSP opened in .4 instead of 1.2 s.
    early = {"fpsprobesize": "0"}
    trust = tls_options(read.tls_verify) if scheme in TLS_SCHEMES else {}
    match scheme:
        case "rtsp" | "rtsps":
            options = {"rtsp_transport": read.rtsp_transport, **early, **trust}
            if read.rtsp_transport == "udp":
                options["buffer_size"] = str(SOCKET_BYTES)
            return options
        case "udp":
            # A reader that is too slow for a while shall lose packets, not the stream.
            return {"overrun_nonfatal": "1", "buffer_size": str(SOCKET_BYTES), **early}
        case "http" | "https":
            # HLS: a piece that cannot be fetched is asked for again before it is passed over.
            # Live it begins three pieces back, as is usual: with two (`live_start_index=-2`) the
            # pictures stopped for .7 s here where pieces of .8 and 1.6 s took turns.
            return {"seg_max_retry": "2", **trust}
        case _:
            return dict(early) if scheme in LIVE_SCHEMES else {}


def open_stream(uri: str, shown: str, read: ReadConfig, logins: Logins) -> "InputContainer":
    """Open a network stream; Ctrl-C works meanwhile.

    Args:
        uri: a URL.
        shown: the same without credentials, for messages.
        read: the limits and the transport.
        logins: users and passwords.

    Raises:
        SourceOpenError: it is refused, unknown, not a video, or does not answer in time.
    """
    if fault := why_malformed(uri, shown):
        raise SourceOpenError(fault, shown)
    login = logins.find(uri)
    try:
        opened = call_in_time(
            lambda: _attempt(uri, shown, read, login), read.open_timeout_s + GRACE_S, _discard
        )
    except TimeoutError:
        opened = why_silent(uri, shown, read)
    if isinstance(opened, str):
        raise SourceOpenError(opened, shown)
    return opened


def _attempt(uri: str, shown: str, read: ReadConfig, login: Login | None) -> "InputContainer | str":
    """Return the open stream, or why there is none.

    The URL with its password lives here only: PyAV's errors hold it, and end here.
    """
    import av

    url = with_login(uri, login)
    if is_too_long(url):
        return why_too_long(shown)
    began = time.monotonic()
    try:
        container: InputContainer = av.open(
            url,
            "r",
            options=options_for(uri.partition("://")[0].lower(), read),
            timeout=(read.open_timeout_s, read.read_timeout_s),
            **tolerance(),
        )
    except (av.FFmpegError, OSError) as error:
        # RTSP and TLS name other reasons than the limit for what the limit broke off.
        if time.monotonic() - began >= read.open_timeout_s:
            return why_silent(uri, shown, read)
        if read.tls_verify and is_untrusted(uri, error):
            return why_untrusted(shown)
        return why_refused(uri, shown, error, login.origin if login else own_login(uri))
    return container


def _discard(opened: "InputContainer | str") -> None:
    if not isinstance(opened, str):
        opened.close()


def packets_in_time(
    packets: "Iterator[Packet[Any]]",
    limit_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> "Iterator[Packet[Any]]":
    """Yield packets; what ends only because nothing came for too long is no end.

    FFmpeg's HLS takes the limit that breaks off a wait for the end of the stream.

    Args:
        packets: of one stream, the last one empty.
        limit_s: seconds that may pass without a packet.
        clock: seconds.

    Raises:
        TimeoutError: the stream ended after a silence.
    """
    silent = False
    asked = clock()
    for packet in packets:
        silent = clock() - asked >= limit_s
        yield packet
        asked = clock()
    if silent:
        raise TimeoutError


def packets_of(
    packets: "Iterator[Packet[Any]]",
    index: int,
    limit_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> "Iterator[Packet[Any]]":
    """Yield the packets of one stream; sound that goes on does not hide that its pictures stopped.

    Args:
        packets: of several streams.
        index: of the stream.
        limit_s: seconds that may pass without a packet of it while others come.
        clock: seconds.

    Raises:
        TimeoutError: they passed.
    """
    asked = clock()
    for packet in packets:
        if packet.stream.index == index:
            yield packet
            asked = clock()
        elif packet.size and clock() - asked >= limit_s:
            raise TimeoutError


def refuse_silence(since_s: float, limit_s: float) -> None:
    """Stop where nothing came for too long.

    Args:
        since_s: when something came last, by time.monotonic.
        limit_s: seconds that may pass.

    Raises:
        TimeoutError: they have passed.
    """
    if time.monotonic() - since_s > limit_s:
        raise TimeoutError


def is_live(uri: str, container: "InputContainer") -> bool:
    """Tell whether a source cannot wait for its reader.

    A file that a web server hands out has a length in seconds or at least in bytes; the list of
    pieces of a live HLS stream has the latter too.
    """
    scheme, remote, _ = uri.partition("://")
    if not remote or scheme.lower() in LIVE_SCHEMES:
        return bool(remote)
    return not container.duration and (container.size <= 0 or in_pieces(container))


def in_pieces(container: "InputContainer") -> bool:
    """Tell whether a stream delivers seconds of pictures at once."""
    return container.format.name.partition(",")[0] in IN_PIECES
