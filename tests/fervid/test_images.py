"""Still pictures and sequences of them."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, features

from fervid.capture import open_source
from fervid.config import ReadConfig
from fervid.errors import SourceOpenError, SourceReadError
from tests import clips
from tests.places import ROOT


def write(path, number, size=clips.SIZE):
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), clips.picture(number, size))
    return path


def read(uri, **settings):
    with open_source(str(uri), ReadConfig(**settings)) as source:
        return source, list(source)


def numbers(frames):
    return [clips.number(frame.bgr) for frame in frames]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path, depth, colour, pixel, exif=b""):
    """Write a picture of one colour as PNG with any bit depth and colour type."""
    head = struct.pack(">IIBBBBB", *clips.SIZE, depth, colour, 0, 0, 0)
    rows = (b"\0" + pixel * clips.SIZE[0]) * clips.SIZE[1]
    data = chunk(b"IHDR", head) + exif + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPG", ".bmp", ".webp", ".tif", ".ppm"])
def test_a_still_is_one_frame(tmp_path, suffix):
    source, frames = read(write(tmp_path / f"a{suffix}", 7))
    assert numbers(frames) == [7]
    assert (source.info.label, source.info.n_frames, source.info.live) == (f"a{suffix}", 1, False)


@pytest.mark.parametrize(
    ("depth", "colour", "pixel", "bgr"),
    [
        (8, 0, b"\x64", (100, 100, 100)),
        (16, 0, b"\x64\x64", (100, 100, 100)),
        (16, 2, b"\xff\xff\x80\x00\x00\x00", (0, 128, 255)),  # 0x8000 / 257 rounds up
        (8, 6, b"\x10\x20\x30\xff", (48, 32, 16)),
        (8, 6, b"\x10\x20\x30\x00", (255, 255, 255)),
        (8, 6, b"\x00\x00\x00\x80", (127, 127, 127)),
        (8, 4, b"\x10\x00", (255, 255, 255)),
        (16, 6, b"\x10\x10\x20\x20\x30\x30\xff\xff", (48, 32, 16)),
    ],
)
def test_bit_depth_grey_and_transparency(tmp_path, depth, colour, pixel, bgr):
    _, frames = read(png(tmp_path / "a.png", depth, colour, pixel))
    assert frames[0].bgr.dtype == np.uint8
    assert tuple(frames[0].bgr[20, 30]) == bgr


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (2, lambda p: cv2.flip(p, 1)),
        (4, lambda p: cv2.flip(p, 0)),
        (5, cv2.transpose),
        (6, lambda p: cv2.rotate(p, cv2.ROTATE_90_CLOCKWISE)),
        (7, lambda p: cv2.flip(cv2.transpose(p), -1)),
    ],
)
def test_every_exif_orientation_is_honoured(tmp_path, orientation, turn):
    sideways = clips.picture(0)
    sideways[:16, :16] = 200
    source, frames = read(clips.exif_jpeg(tmp_path / "a.jpg", sideways, orientation))
    upright = turn(sideways)
    assert frames[0].bgr.shape == upright.shape == (source.info.height, source.info.width, 3)
    assert np.abs(frames[0].bgr.astype(int) - upright).mean() < 4


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_an_avif_is_honoured(tmp_path, orientation):
    sideways = clips.picture(0)
    sideways[:16, :16] = 200
    path, exif = tmp_path / "a.avif", Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(sideways).save(path, exif=exif)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    source, frames = read(path)
    assert frames[0].bgr.shape == upright.shape == (source.info.height, source.info.width, 3)
    assert np.abs(frames[0].bgr.astype(int) - upright).mean() < 4


def test_exif_of_a_png_is_honoured(tmp_path):
    entry = struct.pack(">2sHIH", b"MM", 42, 8, 1) + struct.pack(">HHIHxx", 0x0112, 3, 1, 6)
    path = png(tmp_path / "a.png", 8, 2, b"\x64\x64\x64", chunk(b"eXIf", entry + bytes(4)))
    assert read(path)[1][0].bgr.shape == (clips.SIZE[0], clips.SIZE[1], 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_a_damaged_still_is_refused_and_nothing_else_is_printed(tmp_path, suffix, capfd):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), noise)
    clips.cut(path, 0.6)
    with pytest.raises(SourceOpenError, match=rf"a\{suffix} is no picture that can be read"):
        read(path)
    assert capfd.readouterr() == ("", "")


def test_other_pictures_that_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "float.tif"), np.ones((48, 64, 3), np.float32))
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    write(tmp_path / "tiny.png", 3, (64, 8))
    for name, words in {
        "float.tif": "is no picture",
        "text.png": "is no picture",
        "empty.png": "is empty",
        "tiny.png": "are too small",
        "none.png": "There is no file",
    }.items():
        with pytest.raises(SourceOpenError, match=words):
            read(tmp_path / name)


@pytest.mark.parametrize("uri", ["frames", "frames/f_%03d.png", "frames/f_%d.png"])
def test_a_sequence_is_in_natural_order_at_its_rate(tmp_path, uri):
    for number in (1, 2, 10, 9):
        write(tmp_path / "frames" / f"f_{number:03}.png", number)
    source, frames = read(tmp_path / uri, fps=12.5)
    assert numbers(frames) == [1, 2, 9, 10]
    assert [f.index for f in frames] == [0, 1, 2, 3]
    assert [f.time_s for f in frames] == pytest.approx([0, 0.08, 0.16, 0.24])
    info = source.info
    assert (info.rate, info.n_frames, info.duration_s) == (12.5, 4, pytest.approx(0.32))


def test_a_pattern_takes_only_what_fits(tmp_path):
    for name in ("f_1.png", "f_22.png", "f_003.png", "g_1.png", "f_x.png", ".f_4.png"):
        write(tmp_path / name, 1)
    assert len(read(tmp_path / "f_%d.png")[1]) == 3
    assert len(read(tmp_path / "f_%02d.png")[1]) == 2
    with pytest.raises(SourceOpenError, match=r"No image fits .*how many digits"):
        read(tmp_path / "f_%05d.png")
    with pytest.raises(SourceOpenError, match="No image fits"):
        read(tmp_path / "nowhere" / "%d.png")


def test_a_folder_of_photographs_is_no_sequence(tmp_path):
    write(tmp_path / "anna.png", 1)
    write(tmp_path / "bert.png", 2)
    with pytest.raises(SourceOpenError, match="is a folder"):
        read(tmp_path)


def test_damaged_members_are_counted_and_their_time_stays_empty(tmp_path):
    paths = [write(tmp_path / f"f_{n}.png", n) for n in range(6)]
    paths[0].write_bytes(b"")
    clips.cut(paths[3], 0.5)
    source, frames = read(tmp_path)
    assert numbers(frames) == [1, 2, 4, 5]
    assert [f.index for f in frames] == [1, 2, 4, 5]
    assert frames[2].time_s == pytest.approx(4 / 25)
    assert source.damaged == 2
    for path in paths:
        path.write_bytes(b"x")
    with pytest.raises(SourceOpenError, match="Not one image"):
        read(tmp_path)


def test_members_of_other_sizes(tmp_path):
    for number, size in enumerate([(64, 48), (128, 96), (32, 24)]):
        write(tmp_path / f"f_{number}.png", number, size)
    _, frames = read(tmp_path)
    assert {f.bgr.shape for f in frames} == {(48, 64, 3)}
    assert numbers(frames) == [0, 1, 2]
    write(tmp_path / "f_2.png", 2, (48, 64))
    with open_source(str(tmp_path)) as source:
        frames = iter(source)
        assert numbers([next(frames), next(frames)]) == [0, 1]
        with pytest.raises(SourceReadError, match=r"f_2\.png is 48 x 64 px .* 64 x 48; give"):
            next(frames)


def test_a_gif_stays_a_video(tmp_path):
    assert len(read(clips.clip(tmp_path / "a.gif", "gif", pixels="gray"))[1]) == 12


def test_of_an_animation_the_first_picture_alone_is_read_and_that_is_said(caplog):
    with open_source(str(ROOT / "docs/sample.webp")) as source:
        assert len(list(source)) == 1
    assert "sample.webp is an animation, of which only the first picture is analysed" in caplog.text
    caplog.clear()
    with open_source(str(ROOT / "docs/sample.jpg")) as source:
        assert len(list(source)) == 1
    assert caplog.text == ""
