"""Make the sample clip: a portrait that moves and zooms through five kinds of picture.

    python samples/make_sample.py samples/noisy_portrait.mp4

The portrait is scikit-image's `astronaut`, Eileen Collins by NASA, in the public domain. The
noises are fervid's own, seeded, drawn once per pixel for all three channels as a camera's sensor
noise in poor light mostly is after compression.
"""

import sys
from pathlib import Path

import av
import cv2
import numpy as np
from skimage.data import astronaut

from fervid.corruptions import darken, gaussian, salt_pepper, speckle

WIDTH, HEIGHT, RATE = 480, 270, 15
SECONDS_EACH = 2.6
STRETCHES = (
    ("clean", None, 0.0),
    ("gaussian", gaussian, 0.10),
    ("salt_pepper", salt_pepper, 0.05),
    ("speckle", speckle, 0.06),
    ("dark", darken, 0.22),
)


def camera(portrait, t):
    """The picture at time t, 0-1: the portrait drifts and the camera zooms in and out."""
    zoom = 1.25 + 0.35 * np.sin(np.pi * t) ** 2
    turn = cv2.getRotationMatrix2D((224, 120), 3 * np.sin(6 * np.pi * t), zoom)
    turn[0, 2] += WIDTH / 2 - 224 + 32 * np.sin(4 * np.pi * t)
    turn[1, 2] += HEIGHT / 2 - 120 + 10 * np.sin(6 * np.pi * t)
    return cv2.warpAffine(
        portrait, turn, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )


def same_for_all_channels(corruption, bgr, level, rng):
    """Corrupt with one field of noise for all channels."""
    if corruption is darken:
        return darken(bgr, level, rng)
    state = rng.bit_generator.state
    channels = []
    for channel in range(3):
        rng.bit_generator.state = state
        channels.append(corruption(np.ascontiguousarray(bgr[..., channel]), level, rng))
    return np.stack(channels, -1)


def frames(rng):
    """Every frame of the clip, BGR uint8."""
    portrait = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)
    per_stretch = round(SECONDS_EACH * RATE)
    total = per_stretch * len(STRETCHES)
    for index in range(total):
        _, corruption, level = STRETCHES[index // per_stretch]
        bgr = camera(portrait, index / total)
        yield bgr if corruption is None else same_for_all_channels(corruption, bgr, level, rng)


def main(path):
    rng = np.random.default_rng(2026)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", RATE, options={"crf": "22", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for bgr in frames(rng):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        container.mux(stream.encode())
    print(f"{path}: {Path(path).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "noisy_portrait.mp4")
