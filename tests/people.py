"""A clip of two people who move, leave and come back, made at test time."""

import math

import av
import cv2
import numpy as np
from skimage.data import astronaut

from tests.clips import clip
from tests.places import SAMPLE

RATE = 10  # frames a second
SIZE = (320, 240)
SIDE = 110
# Seconds in which one of them is not there: shortly, long enough for another id, and over a cut.
AWAY = (((16.0, 19.0),), ((12.0, 13.0), (19.6, 20.5)))
NOISY = (8.0, 11.5)  # seconds, over another cut


def two_people(path, frames=300):
    """Write the clip, of so many frames, with a key frame every 2.5 s, and return its path."""
    with av.open(str(SAMPLE)) as file:
        shown = next(file.decode(video=0)).to_ndarray(format="bgr24")
    portraits = [
        cv2.resize(_square(p), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for p in (astronaut()[:220, 110:330, ::-1], shown)
    ]
    across = np.linspace(90, 150, SIZE[0])
    wall = np.repeat(across[None], SIZE[1], 0).astype(np.uint8)
    pictures = [_picture(n / RATE, wall, portraits) for n in range(frames)]
    times = [n / RATE for n in range(frames)]
    return clip(path, pictures=pictures, times=times, size=SIZE, options={"g": "25"})


def _picture(time_s, wall, portraits):
    picture = np.dstack([wall] * 3)
    for k, (portrait, away) in enumerate(zip(portraits, AWAY, strict=True)):
        if any(begin <= time_s < end for begin, end in away):
            continue
        x = 25 + 160 * k + round(20 * math.sin(time_s * (1.1 + 0.4 * k)))
        y = 60 + round(30 * math.cos(time_s * 0.7 + k))
        light = 1 + 0.25 * math.sin(time_s * 1.7 + k)
        picture[y : y + SIDE, x : x + SIDE] = np.clip(portrait * light, 0, 255)
    if NOISY[0] <= time_s < NOISY[1]:
        noise = np.random.default_rng(round(time_s * RATE)).normal(0, 25, picture.shape)
        return np.clip(picture + noise, 0, 255).astype(np.uint8)
    return picture


def _square(picture):
    side = min(picture.shape[:2])
    x = (picture.shape[1] - side) // 2
    return np.ascontiguousarray(picture[:side, x : x + side])
