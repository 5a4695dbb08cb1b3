"""Tiny clips made at test time: the grey level of a picture is its number."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

TICKS = 90_000
SIZE = (64, 48)
REAL = Path(__file__).parents[2] / "shared" / "data" / "clips"


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A BGR picture (H, W, 3) whose level says its number, which may be 0 to 20."""
    return np.full((size[1], size[0], 3), level(number), np.uint8)


def scene(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture of the same number that is not of one colour."""
    shown = picture(number, size)
    shown[:8, :8] += 15
    shown[:8, 8:16] -= 15
    return shown


def level(number: int) -> int:
    return 20 + 10 * number


def number(bgr: np.ndarray) -> int:
    """The number that a picture was made with."""
    return round((float(bgr.mean()) - 20) / 10)


def clip(
    path: Path,
    codec: str = "libx264",
    *,
    frames: int = 12,
    size: tuple[int, int] = SIZE,
    pixels: str = "yuv420p",
    times: Sequence[float] | None = None,
    rotation: int = 0,
    pictures: Sequence[np.ndarray] | None = None,
    sound: str = "",
    sound_s: float | None = None,
    tone_from_s: float = 0.0,
    options: dict[str, str] | None = None,
    title: str = "",
    layout: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Write a clip of 25 frames a second, or with the times given, and return its path.

    `options` are the encoder's, `layout` the container's; `aspect` is a pixel's width by height.
    """
    pictures = pictures or [picture(n, size) for n in range(frames)]
    times = times or [n / 25 for n in range(len(pictures))]
    with av.open(str(path), "w", options=layout or {}) as file:
        if title:
            file.metadata["title"] = title
        stream = file.add_stream(codec, rate=25, options=options or {})
        stream.bit_rate = 4_000_000 if codec.startswith("mpeg") else 0
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        if codec not in ("mpeg1video", "mpeg4", "gif"):
            stream.codec_context.time_base = Fraction(1, TICKS)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        audio = file.add_stream(sound, rate=44_100, layout="mono") if sound else None
        for shown, time_s in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="bgr24")
            frame.pts, frame.time_base = round(time_s * TICKS), Fraction(1, TICKS)
            file.mux(stream.encode(frame))
        if audio is not None:
            heard = tone(sound_s or times[-1] + 0.04, tone_from_s)
            file.mux([*audio.encode(heard), *audio.encode(None)])
        file.mux(stream.encode(None))
    return path


def cut(path: Path, share: float) -> Path:
    """Cut a file off after a share of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def exif_jpeg(path: Path, shown: np.ndarray, orientation: int) -> Path:
    """Write a picture as JPEG with an EXIF orientation (1 to 8), as phones do."""
    jpeg = cv2.imencode(".jpg", shown)[1].tobytes()
    entry = struct.pack(">HHIHxx", 0x0112, 3, 1, orientation)
    exif = b"Exif\0\0" + struct.pack(">2sHIH", b"MM", 42, 8, 1) + entry + bytes(4)
    path.write_bytes(jpeg[:2] + struct.pack(">HH", 0xFFE1, len(exif) + 2) + exif + jpeg[2:])
    return path


def tone(seconds: float, silent_until_s: float = 0.0) -> av.AudioFrame:
    """A tone of 440 Hz, silent up to some moment."""
    at = np.arange(round(seconds * 44_100)) / 44_100
    wave = (np.sin(2 * np.pi * 440 * at) * (at >= silent_until_s) * 12_000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 44_100, 0, Fraction(1, 44_100)
    return frame


def sound_only(path: Path) -> Path:
    """Write a file without pictures."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44_100, layout="mono")
        file.mux([*stream.encode(tone(0.3)), *stream.encode(None)])
    return path


def real(name: str) -> Path:
    """A clip of the shared test data; the test is skipped where it is not there."""
    import pytest

    path = REAL / name
    if not path.exists():
        pytest.skip(f"the test data {name} is not here")
    return path
