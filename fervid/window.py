"""A window on the desktop: what it can do, how it is opened, and how large its pictures are."""

import os
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from fervid.errors import DisplayError
from fervid.pen import U8
from fervid.window_link import LEAVE, ProcessWindow, needs_display

MOST_PX = (1280, 720)  # a larger picture is shown smaller: it fits most screens
LEAST_PX = (640, 360)  # a smaller one is shown larger: the help can be read


class Window(Protocol):
    """Shows pictures and tells which keys were pressed in it."""

    @property
    def closed(self) -> bool:
        """Whether a person has closed it."""

    @property
    def lost(self) -> str:
        """Why it went away by itself; empty while it is there."""

    @property
    def pending(self) -> bool:
        """Whether there is something to react to: a key, or its end."""

    def show(self, picture: U8) -> None:
        """Show a picture, uint8 (H, W, 3), without waiting; it must not be changed afterwards."""

    def pressed(self) -> list[int]:
        """The codes of the keys that were pressed since the last call."""

    def close(self) -> None:
        """Take the window away; closing twice is harmless."""


def open_window(title: str, news: Callable[[], object] = lambda: None) -> ProcessWindow:
    """Open a window.

    Args:
        title: shown above it; without credentials even if the title has some.
        news: called, in another thread, when `pending` may have become true.

    Raises:
        DisplayError: no window can be opened here; the message says why and what to do.
    """
    if needs_display() and not os.environ.get("DISPLAY"):
        raise DisplayError(f"No window can be opened: DISPLAY is not set; {LEAVE}.")
    return ProcessWindow(title, news)


def display_problem() -> str:
    """Why no window can be opened here; empty if one can: it is opened for a moment."""
    try:
        open_window("fervid").close()
    except DisplayError as error:
        return str(error)
    return ""


def fitted(picture: U8) -> U8:
    """A picture as large as a window wants it, with its proportions.

    Args:
        picture: uint8 (H, W, 3).

    Returns:
        uint8 (H', W', 3): within MOST_PX, and if it can be not within LEAST_PX.
    """
    h, w = picture.shape[:2]
    most = min(MOST_PX[0] / w, MOST_PX[1] / h)
    least = min(LEAST_PX[0] / w, LEAST_PX[1] / h)
    scale = most if most < 1 else max(1.0, least)
    if scale == 1:
        return picture
    size = max(1, round(w * scale)), max(1, round(h * scale))
    how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
