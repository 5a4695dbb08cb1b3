"""Small whole files of many formats, made at run time, of which the damaged ones are made."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from tests.clips import clip, tone
from tests.places import SAMPLE

SIZE = (96, 72)
FRAMES = 12

# Name -> codec, pixels and what else tests.clips.clip takes. The names' ends choose the container.
VIDEOS: dict[str, tuple[str, str, dict]] = {
    "h264.mp4": ("libx264", "yuv420p", {"sound": "aac"}),
    "h264-fragments.mp4": ("libx264", "yuv420p", {"layout": {"movflags": "frag_keyframe"}}),
    "h264-rotated.mov": ("libx264", "yuv420p", {"rotation": 90}),
    "h264-10-bit.mkv": ("libx264", "yuv420p10le", {"sound": "libmp3lame"}),
    "h264-b-frames.mkv": ("libx264", "yuv420p", {"options": {"bf": "3", "g": "6"}}),
    "h264.ts": ("libx264", "yuv420p", {"sound": "aac"}),
    "h264.flv": ("libx264", "yuv420p", {}),
    "h264.h264": ("libx264", "yuv420p", {}),
    "hevc.mp4": ("libx265", "yuv420p", {"options": {"x265-params": "log-level=none"}}),
    "mpeg4.mp4": ("mpeg4", "yuv420p", {}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"sound": "libmp3lame"}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "raw.avi": ("rawvideo", "yuv420p", {}),
    "mjpeg.mjpeg": ("mjpeg", "yuvj420p", {}),
    "mpeg1.mpg": ("mpeg1video", "yuv420p", {"sound": "mp2"}),
    "mpeg2.ts": ("mpeg2video", "yuv420p", {}),
    "vp8.webm": ("libvpx", "yuv420p", {"sound": "libopus"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {}),
    "vp9-alpha.webm": ("libvpx-vp9", "yuva420p", {}),
    "ffv1-grey.mkv": ("ffv1", "gray", {}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}),
    "wmv2.asf": ("wmv2", "yuv420p", {}),
    "theora.ogv": ("libtheora", "yuv420p", {}),
    "gif.gif": ("gif", "rgb8", {}),
}
STILLS = ("still.png", "still-alpha.png", "still-16.png", "still.jpg", "still.webp", "still.tif")
MORE_STILLS = ("still.bmp", "still.pgm")


def portrait(size: tuple[int, int] = SIZE, frames: int = FRAMES) -> list[np.ndarray]:
    """Pictures of a face with noise: flat ones would make codecs skip nearly everything."""
    with av.open(str(SAMPLE)) as file:
        first = itertools.islice(file.decode(video=0), frames)
        some = [picture.to_ndarray(format="bgr24") for picture in first]
    chance = np.random.default_rng(0)
    shrunk = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in some]
    return [np.clip(p + chance.normal(0, 6, p.shape), 0, 255).astype(np.uint8) for p in shrunk]


def seeds(folder: Path) -> Iterator[Path]:
    """Write every format that this FFmpeg can write, and yield the files."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = portrait()
    for name, (codec, pixels, more) in VIDEOS.items():
        if codec in av.codecs_available:
            path = folder / name
            yield video(path, codec, pixels, shown, more)
    for name in (*STILLS, *MORE_STILLS):
        yield still(folder / name, shown[0])


def video(path: Path, codec: str, pixels: str, shown: list[np.ndarray], more: dict) -> Path:
    """Write one clip."""
    size = shown[0].shape[1], shown[0].shape[0]
    if more.get("sound"):
        with_sound(path, codec, pixels, shown, more["sound"])
        return path
    if codec in ("libx264", "libx265", "libvpx", "libvpx-vp9", "ffv1", "prores_ks", "gif"):
        return clip(path, codec, size=size, pixels=pixels, pictures=shown, **more)
    return plain(path, codec, pixels, shown)


def plain(path: Path, codec: str, pixels: str, shown: list[np.ndarray]) -> Path:
    """Write one clip of a codec that counts time in frames."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = pixels
        _encode(file, stream, shown)
    return path


def with_sound(path: Path, codec: str, pixels: str, shown: list[np.ndarray], sound: str) -> None:
    """Write one clip with a tone."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = pixels
        rate = 48_000 if sound == "libopus" else 44_100
        audio = file.add_stream(sound, rate=rate, layout="mono")
        _encode(file, stream, shown)
        heard = tone(len(shown) / 25)
        resampler = av.AudioResampler(audio.format, audio.layout, rate, audio.frame_size or None)
        for piece in (*resampler.resample(heard), *resampler.resample(None), None):
            file.mux(audio.encode(piece))


def _encode(file, stream, shown: list[np.ndarray]) -> None:
    for n, picture in enumerate(shown):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
        frame.pts = n
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def still(path: Path, shown: np.ndarray) -> Path:
    """Write one picture."""
    picture = shown
    if "alpha" in path.name:
        picture = np.dstack([shown, shown[:, :, 0]])
    elif "-16" in path.name:
        picture = shown.astype(np.uint16) * 257
    elif path.suffix == ".pgm":
        picture = shown[:, :, 0]
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path
