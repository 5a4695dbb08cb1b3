"""Put frames of a video into one picture.

python samples/picture.py annotated.mp4 out.jpg 0.7 3.3 6 8.7
"""

import sys

import av
import cv2
import numpy as np


def frames_at(path, seconds):
    """The first frame (H, W, 3) at or after each of these times, in order."""
    wanted, found = sorted(seconds), []
    with av.open(path) as file:
        for frame in file.decode(video=0):
            while wanted and frame.time >= wanted[0]:
                wanted.pop(0)
                found.append(frame.to_ndarray(format="bgr24"))
    return found


def main(source, out, *seconds):
    frames = frames_at(source, map(float, seconds))
    frames += [np.zeros_like(frames[0])] * (len(frames) % 2)
    rows = [np.hstack(frames[n : n + 2]) for n in range(0, len(frames), 2)]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85] if out.endswith(".jpg") else []
    cv2.imwrite(out, np.vstack(rows), quality)


if __name__ == "__main__":
    main(*sys.argv[1:])
