"""Why a network stream cannot be opened or read on: one sentence, with the way out.

FFmpeg's own errors name the URL with its password, so only their number and kind are used.
"""

import errno
import socket
from typing import Any
from urllib.parse import urlsplit

from fervid.config import ReadConfig
from fervid.nearest import nearest_word

# By the name of PyAV's error, whose classes must not be loaded before they are needed.
_WITH_USER = {
    "HTTPUnauthorizedError": "The stream {shown} refuses the user or the password of {origin} "
    "(401); correct them.",
    "HTTPForbiddenError": "The stream {shown} is forbidden (403) to the user of {origin}; use a "
    "user who may see it.",
}
_WITHOUT_USER = {
    "HTTPUnauthorizedError": "The stream {shown} asks for a user and a password (401); give them "
    "by --credentials FILE or in FERVID_USER and FERVID_PASSWORD.",
    "HTTPForbiddenError": "The stream {shown} is forbidden (403) to anybody without a user; give "
    "one by --credentials FILE or in FERVID_USER and FERVID_PASSWORD.",
}
_SENTENCES = {
    "HTTPNotFoundError": "There is no stream {shown}: its host answers with 404 (not found); check "
    "what follows the host.",
    "HTTPOtherClientError": "The server of {shown} refuses the request ({reason}); check the "
    "address, and with RTSP try the other --rtsp-transport.",
    "HTTPTooManyRequestsError": "The server of {shown} has too many readers ({reason}); try again "
    "later.",
    "HTTPServerError": "The server of {shown} has failed ({reason}); try again later, or start it "
    "again.",
    "ConnectionRefusedError": "Nothing serves {shown}: its host refuses the connection; check the "
    "port, and that the camera or its server is on.",
    "ProtocolNotFoundError": "Addresses like {shown} cannot be read; use rtsp://, http://, "
    "https:// or udp://, or the name of a file.",
    "InvalidDataError": "What {shown} sends cannot be read as video; check that the address is "
    "that of the stream itself, not of a page about it.",
}
KNOWN = ("rtsp", "rtsps", "http", "https", "udp", "rtmp", "srt")
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
# How FFmpeg reports a name that cannot be resolved; also other things.
_VAGUE = errno.EIO


def why_malformed(uri: str, shown: str) -> str:
    """Return what is wrong with a URL before anything is asked for; "" where nothing is."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return f"The address {shown} is malformed ({str(error).lower()}); correct it."
    if parts.scheme == "udp" and port is None:
        return f"The address {shown} names no port to listen on; write it like udp://:5000."
    if parts.scheme != "udp" and not host:
        return f"The address {shown} names no host; write it like rtsp://192.168.1.20/stream."
    return ""


def why_too_long(shown: str) -> str:
    """Return why a user and password cannot be sent."""
    return (
        f"The user and password of {shown} are too long together for RTSP (127 bytes, with three "
        "for each sign that a URL has its own use for); give the camera shorter ones."
    )


def is_untrusted(uri: str, error: Any) -> bool:
    """Whether an error may be that a server's certificate is not trusted, which has no number."""
    by_tls = uri.lower().startswith(("https:", "rtsps:"))
    return by_tls and getattr(error, "errno", None) == _VAGUE and _is_known(uri)


def why_untrusted(shown: str) -> str:
    """Return why a server is not believed to be who it says."""
    return (
        f"The server of {shown} cannot prove who it is: its certificate has expired, is for "
        "another name, or is signed by nobody this machine knows; name a file with its authority "
        "in SSL_CERT_FILE, or trust it unseen with --no-tls-verify."
    )


def why_silent(uri: str, shown: str, read: ReadConfig) -> str:
    """Return why a stream that did not answer in time was given up."""
    limit = f"{read.open_timeout_s:g} s"
    if uri.lower().startswith("udp"):
        return (
            f"Nothing that can be read as video arrived at {shown} within {limit}; check that the "
            "sender sends to this address and port and that no firewall holds it back, or allow "
            "more by --open-timeout-s."
        )
    return (
        f"The stream {shown} did not answer within {limit}; check the address and that the camera "
        "is on, or allow more by --open-timeout-s."
    )


def why_refused(uri: str, shown: str, error: Any, origin: str) -> str:
    """Return why a stream was refused.

    Args:
        uri: the URL, for its host.
        shown: the same without credentials.
        error: PyAV's.
        origin: where the user and password came from; "" where none were given.
    """
    kind = type(error).__name__
    sentence = (_WITH_USER if origin else _WITHOUT_USER).get(kind) or _SENTENCES.get(kind)
    if kind == "ProtocolNotFoundError":
        scheme, _, rest = shown.partition("://")
        near = nearest_word(scheme, KNOWN)
        if near:
            return f"Addresses that begin with {scheme}:// cannot be read; did you mean {near}://{rest}?"
    if sentence is None:
        return _by_number(uri, shown, error)
    return sentence.format(shown=shown, origin=origin, reason=reason(error))


def _by_number(uri: str, shown: str, error: Any) -> str:
    number = getattr(error, "errno", None)
    if number == _VAGUE and not _is_known(uri):
        host = urlsplit(uri).hostname
        return f"The host {host} is not known; check its spelling and that the network is up."
    if number in _UNREACHABLE:
        return (
            f"The host of {shown} cannot be reached ({reason(error)}); check the address and the "
            "network."
        )
    if number == errno.EADDRINUSE:
        return (
            f"The port of {shown} is taken by another program; stop that one, or send to another "
            "port."
        )
    return (
        f"The stream {shown} cannot be opened ({reason(error)}); check the address and that the "
        "camera is on."
    )


def _is_known(uri: str) -> bool:
    """Whether the host of a URL has an address."""
    try:
        socket.getaddrinfo(urlsplit(uri).hostname, None)
    except (OSError, UnicodeError):
        return False
    return True


def why_broken_off(shown: str, error: Any, read: ReadConfig) -> str:
    """Return why a stream cannot be read on."""
    if is_silence(error):
        return (
            f"The stream {shown} has been silent for {read.read_timeout_s:g} s; check the camera "
            "and the network, or allow more by --read-timeout-s."
        )
    return (
        f"The stream {shown} broke off ({reason(error)}); check the camera and the network, and "
        "start again."
    )


def is_silence(error: Any) -> bool:
    """Whether an error says that nothing came in time."""
    return isinstance(error, TimeoutError) or type(error).__name__ == "ExitError"


def reason(error: Any) -> str:
    """Return the system's own words, without the address that FFmpeg adds to them."""
    if is_silence(error):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or type(error).__name__)
