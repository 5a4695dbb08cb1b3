"""Mistakes with network streams, against servers on this machine."""

from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests import servers
from tests.mistakes.record import Mistake

TINY = "--model tiny.onnx"
THINGS = ("tiny.onnx",)
PAGE = servers.text("<!doctype html><html><body>Camera</body></html>\n" * 50)


def serving(server: AbstractContextManager) -> object:
    """Fill {host} in with a server's."""

    @contextmanager
    def around(folder: Path):
        with server() as host:
            yield {"host": host}

    return around


def http(answer, login: str = ""):
    return serving(lambda: servers.http_server(answer, login))


def once(answer):
    """Answer the first who asks; all others get an error."""
    asked = []

    def first(handler):
        asked.append(handler)
        (answer if len(asked) == 1 else servers.status(503))(handler)

    return first


@contextmanager
def nobody(folder: Path):
    yield {"host": f"127.0.0.1:{servers.free_port()}"}


def stream(name: str, what: str, address: str, says: str, **other) -> Mistake:
    other.setdefault("around", nobody)
    return Mistake(name, what, f"fervid {address} {TINY}", 1, says, THINGS, **other)


STREAMS = (
    stream(
        "stream-refused",
        "a stream that nobody serves",
        "rtsp://{host}/video",
        r"^Nothing serves rtsp://127\.0\.0\.1:\d+/video: its host refuses the connection",
    ),
    stream(
        "stream-silent",
        "a stream that does not answer",
        "rtsp://{host}/video --open-timeout-s 0.6",
        r"did not answer within 0\.6 s",
        around=serving(servers.silent_server),
    ),
    stream(
        "stream-unknown-host",
        "a host that is not known",
        "http://no-such-camera.invalid/video",
        r"^The host no-such-camera\.invalid is not known; check its spelling",
    ),
    stream(
        "stream-password",
        "a wrong password",
        "http://me:s3cret@{host}/video",
        r"refuses the user or the password of its address \(401\); correct them",
        around=http(servers.mjpeg(5), "me:right"),
    ),
    stream(
        "stream-no-password",
        "no password where one is asked for",
        "http://{host}/video",
        r"asks for a user and a password \(401\); give them by --credentials",
        around=http(servers.mjpeg(5), "me:right"),
    ),
    stream(
        "stream-not-found",
        "a page that is not there",
        "http://{host}/vidoe",
        r"404 \(not found\); check what follows the host",
        around=http(servers.status(404)),
    ),
    stream(
        "stream-page",
        "a page about the camera",
        "http://{host}/",
        r"cannot be read as video; check that the address is that of the stream itself",
        around=http(PAGE),
    ),
    stream(
        "stream-stops",
        "a stream that falls silent: its rows are kept",
        "http://{host}/video --csv rows.csv --reconnect none --read-timeout-s 0.6",
        r"has been silent for 0\.6 s",
        left=("rows.csv",),
        around=http(servers.mjpeg(15, rate=100, then_s=3)),
    ),
    stream(
        "stream-stays-away",
        "a stream that breaks off and does not come back: its rows are kept",
        "http://{host}/video --csv rows.csv --reconnect 2 --reconnect-max-s 0.1",
        r"was lost and not brought back by 2 attempts within \d+ s: ",
        left=("rows.csv",),
        around=http(once(servers.mjpeg(15, rate=100))),
    ),
    stream(
        "stream-scheme",
        "a misspelt scheme",
        "rtps://{host}/video",
        r"^Addresses that begin with rtps:// cannot be read; did you mean rtsp://",
    ),
    stream(
        "stream-slash",
        "an address that lacks a slash",
        "rtsp:/me:s3cret@{host}/video",
        r"^There is no file of that name; did you mean rtsp://127\.0\.0\.1:\d+/video\?$",
    ),
    stream(
        "stream-no-scheme",
        "an address without a scheme",
        "{host}/video",
        r"^There is no file of that name; did you mean rtsp://127\.0\.0\.1:\d+/video\?$",
    ),
    stream(
        "stream-no-host", "an address without a host", "rtsp://", r"names no host; write it like"
    ),
    stream(
        "stream-port",
        "a port that cannot be",
        "http://me:s3cret@127.0.0.1:999999/video",
        r"^The address http://127\.0\.0\.1:999999/video is malformed \(port out of range",
    ),
    stream(
        "stream-udp-silent",
        "a port that nobody sends to",
        "udp://{host} --open-timeout-s 0.6",
        r"^Nothing that can be read as video arrived at udp://",
    ),
    stream(
        "stream-file",
        "the address of a file that is not there",
        "file:///no/such/clip.mp4",
        r"^There is no file /no/such/clip\.mp4; check its name and folder",
    ),
)
