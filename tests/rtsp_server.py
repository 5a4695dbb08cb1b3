"""An RTSP server by GStreamer, run by the Python that GStreamer's bindings belong to.

python3 rtsp_server.py PORT [basic|digest USER PASSWORD] - prints its port, which is any free one
for 0, and serves /cam until it is ended.

python3 rtsp_server.py PORT loop FOLDER FPS - serves pictures that are encoded already, again and
again: each file of the folder is one of H.264, in order of their names; the decoder can begin at
those called .key. SIGUSR1 freezes the picture to the bit, and lets it go on.
"""

import itertools
import signal
import sys
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

CAMERA = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1 "
    "! {} )"
)
H264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay name=pay0"
JPEG = "jpegenc ! rtpjpegpay name=pay0"
LOOP = (
    "( appsrc name=pictures is-live=true do-timestamp=true format=time max-buffers=30 "
    "leaky-type=downstream caps=video/x-h264,stream-format=byte-stream,alignment=au,framerate={}/1 "
    "! h264parse ! rtph264pay name=pay0 config-interval=-1 )"
)


class Loop:
    """Feeds the pictures of a folder to whatever media is open, at their pace."""

    def __init__(self, folder, fps):
        files = sorted(Path(folder).iterdir())
        self._pictures = [file.read_bytes() for file in files]
        keys = (n if file.suffix == ".key" else 0 for n, file in enumerate(files))
        self._key_of = list(itertools.accumulate(keys, max))
        self._fps, self._frozen, self._feeds = fps, False, 0
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGUSR1, self._toggle)

    def configure(self, _, media):
        """Begin to feed a media that is being made."""
        self._feeds += 1
        source = media.get_element().get_by_name("pictures")
        self._feed(source, self._feeds, 0, time.monotonic())

    def _toggle(self):
        self._frozen = not self._frozen
        return True

    def _feed(self, source, feed, at, due_s):
        if feed != self._feeds:  # another media has taken its place
            return False
        if self._frozen:
            at = self._key_of[at]
        source.emit("push-buffer", Gst.Buffer.new_wrapped(self._pictures[at]))
        if not self._frozen:
            at = (at + 1) % len(self._pictures)
        now_s = time.monotonic()
        due_s = (
            max(due_s, now_s - 1) + 1 / self._fps
        )  # after a stall it catches up a second at most
        wait_ms = max(0, round(1000 * (due_s - now_s)))
        GLib.timeout_add(wait_ms, self._feed, source, feed, at, due_s)
        return False


def protect(server, factory, method, user, password):
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    if method == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    role = "user, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
    factory.add_role_from_structure(Gst.Structure.new_from_string(role))


def main():
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    if sys.argv[2:3] == ["loop"]:
        factory.set_launch(LOOP.format(sys.argv[4]))
        factory.connect("media-configure", Loop(sys.argv[3], int(sys.argv[4])).configure)
    else:
        factory.set_launch(CAMERA.format(H264 if Gst.ElementFactory.find("x264enc") else JPEG))
    if sys.argv[2:3] in (["basic"], ["digest"]):
        protect(server, factory, *sys.argv[2:])
    server.get_mount_points().add_factory("/cam", factory)
    server.attach(None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


main()
