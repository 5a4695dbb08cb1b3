"""The process that holds a window: `python -m fervid.window_process`, started by window.py.

A process of its own, because Qt and Xlib end the process they run in when the display does not
answer or goes away, and because a window must answer while the network computes.

Standard input brings one line of JSON (`title`), then pictures: a line of JSON (`height`, `width`)
and the pixels, BGR. Standard output says `ready`, `key N` for each key, and `closed` when the
window was closed. The end of the input is the end of the process.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

NAME = "fervid"
FLAGS = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
POLL_S = 0.01  # between two looks at the keyboard; of keys in less, Qt tells the last one only


class Inbox:
    """The newest picture that was sent; a thread fills it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.ended = False
        self._stream = stream
        self._picture: NDArray[np.uint8] | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._fill, daemon=True).start()

    def take(self, wait_s: float) -> NDArray[np.uint8] | None:
        """The newest picture, once; None if none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._picture is not None or self.ended, wait_s)
            picture, self._picture = self._picture, None
        return picture

    def _fill(self) -> None:
        while line := self._stream.readline():
            head = json.loads(line)
            shape = head["height"], head["width"], 3
            pixels = self._stream.read(shape[0] * shape[1] * shape[2])
            if len(pixels) < shape[0] * shape[1] * shape[2]:
                break
            with self._changed:
                self._picture = np.frombuffer(pixels, np.uint8).reshape(shape)
                self._changed.notify()
        with self._changed:
            self.ended = True
            self._changed.notify()


def serve(pictures: BinaryIO, tell: Callable[[str], object]) -> None:
    """Open the window and show what comes until the input ends or a person closes the window."""
    title = json.loads(pictures.readline())["title"]
    cv2.namedWindow(NAME, FLAGS)
    cv2.setWindowTitle(NAME, title)
    cv2.waitKeyEx(1)
    tell("ready")
    inbox, size = Inbox(pictures), None
    while not inbox.ended:
        picture = inbox.take(POLL_S)
        if picture is not None:
            if picture.shape != size:
                size = picture.shape
                cv2.resizeWindow(NAME, size[1], size[0])
            cv2.imshow(NAME, picture)
        while (key := cv2.waitKeyEx(1)) != -1:
            tell(f"key {key}")
        if size is not None and _is_closed():
            tell("closed")
            return
    cv2.destroyAllWindows()


def _is_closed() -> bool:
    """Whether a person has closed the window."""
    try:
        return cv2.getWindowProperty(NAME, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error:  # how OpenCV's Qt says that no window is left
        return True


def main() -> None:
    """Talk over the standard streams; what libraries print goes to standard error.

    SIGTERM, which a service's manager sends to all processes, is left to the one that analyses:
    it finishes its outputs, and its end is the end of the input here.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # Qt aborts; nobody wants the core file
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)

    def tell(word: str) -> None:
        answers.write(word + "\n")
        answers.flush()

    try:
        serve(sys.stdin.buffer, tell)
    except BrokenPipeError:  # whoever asked for the window has gone
        answers = open(os.devnull, "w")  # noqa: PTH123, SIM115 - replaces what would fail at exit


if __name__ == "__main__":
    main()
