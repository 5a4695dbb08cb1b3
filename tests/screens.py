"""A screen without a monitor (Xvfb), on which tests press keys (xdotool) and look at pixels."""

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

WAIT_S = 30.0  # on a loaded machine; what is waited for comes in a fraction of it
needs_screen = pytest.mark.skipif(
    shutil.which("Xvfb") is None or shutil.which("xdotool") is None,
    reason="Xvfb or xdotool is missing (Debian: apt install xvfb xdotool)",
)


def wait_for(there: Callable[[], object], what: str):
    """Wait until something is there, and return it."""
    until = time.monotonic() + WAIT_S
    while not (found := there()):
        if time.monotonic() > until:
            raise TimeoutError(f"waited {WAIT_S:g} s for {what}")
        time.sleep(0.05)
    return found


class ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
    )


class Screen:
    """One running X server; `name` is its DISPLAY."""

    def __init__(self, folder: Path, size: tuple[int, int] = (1300, 800)) -> None:
        self._picture = folder / "Xvfb_screen0"
        reader, writer = os.pipe()
        command = ["Xvfb", "-displayfd", str(writer), "-fbdir", str(folder), "-nolisten", "tcp"]
        command += ["-noreset", "-screen", "0", f"{size[0]}x{size[1]}x24"]
        self._server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as number:
            self.name = f":{number.readline().strip()}"
        self.env = {**os.environ, "DISPLAY": self.name}
        self.xdotool("mousemove", str(size[0]), str(size[1]))  # the pointer is in the picture too

    def end(self) -> None:
        """End the server, as when a connection breaks."""
        self._server.kill()
        self._server.wait()

    def pixels(self) -> np.ndarray:
        """What the screen shows, uint8 (H, W, 3), BGR; read from the server's XWD file."""
        content = self._picture.read_bytes()
        head = np.frombuffer(content, ">u4", 25)
        start = int(head[0] + 12 * head[19])
        rows = np.frombuffer(content, np.uint8, int(head[5] * head[12]), start)
        return rows.reshape(int(head[5]), -1, 4)[:, : int(head[4]), :3]

    def xdotool(self, *words: str) -> str:
        """Run xdotool on this screen; returns what it prints."""
        command = ["xdotool", *words]  # a search that finds nothing fails, and is tried again
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def window(self, title: str) -> str:
        """The id of the window with a title, with the keyboard on it.

        The window is taken away and put back, as a window manager does, which this screen has none
        of: without one, of ten windows one stays black, because OpenCV's Qt loses the X events that
        say it is there (the server sent them, and its log has none; 0 of 60 under openbox).
        """
        search = ("search", "--onlyvisible", "--name", title)
        found = wait_for(lambda: self.xdotool(*search), f"a window {title}").split()[0]
        self.xdotool("windowunmap", "--sync", found)
        self.xdotool("windowmap", "--sync", found)
        self.xdotool("windowfocus", "--sync", found)
        return found

    def press(self, key: str) -> None:
        """Press a key; wait for what it does before the next one, as Qt keeps the last one only."""
        self.xdotool("key", key)

    def close_button(self, window: str) -> None:
        """Do what a window manager does when a window's close button is pressed."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        atoms = [x11.XInternAtom(display, n, False) for n in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")]
        event = ClientMessage(33, 0, 1, display, int(window), atoms[0], 32, (atoms[1], 0, 0, 0, 0))
        room = (ctypes.c_char * 192).from_buffer_copy(bytes(event).ljust(192, b"\0"))  # an XEvent
        x11.XSendEvent(display, ctypes.c_ulong(int(window)), False, ctypes.c_long(0), room)
        x11.XCloseDisplay(display)

    def changed(self, before: np.ndarray, below: int) -> np.ndarray:
        """Wait until the screen differs, below a row, from a picture of it; returns the new one."""

        def differs() -> bool:
            return not np.array_equal(self.pixels()[below:], before[below:])

        wait_for(differs, "a change on the screen")
        return self.settled()

    def settled(self) -> np.ndarray:
        """Wait until the screen stands still; returns what it shows."""

        def still() -> bool:
            before = self.pixels().copy()
            time.sleep(0.25)
            return bool((self.pixels() == before).all())

        wait_for(still, "the screen to stand still")
        return self.pixels().copy()


@contextmanager
def screen(folder: Path, **options) -> Iterator[Screen]:
    """A screen that is ended with the block."""
    found = Screen(folder, **options)
    try:
        yield found
    finally:
        found.end()
