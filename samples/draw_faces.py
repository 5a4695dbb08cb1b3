"""Draw a small labelled set of faces, and a clip to try a model on, for docs/own-data.md.

    python samples/draw_faces.py drawn/

writes drawn/pictures/{calm,smiling,astonished}/*.jpg, 20 of each, and drawn/clip.mp4, in which one
drawn person goes through the three. The faces are ellipses that the detector takes for faces.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from fervid.bench.drawn import backdrop, portrait

CLASSES = ("calm", "smiling", "astonished")
SIDE, ROOM = 240, (480, 360)
RATE, SECONDS_EACH = 15, 2


def face(name, turn, strength=1.0):
    """A head with an expression, BGR uint8 (SIDE, SIDE, 3)."""
    head = portrait(strength if name == "smiling" else 0.0, turn, SIDE)
    if name == "astonished":
        place = (round((100 + turn) * SIDE / 200), round(134 * SIDE / 200))
        size = (round(9 * strength * SIDE / 200), round(14 * strength * SIDE / 200))
        cv2.ellipse(head, place, size, 0, 0, 360, (60, 50, 110), -1, cv2.LINE_AA)
    return head


def in_room(head, x, y):
    """The head in a room, BGR uint8 (360, 480, 3)."""
    picture = backdrop(*ROOM).copy()
    picture[y : y + SIDE, x : x + SIDE] = head
    return picture


def photograph(name, rng):
    """One picture of the set: another turn, place, light and grain each time."""
    head = face(name, rng.uniform(-5, 5), rng.uniform(0.7, 1.0))
    picture = in_room(head, *rng.integers((60, 30), (180, 90)))
    lit = picture * rng.uniform(0.6, 1.15) + rng.normal(0, rng.uniform(0, 6), picture.shape)
    return lit.clip(0, 255).astype(np.uint8)


def write_clip(path):
    """One person, each expression for SECONDS_EACH, as H.264."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", RATE, {"crf": "20", "preset": "fast"})
        stream.width, stream.height = ROOM
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, RATE)
        for index in range(RATE * SECONDS_EACH * len(CLASSES)):
            name = CLASSES[index // (RATE * SECONDS_EACH)]
            head = face(name, 4 * np.sin(index / 9))
            picture = in_room(head, round(120 + 20 * np.sin(index / 12)), 60)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        file.mux(stream.encode(None))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=20, help="pictures of a class")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    for name in CLASSES:
        folder = args.folder / "pictures" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(args.each):
            cv2.imwrite(str(folder / f"{number:03d}.jpg"), photograph(name, rng))
    write_clip(args.folder / "clip.mp4")


if __name__ == "__main__":
    main()
