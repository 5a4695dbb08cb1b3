"""Servers on loopback that the tests of network streams start themselves."""

import base64
import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from tests import clips

HERE = "127.0.0.1"
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody listens on."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HERE, 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def http_server(answer: Answer, login: str = "") -> Iterator[str]:
    """Serve GET by `answer`, behind basic authentication if there is a `user:password`.

    Yields:
        "127.0.0.1:port".
    """
    right = "Basic " + base64.b64encode(login.encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.close_connection = True
            if login and self.headers["Authorization"] != right:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            with contextlib.suppress(ConnectionError):  # the reader may leave at any time
                answer(self)

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server((HERE, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"{HERE}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def files(folder: Path, *, ranges: bool = True) -> Answer:
    """Answer with the files of a folder, in pieces where asked for."""

    def answer(handler):
        path = folder / handler.path.lstrip("/").partition("?")[0]
        if not path.is_file():
            return status(404)(handler)
        content = path.read_bytes()
        first = 0
        if ranges and (asked := handler.headers["Range"]):
            first = int(asked.removeprefix("bytes=").partition("-")[0])
        handler.send_response(206 if ranges and asked else 200)
        if ranges:
            handler.send_header("Accept-Ranges", "bytes")
            if asked:
                end = f"{len(content) - 1}/{len(content)}"
                handler.send_header("Content-Range", f"bytes {first}-{end}")
        handler.send_header("Content-Length", str(len(content) - first))
        handler.end_headers()
        handler.wfile.write(content[first:])
        return None

    return answer


def status(code: int) -> Answer:
    """Answer with a status and nothing else."""

    def answer(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def text(content: str, kind: str = "text/html") -> Answer:
    """Answer with a text."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content.encode())))
        handler.end_headers()
        handler.wfile.write(content.encode())

    return answer


def mjpeg(frames: int, rate: float = 25.0, then_s: float = 0.0) -> Answer:
    """Answer as a network camera does: JPEGs one after another; then be silent for `then_s`."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        for n in range(frames):
            jpeg = cv2.imencode(".jpg", clips.picture(n % 20))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            handler.wfile.write(head.encode() + jpeg + b"\r\n")
            time.sleep(1 / rate)
        time.sleep(then_s)

    return answer
