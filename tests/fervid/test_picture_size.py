"""The size that an image states in its head, against what OpenCV decodes."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from fervid.picture_size import is_animated, stated_size
from tests.places import ROOT

KINDS = [".png", ".jpg", ".bmp", ".webp", ".tif", ".pgm", ".ppm", ".pbm", ".pam", ".jp2", ".avif"]


def coded(suffix, size=(100, 37), channels=3, options=()):
    shape = (size[1], size[0], channels) if channels > 1 else (size[1], size[0])
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    try:
        done, data = cv2.imencode(suffix, picture, list(options))
    except cv2.error:
        done = False
    if not done:
        pytest.skip(f"this OpenCV cannot write {suffix}")
    return data.tobytes()


@pytest.mark.parametrize("suffix", KINDS)
def test_the_size_is_what_opencv_decodes(suffix):
    data = coded(suffix, channels=1 if suffix in (".pgm", ".pbm") else 3)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert stated_size(data) == (100, 37) == decoded.shape[1::-1]


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
        (".png", ()),
        (".webp", ()),
        (".tif", ()),
    ],
)
def test_transparent_progressive_and_lossless_ones_too(suffix, options):
    channels = 3 if suffix == ".jpg" else 4
    assert stated_size(coded(suffix, channels=channels, options=options)) == (100, 37)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_head_that_ends_early_is_no_crash(suffix):
    data = coded(suffix, channels=1 if suffix in (".pgm", ".pbm") else 3)
    for end in range(min(len(data), 400)):
        # Of heads in plain text the last figure may lack its end.
        known = stated_size(data[:end]) in (None, (100, 37))
        assert known or suffix in (".pgm", ".ppm", ".pbm", ".pam")


def test_remarks_in_a_head_are_passed_over():
    assert stated_size(b"P5\n# made by hand\n64 # wide\n48\n255\n" + bytes(64 * 48)) == (64, 48)
    exif = b"\xff\xe1" + struct.pack(">H", 40) + b"\xff\xc0" * 19
    data = coded(".jpg")
    assert stated_size(data[:2] + exif + data[2:]) == (100, 37)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8", b"\xff" * 999, bytes(999)])
def test_other_files_have_none(data):
    assert stated_size(data) is None


def animated_png():
    """A PNG with the chunk that says that more pictures follow."""
    data = coded(".png")
    chunk = b"acTL" + struct.pack(">II", 2, 0)
    chunk = struct.pack(">I", 8) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:33] + chunk + data[33:]


def test_an_animation_is_told_from_a_picture():
    assert is_animated((ROOT / "docs/sample.webp").read_bytes())
    assert is_animated(animated_png())
    assert not any(is_animated(coded(suffix)) for suffix in (".png", ".webp", ".jpg"))
    assert not is_animated(b"RIFF....WEBPVP8X")
    assert not is_animated(b"")
