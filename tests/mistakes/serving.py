"""Mistakes around the live page: its address, its library, what does not go with it."""

import contextlib
import socket

from tests.mistakes.record import Mistake

CLIP = ("clip.mp4",)


@contextlib.contextmanager
def port_in_use(folder):
    """Another program listens on a port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield {"port": str(listening.getsockname()[1])}


PAGES = (
    Mistake(
        "serve-word",
        "a live page on what is no address",
        "fervid --serve clip.mp4",
        2,
        r"^--serve must be \[HOST:\]PORT, like 8080 for this machine alone or 0\.0\.0\.0:8080 for ",
        CLIP,
    ),
    Mistake(
        "serve-in-use",
        "a live page on a port that another program has",
        "fervid clip.mp4 --serve {port}",
        1,
        r"^The live page cannot be served on 127\.0\.0\.1:\d+ \(Address already in use\); name ano",
        CLIP,
        around=port_in_use,
    ),
    Mistake(
        "serve-elsewhere",
        "a live page on an address that is another machine's",
        "fervid clip.mp4 --serve 192.0.2.1:8080",
        1,
        r"^The live page cannot be served on 192\.0\.2\.1:8080 \(Cannot assign requested ",
        CLIP,
    ),
    Mistake(
        "serve-jobs",
        "a live page of files that other processes analyse",
        "fervid clip.mp4 -o results --jobs 2 --serve",
        2,
        r"^--jobs serves no live page; drop --serve or --jobs\.$",
        CLIP,
    ),
)
