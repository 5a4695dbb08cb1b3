"""Put frames of a video into one picture, beside those that it was made from if wanted.

python samples/picture.py annotated.mp4 out.jpg 0.7 3.3 6 8.7
python samples/picture.py annotated.mp4 out.jpg 0.7 3.3 --before clip.mp4
"""

import argparse

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


def beside(frames, before):
    """Frames in turn: as it came, as it was made; both as large as the frame that was made."""
    for made, came in zip(frames, before, strict=True):
        yield cv2.resize(came, made.shape[1::-1], interpolation=cv2.INTER_AREA)
        yield made


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video")
    parser.add_argument("out")
    parser.add_argument("seconds", nargs="+", type=float)
    parser.add_argument("--before", help="the video that it was made from")
    args = parser.parse_args()
    frames = frames_at(args.video, args.seconds)
    if args.before:
        frames = list(beside(frames, frames_at(args.before, args.seconds)))
    frames += [np.zeros_like(frames[0])] * (len(frames) % 2)
    rows = [np.hstack(frames[n : n + 2]) for n in range(0, len(frames), 2)]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85] if args.out.endswith(".jpg") else []
    cv2.imwrite(args.out, np.vstack(rows), quality)


if __name__ == "__main__":
    main()
