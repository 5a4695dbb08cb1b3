"""Servers on loopback that the tests of network streams start themselves."""

import base64
import contextlib
import functools
import http.server
import itertools
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import pytest

from tests import clips

HERE = "127.0.0.1"
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody listens on."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HERE, 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def http_server(
    answer: Answer, login: str = "", certificate: Path | None = None, port: int = 0
) -> Iterator[str]:
    """Serve GET and POST by `answer`, behind basic authentication if there is a `user:password`.

    With a certificate, which is one file with its key, it speaks HTTPS. The port is any that is
    free, or the one that is named.

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

        do_POST = do_GET  # noqa: N815 - the library's name

        def end_headers(self):
            self.send_header("Connection", "close")  # or FFmpeg asks again where nobody listens
            super().end_headers()

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True
        block_on_close = False

        def get_request(self):
            connection, place = super().get_request()
            taken.append(connection)
            return connection, place

    taken: list[socket.socket] = []
    with Server((HERE, port), Handler) as server:
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"{HERE}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            # Or they would go on with their answers: a thread inside OpenCV while Python ends
            # aborts the process.
            for connection in taken:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


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


@contextlib.contextmanager
def served(*paths: Path) -> Iterator[list[str]]:
    """Files of one folder by HTTP: recordings that are analysed at once, as streams are.

    Yields:
        Their addresses.
    """
    with http_server(files(paths[0].parent)) as host:
        yield [f"http://{host}/{path.name}" for path in paths]


def status(code: int) -> Answer:
    """Answer with a status and nothing else."""

    def answer(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def text(text: str, kind: str = "text/html") -> Answer:
    """Answer with a text."""
    return content(text.encode(), kind)


def content(body: bytes, kind: str) -> Answer:
    """Answer with bytes that are said to be of a kind."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def mjpeg(
    frames: int,
    rate: float = 25.0,
    then_s: float = 0.0,
    meanwhile: Callable[[int], object] = lambda n: None,
    show: Callable[[int], int] = lambda n: n % 20,
) -> Answer:
    """Answer as a network camera does: JPEGs one after another; then be silent for `then_s`.

    `meanwhile` is called with the number of each picture before it is sent; `show` says what the
    picture of a number shows.
    """

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        for n in range(frames):
            meanwhile(n)
            jpeg = cv2.imencode(".jpg", clips.scene(show(n)))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            handler.wfile.write(head.encode() + jpeg + b"\r\n")
            time.sleep(1 / rate)
        time.sleep(then_s)

    return answer


@contextlib.contextmanager
def silent_server(
    data: bytes = b"", heard: Callable[[socket.socket], None] | None = None
) -> Iterator[str]:
    """Accept connections, send some bytes on each, and say no more; `heard` is told of each.

    Yields:
        "127.0.0.1:port".
    """
    taken = []

    def accept(server):
        with contextlib.suppress(OSError):  # closed at the end
            while True:
                taken.append(server.accept()[0])
                if heard:
                    heard(taken[-1])
                taken[-1].sendall(data)

    with socket.create_server((HERE, 0)) as server:
        thread = threading.Thread(target=accept, args=(server,))
        thread.start()
        try:
            yield f"{HERE}:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in taken:
                connection.close()


def hls(folder: Path, seconds: int) -> Path:
    """Write a finished HLS recording of 25 pictures a second in pieces of 0.8 to 1.6 s."""
    clips.clip(
        folder / "v.m3u8",
        pictures=[clips.picture(n % 20) for n in range(25 * seconds)],
        layout={"hls_time": "1", "hls_list_size": "0"},
        options={"g": "25", "bf": "0"},
    )
    return folder


def live_hls(folder: Path, *, first: int = 4, window: int = 4, end_s: float = 1e9) -> Answer:
    """Answer as a live HLS server whose pieces become known in time; after `end_s` none do."""
    listed = (folder / "v.m3u8").read_text().splitlines()
    pieces = [listed[n : n + 2] for n, line in enumerate(listed) if line.startswith("#EXTINF")]
    lengths = [float(piece[0].removeprefix("#EXTINF:").rstrip(",")) for piece in pieces]
    began = time.monotonic()

    def answer(handler):
        if not handler.path.endswith(".m3u8"):
            return files(folder)(handler)
        passed_s, known = min(time.monotonic() - began, end_s), first
        while known < len(pieces) and sum(lengths[first : known + 1]) <= passed_s:
            known += 1
        start = max(0, known - window)
        head = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2"]
        head.append(f"#EXT-X-MEDIA-SEQUENCE:{start}")
        lines = head + [line for piece in pieces[start:known] for line in piece]
        return text("\n".join(lines) + "\n", "application/vnd.apple.mpegurl")(handler)

    return answer


@contextlib.contextmanager
def udp_sender(port: int, rate: float = 25.0) -> Iterator[threading.Event]:
    """Send MPEG-TS to a port, a picture after the other, until the end of the block.

    Yields:
        an event that ends it before.
    """
    stop = threading.Event()

    def send():
        with av.open(f"udp://{HERE}:{port}?pkt_size=1316", "w", format="mpegts") as out:
            options = {"tune": "zerolatency", "preset": "ultrafast", "g": "10"}
            stream = out.add_stream("libx264", rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = *clips.SIZE, "yuv420p"
            for n in itertools.count():
                frame = av.VideoFrame.from_ndarray(clips.picture(n % 20), format="bgr24")
                out.mux(stream.encode(frame))
                if stop.wait(1 / rate):
                    break

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def rtsp_server(*arguments: str, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve a moving ball as /cam, 320 x 240 at 25 a second; see rtsp_server.py.

    The port is any that is free, or the one that is named.

    Yields:
        "127.0.0.1:port" and the process.
    """
    program = Path(__file__).with_name("rtsp_server.py")
    command = [str(_gstreamer_python()), str(program), str(port)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"{HERE}:{process.stdout.readline().strip()}", process
        finally:
            process.kill()


def _fails(command) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode != 0


@functools.cache
def _gstreamer_python() -> Path:
    """The Python that can serve RTSP; a test that needs it is skipped where there is none."""
    python = Path("/usr/bin/python3")
    probe = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); gi.require_version('Gst', '1.0'); "
        "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
        "assert Gst.ElementFactory.find('rtpjpegpay') and Gst.ElementFactory.find('jpegenc')"
    )
    if not python.exists() or _fails([python, "-c", probe]):
        pytest.skip("GStreamer's RTSP server is not installed (gir1.2-gst-rtsp-server-1.0)")
    return python


def certificate(folder: Path) -> Path:
    """A certificate for loopback that signs itself, with its key, in one file."""
    path = folder / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=camera", "-addext", f"subjectAltName=IP:{HERE}"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes((folder / "key.pem").read_bytes() + path.read_bytes())
    return path
