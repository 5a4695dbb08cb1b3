"""An RTSP server that a bench kills, stalls or freezes, and brings back on its port."""

import signal
import time
from contextlib import ExitStack
from fractions import Fraction

import av
import cv2

from fervid.capture import open_source
from tests import servers

STARTS = 5  # that may fail, as a port is not free again at once everywhere
DOWN = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "freeze": signal.SIGUSR1}
UP = {"stop": signal.SIGCONT, "freeze": signal.SIGUSR1}


class Server:
    """The RTSP server, which can be broken and mended.

    Args:
        loop: folder with encoded pictures, as `encode_loop` makes it; else it serves a ball.
        fps: of these pictures.
    """

    def __init__(self, loop=None, fps=15):
        self.port = servers.free_port()
        self._arguments = () if loop is None else ("loop", str(loop), str(fps))
        self._stack = ExitStack()
        self.start()

    @property
    def url(self):
        """What it serves."""
        return f"rtsp://{servers.HERE}:{self.port}/cam"

    def start(self):
        """Start it; it listens when this returns."""
        for _ in range(STARTS):
            host, self._process = self._stack.enter_context(
                servers.rtsp_server(*self._arguments, port=self.port)
            )
            if host.endswith(f":{self.port}"):
                return
            self._stack.close()
            time.sleep(1)
        raise RuntimeError(f"The RTSP server does not start on port {self.port}.")

    def down(self, how):
        """Kill it, stall it, or freeze its picture (of a loop)."""
        self._process.send_signal(DOWN[how])

    def up(self, how):
        """Undo that."""
        if how == "kill":
            self._stack.close()
            self.start()
        else:
            self._process.send_signal(UP[how])

    def close(self):
        """End it."""
        self._stack.close()


def encode_loop(clip, folder, *, fps, size, most_s=20.0):
    """Write the beginning of a clip as a file a picture, for the server's loop; returns how many.

    A key frame comes once a second, as cameras send them.
    """
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    options = {"tune": "zerolatency", "preset": "veryfast", "crf": "23", "bf": "0"}
    encoder.thread_count = 1  # one slice: GStreamer marks a key frame's first one as the last
    encoder.options = {**options, "g": str(fps), "keyint_min": str(fps), "sc_threshold": "0"}
    n, taken = 0, 0
    with open_source(str(clip)) as source:
        for frame in source:
            if frame.time_s > most_s:
                break
            if frame.time_s < taken / fps:
                continue
            shown = cv2.resize(frame.bgr, size, interpolation=cv2.INTER_AREA)
            picture = av.VideoFrame.from_ndarray(shown, format="bgr24")
            picture.pts, taken = taken, taken + 1
            n = _write(encoder.encode(picture), folder, n)
    return _write(encoder.encode(None), folder, n)


def _write(packets, folder, n):
    for packet in packets:
        (folder / f"{n:05}.{'key' if packet.is_keyframe else 'delta'}").write_bytes(bytes(packet))
        n += 1
    return n
