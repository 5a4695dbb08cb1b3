"""A drawn person, for a benchmark without a clip: nothing but OpenCV's ellipses.

The detector takes the drawing for a face, and the network answers something; that it is no real
face does not matter to how long they take.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Colour = tuple[int, int, int]

SIZE = (640, 360)
RATE = 30
HEAD_PX = 240
PERIOD = 72  # frames after which the drawing repeats itself
SKIN: Colour = (140, 170, 220)
HAIR: Colour = (40, 50, 70)


def portrait(smile: float, turn: float, side: int = HEAD_PX) -> U8:
    """Head and shoulders.

    Args:
        smile: 0 (closed mouth) to 1.
        turn: of the head, in hundredths of half the picture's width.
        side: of the picture, in pixels.

    Returns:
        BGR uint8 (side, side, 3).
    """
    picture = np.full((side, side, 3), (150, 140, 130), np.uint8)

    def oval(x: float, y: float, a: float, b: float, colour: Colour, end: int = 360) -> None:
        """An ellipse at x, y from the middle, in hundredths of half the side."""
        centre = (round((100 + x) * side / 200), round((100 + y) * side / 200))
        axes = (max(1, round(a * side / 200)), max(1, round(b * side / 200)))
        cv2.ellipse(picture, centre, axes, 0, 0, end, colour, -1, cv2.LINE_AA)

    oval(0, 95, 85, 45, (90, 60, 50))  # shoulders
    oval(0, 62, 24, 34, (120, 150, 200))  # neck
    oval(0, -12, 60, 72, HAIR)
    oval(0, 0, 50, 64, SKIN)
    oval(0, -48, 50, 20, HAIR)
    for eye in (turn - 20, turn + 20):
        oval(eye, -16, 12, 7, (120, 145, 195))
        oval(eye, -14, 9, 5, (245, 245, 245))
        oval(eye + turn / 5, -14, 4, 5, (50, 40, 40))
        oval(eye, -27, 12, 3, (50, 60, 80))
    oval(1.3 * turn, 8, 7, 14, (125, 155, 208))  # nose
    oval(1.3 * turn, 16, 9, 4, (105, 135, 190))
    oval(turn, 32 - 6 * smile, 20, 3 + 10 * smile, (80, 80, 170), 180)  # mouth
    oval(turn, 32 - 6 * smile, 20, 2, (60, 60, 120))
    light = np.linspace(1.08, 0.83, side, dtype=np.float32)[None, :, None]
    lit = (picture * light).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), 0.006 * side), np.uint8)


def frames(count: int) -> Iterator[U8]:
    """A person who nods, turns and smiles in a room: BGR uint8 (360, 640, 3), RATE a second."""
    width, height = SIZE
    room = backdrop(width, height)
    for index in range(count):
        phase = 2 * np.pi * index / PERIOD
        head = portrait(0.5 - 0.5 * float(np.cos(phase)), 4 * float(np.sin(phase)))
        x = round((width - HEAD_PX) / 2 + 20 * np.sin(phase))
        y = round((height - HEAD_PX) / 2 + 6 * np.sin(2 * phase))
        frame = room.copy()
        frame[y : y + HEAD_PX, x : x + HEAD_PX] = head
        yield frame


def backdrop(width: int, height: int) -> U8:
    """A room out of focus, always the same: BGR uint8 (height, width, 3)."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(120, 18, (6, 8, 3)).astype(np.float32)
    wall = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.rint(wall).clip(0, 255), np.uint8)
