"""The clips that are measured: the user's own, and scenes with its face pasted in many times."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from fervid.bench.drawn import RATE, U8, backdrop
from fervid.capture import open_source
from fervid.errors import ConfigError
from fervid.faces import FaceDetector

SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)}
GRIDS = {1: (1, 1), 4: (2, 2), 12: (4, 3)}
CONTEXT = 1.2  # side of what is cut out around a face, as a multiple of its box
ALONE = 0.45  # side of one head alone, as a share of the picture's height
STAGGER = 5  # frames that each face of a scene is ahead of the one before


def read(clip: Path, count: int) -> list[U8]:
    """Up to `count` first frames of a clip.

    Raises:
        SourceError: it cannot be read.
    """
    with open_source(str(clip)) as source:
        return [frame.bgr for frame in itertools.islice(source, count)]


def looped(pictures: Sequence[U8], count: int) -> Iterator[U8]:
    """`count` pictures, forwards and backwards again and again, so that nothing jumps."""
    way = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    return (pictures[k] for k in itertools.islice(itertools.cycle(way), count))


def heads(pictures: Iterable[U8], label: str) -> list[U8]:
    """The largest face of each picture, with what is around it, square; none where none is found.

    Args:
        pictures: BGR uint8 (H, W, 3).
        label: of the clip, for the message.

    Raises:
        ConfigError: there is no face in any of them.
    """
    found = []
    with FaceDetector() as detector:
        for bgr in pictures:
            boxes = detector.detect(bgr).boxes
            if len(boxes):
                found.append(_cut(bgr, boxes[(boxes[:, 2] - boxes[:, 0]).argmax()]))
    if not found:
        raise ConfigError(f"No face was found in {label}; name a clip that shows one.", "clip")
    return found


def _cut(bgr: U8, box: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> U8:
    """The square around a box, the border of the picture replicated."""
    half = round(float(max(box[2] - box[0], box[3] - box[1])) * CONTEXT / 2)
    x, y = (round(float(box[i] + box[i + 2]) / 2) for i in (0, 1))
    padded = cv2.copyMakeBorder(bgr, half, half, half, half, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(padded[y : y + 2 * half, x : x + 2 * half], np.uint8)


def scene(people: Sequence[U8], faces: int, size: tuple[int, int], index: int) -> U8:
    """One frame of a scene: the same person several times, each at another moment.

    Args:
        people: heads, in the order of the clip.
        faces: one of GRIDS.
        size: width and height.
        index: of the frame.

    Returns:
        BGR uint8 (height, width, 3).
    """
    (columns, rows), (width, height) = GRIDS[faces], size
    cell = (width // columns, height // rows)
    side = round(ALONE * height) if faces == 1 else min(cell)
    picture = backdrop(width, height)
    for k in range(faces):
        head = people[(index + STAGGER * k) % len(people)]
        how = cv2.INTER_AREA if len(head) > side else cv2.INTER_LINEAR
        x = k % columns * cell[0] + (cell[0] - side) // 2
        y = k // columns * cell[1] + (cell[1] - side) // 2
        picture[y : y + side, x : x + side] = cv2.resize(head, (side, side), interpolation=how)
    return picture


def write_clip(path: Path, pictures: Iterable[U8], rate: int = RATE) -> Path:
    """Write pictures as H.264 in MP4, as cameras and phones do, and return the path.

    Args:
        path: of the file to write.
        pictures: BGR uint8 (H, W, 3), all of one size, H and W even.
        rate: frames a second.
    """
    import av

    with av.open(str(path), "w") as file:
        stream = None
        for bgr in pictures:
            if stream is None:
                stream = file.add_stream("libx264", rate=rate, options={"preset": "veryfast"})
                stream.height, stream.width = bgr.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, rate)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        if stream is not None:
            file.mux(stream.encode(None))
    return path


def repeated(clip: Path, path: Path, count: int) -> Path:
    """Copy the first `count` pictures of a clip as they are coded, from its start again at its end.

    Args:
        clip: a video.
        path: of the file to write, .mkv.
        count: of pictures.

    Raises:
        ConfigError: it is no video that can be copied so.
    """
    import av

    try:
        with av.open(str(clip)) as source, av.open(str(path), "w") as file:
            stream = source.streams.video[0]
            copy = file.add_stream_from_template(stream)
            packets = [(p, p.pts) for p in source.demux(stream) if p.size and p.pts is not None]
            ends = [pts + (packet.duration or 1) for packet, pts in packets]
            length = max(ends) - min(pts for _, pts in packets)
            for k, (packet, pts) in enumerate(itertools.islice(itertools.cycle(packets), count)):
                again = av.Packet(bytes(packet))
                shift = k // len(packets) * length
                again.pts = pts + shift
                again.dts = None if packet.dts is None else packet.dts + shift
                again.time_base, again.is_keyframe = packet.time_base, packet.is_keyframe
                again.stream = copy
                file.mux(again)
    except (av.FFmpegError, IndexError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{clip.name} cannot be repeated ({error}); name an MP4 or Matroska file.", "clip"
        ) from error
    return path
