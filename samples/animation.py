"""Make an animated picture (.webp) of a video.

python samples/animation.py annotated.mp4 out.webp [--every 5] [--width 480] [--quality 55]
"""

import argparse

import av
from PIL import Image


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video")
    parser.add_argument("out")
    parser.add_argument("--every", type=int, default=5, help="take one frame of so many")
    parser.add_argument("--width", type=int, default=480, help="in pixels")
    parser.add_argument("--quality", type=int, default=55, help="0 to 100")
    args = parser.parse_args()
    with av.open(args.video) as file:
        stream = file.streams.video[0]
        high = round(args.width * stream.height / stream.width)
        pictures = [
            frame.to_image().resize((args.width, high), Image.Resampling.LANCZOS)
            for n, frame in enumerate(file.decode(stream))
            if n % args.every == 0
        ]
        ms = round(1000 * args.every / (stream.average_rate or 25))
    first, *rest = pictures
    first.save(
        args.out,
        save_all=True,
        append_images=rest,
        duration=ms,
        loop=0,
        quality=args.quality,
        method=6,
    )


if __name__ == "__main__":
    main()
