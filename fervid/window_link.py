"""The wire to a window that a process of its own holds (window_process.py).

Opening it is the probe: a display that is missing, dead or silent ends or stalls the other process,
never this one. A display that goes away later does the same.
"""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO

import numpy as np

from fervid.config import without_credentials
from fervid.errors import DisplayError
from fervid.pen import U8

_log = logging.getLogger(__name__)

OPEN_S = 20.0  # a loaded machine needs many of them to start Python, OpenCV and Qt
CLOSE_S = 2.0
# What libraries say, and what it means to a person.
CAUSES = (
    ("connection broke", "the display {display} went away"),
    ("could not connect to display", "the display {display} does not answer"),
    ("cannot open display", "the display {display} does not answer"),
    (
        "Could not load the Qt platform",
        "Qt misses a library of the system (Debian: libxcb1 libgl1)",
    ),
    ("not implemented", "this OpenCV is a build without windows (opencv-python-headless)"),
)
LEAVE = "set DISPLAY to a working display, or leave the window with --no-window"
REINSTALL = (
    "pip uninstall opencv-python-headless and pip install --force-reinstall "
    "opencv-contrib-python, or leave the window with --no-window"
)


class ProcessWindow:
    """The window of another process, which gets pictures and sends keys through pipes.

    Threads write and read, so that a slow display (over ssh) never holds the caller up: of pictures
    that come faster than they can be shown, only the newest is.

    Args:
        title: shown above the window.
        news: called, in another thread, when `pending` may have become true.

    Raises:
        DisplayError: the window did not open within OPEN_S.
    """

    def __init__(self, title: str, news: Callable[[], object]) -> None:
        self._news = news
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._said: deque[str] = deque(maxlen=50)
        self._closed = self._leaving = False
        self._lost = ""
        self._picture: U8 | None = None
        self._changed = threading.Condition()
        self._process = _start()
        self._threads = [
            threading.Thread(target=work, args=(stream,), name="fervid-window", daemon=True)
            for work, stream in (
                (self._write, self._process.stdin),
                (self._read, self._process.stdout),
                (self._listen, self._process.stderr),
            )
        ]
        self._title = "".join(c if c.isprintable() else "?" for c in without_credentials(title))
        for thread in self._threads:
            thread.start()
        try:
            self._wait_until_open()
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether a person has closed it."""
        return self._closed

    @property
    def lost(self) -> str:
        """Why it went away by itself; empty while it is there."""
        return self._lost

    @property
    def pending(self) -> bool:
        """Whether there is something to react to: a key, or its end."""
        return not self._answers.empty()

    def show(self, picture: U8) -> None:
        """Show a picture, uint8 (H, W, 3), without waiting; it must not be changed afterwards."""
        with self._changed:
            self._picture = picture
            self._changed.notify()

    def pressed(self) -> list[int]:
        """The codes of the keys that were pressed since the last call."""
        found: list[int] = []
        while not self._answers.empty():
            word, _, code = self._answers.get().partition(" ")
            if word == "key":
                found.append(int(code))
            elif word == "closed":
                self._closed = True
            elif word == "" and not self._closed:
                self._lost = self._reason()
        return found

    def close(self) -> None:
        """Take the window away; closing twice is harmless."""
        with self._changed:
            self._leaving = True
            self._changed.notify()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(CLOSE_S)

    def _wait_until_open(self) -> None:
        until = time.monotonic() + OPEN_S
        try:
            word = self._answers.get(timeout=OPEN_S)
        except queue.Empty:
            self._process.kill()
            raise DisplayError(
                f"No window can be opened: {_display()} did not answer in {OPEN_S:g} s; {LEAVE}."
            ) from None
        if word != "ready":
            self._process.wait(max(0.1, until - time.monotonic()))
            reason = self._reason()
            way_out = REINSTALL if "without windows" in reason else LEAVE
            raise DisplayError(f"No window can be opened: {reason}; {way_out}.")

    def _reason(self) -> str:
        """Why the other process ended, from what it said."""
        self._threads[2].join(CLOSE_S)
        said = "\n".join(self._said)
        for sign, meaning in CAUSES:
            if sign.lower() in said.lower():
                return meaning.format(display=os.environ.get("DISPLAY", ""))
        last = self._said[-1] if self._said else f"its process ended ({self._process.poll()})"
        return last.strip()[:160].rstrip(".")

    def _write(self, stream: IO[bytes]) -> None:
        """Send the title and each newest picture until the window is closed; runs in a thread."""
        try:
            with stream:
                stream.write(json.dumps({"title": self._title}).encode() + b"\n")
                stream.flush()
                while (picture := self._next()) is not None:
                    head = {"height": picture.shape[0], "width": picture.shape[1]}
                    stream.write(json.dumps(head).encode() + b"\n")
                    stream.write(np.ascontiguousarray(picture).data)
                    stream.flush()
        except OSError:  # the other process has gone; its answers end too
            return

    def _next(self) -> U8 | None:
        with self._changed:
            self._changed.wait_for(lambda: self._leaving or self._picture is not None)
            picture, self._picture = self._picture, None
            return None if self._leaving else picture

    def _read(self, stream: IO[bytes]) -> None:
        """Collect what the window tells, "" at its end; runs in a thread."""
        with stream:
            for line in stream:
                self._answers.put(line.decode("ascii", "replace").strip() or "?")
                self._news()
        self._answers.put("")
        self._news()

    def _listen(self, stream: IO[bytes]) -> None:
        """Keep what libraries print, for the log and as the reason of a failure."""
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace").strip()
                if text:
                    self._said.append(text)
                    _log.debug("window: %s", text)


def needs_display() -> bool:
    """Whether windows of this system need DISPLAY to be set."""
    return sys.platform not in ("win32", "darwin")


def _display() -> str:
    return f"the display {os.environ['DISPLAY']}" if os.environ.get("DISPLAY") else "the display"


def _start() -> subprocess.Popen[bytes]:
    """Start the other process, which finds modules where this one does."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if needs_display():  # the Qt in OpenCV's wheel speaks X11 alone, whatever the desktop says
        env["QT_QPA_PLATFORM"] = "xcb"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "fervid.window_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        # Ctrl-C is for fervid, which then closes the window.
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
