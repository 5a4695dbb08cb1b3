import itertools
import os
import socket
import threading
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from fervid.capture import CAMERA_RETRIES, open_source
from fervid.config import ReadConfig
from fervid.errors import SourceOpenError, SourceReadError
from fervid.media_clock import MediaClock
from tests import clips
from tests.fakes import FakeCapture

ONCE = ReadConfig(reconnect="none")


def read(path):
    with open_source(str(path)) as source:
        return source, list(source)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv444p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.mov", "libx265", "yuv420p"),
        ("a.mpg", "mpeg1video", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.gif", "gif", "gray"),
    ],
)
def test_every_frame_of_every_codec_arrives_in_order_and_in_time(tmp_path, name, codec, pixels):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else None
    path = clips.clip(tmp_path / name, codec, pixels=pixels, options=options)
    source, frames = read(path)
    assert [clips.number(f.bgr) for f in frames] == list(range(12))
    assert [f.index for f in frames] == list(range(12))
    assert [f.time_s for f in frames] == pytest.approx([n / 25 for n in range(12)], abs=1e-3)
    assert (source.info.width, source.info.height) == clips.SIZE
    assert (source.info.label, source.info.live, source.damaged) == (name, False, 0)
    assert source.info.rate == 25


def test_a_title_that_is_no_utf8_is_no_error(tmp_path):
    path = clips.clip(tmp_path / "a.mkv", title="TITLE")
    content = path.read_bytes()
    assert b"TITLE" in content
    path.write_bytes(content.replace(b"TITLE", b"caf\xe9s"))
    assert len(read(path)[1]) == 12


def test_variable_frame_rate_is_kept(tmp_path):
    times = [0, 0.04, 0.3, 0.31, 0.5, 1.25]
    _, frames = read(clips.clip(tmp_path / "vfr.mp4", frames=6, times=times))
    assert [f.time_s for f in frames] == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize(
    ("rotation", "code"),
    [
        (-90, cv2.ROTATE_90_CLOCKWISE),
        (90, cv2.ROTATE_90_COUNTERCLOCKWISE),
        (180, cv2.ROTATE_180),
    ],
)
def test_rotation_of_phone_clips_is_honoured(tmp_path, rotation, code):
    sideways = clips.picture(0)
    sideways[:16, :16] = 200
    path = clips.clip(tmp_path / "turned.mp4", rotation=rotation, pictures=[sideways] * 3)
    source, frames = read(path)
    upright = cv2.rotate(sideways, code)
    assert frames[0].bgr.shape == upright.shape == (source.info.height, source.info.width, 3)
    assert np.abs(frames[0].bgr.astype(int) - upright).mean() < 4


@pytest.mark.parametrize(
    ("orientation", "code"),
    [
        (1, None),
        (3, cv2.ROTATE_180),
        (6, cv2.ROTATE_90_CLOCKWISE),
        (8, cv2.ROTATE_90_COUNTERCLOCKWISE),
    ],
)
def test_rotation_beside_exif_is_honoured(tmp_path, orientation, code):
    sideways = clips.picture(0)
    sideways[:16, :16] = 200
    _, frames = read(clips.exif_jpeg(tmp_path / "a.jpg", sideways, orientation))
    upright = sideways if code is None else cv2.rotate(sideways, code)
    assert frames[0].bgr.shape == upright.shape
    assert np.abs(frames[0].bgr.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize(
    ("aspect", "rotation", "size"),
    [
        (Fraction(2), 0, (128, 48)),
        (Fraction(1, 2), 0, (64, 96)),
        (Fraction(16, 11), 0, (93, 48)),
        (Fraction(2), 90, (48, 128)),
        (Fraction(9), 0, (64, 48)),
        (Fraction(1001, 1000), 0, (64, 48)),
    ],
)
def test_pixels_are_made_square_by_enlarging(tmp_path, name, aspect, rotation, size):
    shown = clips.picture(0)
    shown[:24, :32] = 200
    path = clips.clip(tmp_path / name, pictures=[shown] * 3, aspect=aspect, rotation=rotation)
    source, frames = read(path)
    assert (source.info.width, source.info.height) == size
    assert {f.bgr.shape for f in frames} == {(size[1], size[0], 3)}
    bright = frames[0].bgr.mean(axis=2) > 110
    assert bright.mean() == pytest.approx(0.25, abs=0.03)
    corner = bright[: size[1] // 2] if rotation == 0 else bright[size[1] // 2 :]
    assert corner[:, : size[0] // 2].mean() == pytest.approx(1, abs=0.1)


def test_a_recording_that_changes_its_shape_is_not_distorted(tmp_path):
    parts = []
    for name, (wide, high) in {"a.ts": (160, 120), "b.ts": (120, 160)}.items():
        shown = np.full((high, wide, 3), 40, np.uint8)
        shown[high // 2 - 20 : high // 2 + 20, wide // 2 - 20 : wide // 2 + 20] = 220
        clips.clip(tmp_path / name, pictures=[shown] * 3, size=(wide, high))
        parts.append((tmp_path / name).read_bytes())
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    with open_source(str(tmp_path / "both.ts")) as source:
        bright = [np.nonzero(frame.bgr[..., 1] > 130) for frame in source]
    assert len(bright) == 6
    high, wide = np.array([[np.ptp(rows) + 1, np.ptp(columns) + 1] for rows, columns in bright]).T
    assert wide == pytest.approx(high, abs=1)
    assert wide == pytest.approx([40] * 3 + [30] * 3, abs=1)


def test_odd_sizes_and_sound(tmp_path):
    path = clips.clip(tmp_path / "odd.mkv", pixels="yuv444p", size=(63, 47), sound="aac")
    source, frames = read(path)
    assert frames[0].bgr.shape == (47, 63, 3)
    assert source.info.has_audio
    assert len(frames) == 12


def test_a_single_image_is_a_clip_of_one_frame(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), clips.picture(7))
    _, frames = read(tmp_path / "a.png")
    assert [clips.number(f.bgr) for f in frames] == [7]


def test_names_with_colons_and_percent_signs(tmp_path):
    path = clips.clip(tmp_path / "a.mp4").rename(tmp_path / "rec 12:30 50%03d.mp4")
    assert len(read(path)[1]) == 12


def broken(tmp_path, name):
    whole = clips.clip(tmp_path / "whole.mp4").read_bytes()
    path = tmp_path / name
    if name == "empty.mp4":
        path.touch()
    elif name == "text.mp4":
        path.write_text("this is no video\n" * 50)
    elif name == "cut.mp4":
        path.write_bytes(whole[: len(whole) // 3])
    elif name == "sound.m4a":
        clips.sound_only(path)
    elif name == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.mp4", "There is no file"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "is not a video"),
        ("cut.mp4", "without its index"),
        ("sound.m4a", "no video stream"),
        ("folder", "is a folder"),
    ],
)
def test_what_cannot_be_opened_is_said_in_one_sentence(tmp_path, name, words):
    path = broken(tmp_path, name)
    with pytest.raises(SourceOpenError, match=words) as caught:
        open_source(str(path))
    message = str(caught.value)
    assert name in message
    assert message.endswith(".")
    assert "\n" not in message
    assert caught.value.uri == str(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "name of the video is empty"),
        (".", "is a folder"),
        ("/", "is a folder"),
        ("x" * 5000, "name too long"),
    ],
)
def test_names_that_no_file_can_have(name, words):
    with pytest.raises(SourceOpenError, match=words) as caught:
        open_source(name)
    assert str(caught.value).endswith(".")
    assert caught.value.uri == name


@pytest.mark.parametrize("size", [(64, 8), (8, 64)])
def test_tiny_pictures_are_refused(tmp_path, size):
    path = clips.clip(tmp_path / "a.avi", "mpeg4", size=size)
    with pytest.raises(SourceOpenError, match=rf"a\.avi .*{size[0]} x {size[1]} px.* 16 px"):
        open_source(str(path))
    capture = FakeCapture([clips.picture(0, size)])
    with pytest.raises(SourceOpenError, match=r"camera 0 .* 16 px"):
        open_source("0", capture_factory=capture)
    assert capture.released == 1


def test_sixteen_pixels_are_enough(tmp_path):
    assert read(clips.clip(tmp_path / "a.mp4", size=(16, 16)))[1][0].bgr.shape == (16, 16, 3)


def test_a_stream_that_does_not_answer_is_named_without_its_password():
    with pytest.raises(SourceOpenError, match="refuses the connection") as caught:
        open_source("rtsp://me:secret@127.0.0.1:9/cam")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.uri == "rtsp://127.0.0.1:9/cam"


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.mpg", "mpeg1video")]
)
def test_damage_in_the_middle_is_passed_over_and_counted(tmp_path, name, codec):
    pictures = np.random.default_rng(1).integers(0, 256, (40, 48, 64, 3), np.uint8)
    path = clips.clip(tmp_path / name, codec, pictures=list(pictures), options={"g": "10"})
    data = bytearray(path.read_bytes())
    at, length = len(data) // 3, len(data) // 6
    data[at : at + length] = bytes(length)
    path.write_bytes(data)
    source, frames = read(path)
    assert 20 < len(frames) < 40
    assert source.damaged > 0
    assert np.diff([f.time_s for f in frames]).min() > 0


def test_a_network_stream_is_live_and_timed_by_the_clock(tmp_path):
    data = clips.clip(tmp_path / "a.ts").read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        clock = itertools.count(7.0, 0.25)
        uri = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with open_source(uri, ONCE, clock=lambda: next(clock)) as source:
            frames = list(source)
        thread.join()
    assert source.info.live
    assert (source.info.n_frames, source.info.duration_s) == (None, None)
    assert [clips.number(f.bgr) for f in frames] == list(range(12))
    assert [f.time_s for f in frames] == [n * 0.25 for n in range(12)]


class FailingDisk:
    """A container that delivers a few packets of a real one, then fails as a disk does."""

    def __init__(self, container, count):
        self._container, self._count = container, count
        self.close = container.close

    def demux(self, stream):
        yield from itertools.islice(self._container.demux(stream), self._count)
        raise av.error.OSError(5, "Input/output error")


def test_a_disk_that_fails_raises_after_the_frames_before(tmp_path):
    source = open_source(str(clips.clip(tmp_path / "a.mp4", options={"bf": "0"})))
    source._container.seek(0)
    source._decoder._container = FailingDisk(source._container, 5)
    source._pictures = source._decoder.pictures()
    got = []
    with source, pytest.raises(SourceReadError, match=r"a\.mp4 .*Input/output error"):
        got.extend(clips.number(frame.bgr) for frame in source)
    assert got == [0, 0, 1, 2, 3, 4]  # the first was read on opening, then the file was rewound


@pytest.mark.skipif(os.name == "nt", reason="such names do not exist there")
def test_a_name_that_is_not_text(tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    clips.clip(tmp_path / "a.mp4").rename(odd)
    assert len(read(odd)[1]) == 12


def test_closing_twice_and_before_the_end_is_harmless(tmp_path):
    source = open_source(str(clips.clip(tmp_path / "a.mp4")))
    next(iter(source))
    source.close()
    source.close()


def test_media_clock_mends_timestamps():
    clock = MediaClock(100, Fraction(1, 100), Fraction(10))
    assert clock.seconds(100) == 0
    assert clock.seconds(None) == pytest.approx(0.1)
    assert clock.seconds(150) == 0.5
    assert 0.5 < clock.seconds(150) < 0.501
    assert clock.seconds(160) == 0.6
    clock.seconds(900)
    assert clock.seconds(100) == pytest.approx(8.1)
    assert clock.seconds(110) == pytest.approx(8.2)


def test_camera_counts_time_from_its_first_frame():
    capture = FakeCapture([clips.picture(n) for n in range(4)], rate=29.97)
    clock = itertools.count(50.0, 0.5)
    source = open_source("camera:3", ONCE, capture_factory=capture, clock=lambda: next(clock))
    assert (capture.index, source.info.uri, source.info.live) == (3, "camera:3", True)
    assert (source.info.width, source.info.height) == clips.SIZE
    assert float(source.info.rate) == pytest.approx(29.97, abs=1e-3)
    frames = []
    with source, pytest.raises(SourceReadError, match="camera 3 stopped"):
        frames.extend(source)
    # `extend` keeps what came before the error; the picture read on opening is thrown away.
    assert [(f.index, f.time_s, clips.number(f.bgr)) for f in frames] == [
        (0, 0.0, 1),
        (1, 0.5, 2),
        (2, 1.0, 3),
    ]
    assert capture.released == 1


def test_camera_passes_over_single_failures_and_grey_pictures_become_bgr():
    grey = clips.picture(4)[:, :, 0]
    capture = FakeCapture([clips.picture(0), None, grey, None, None, clips.picture(5)])
    with open_source("/dev/video0", capture_factory=capture) as source:
        frames = itertools.islice(source, 2)
        assert [clips.number(f.bgr) for f in frames] == [4, 5]
        assert source.damaged == 3


def test_what_a_driver_cannot_decode_ends_no_run_and_a_size_stays():
    class Faulty(FakeCapture):
        def read(self):
            came, shown = super().read()
            if came and shown.shape[0] == 1:
                raise cv2.error("OpenCV: corrupt JPEG")
            return came, shown

    large = clips.picture(7, (2 * clips.SIZE[0], 2 * clips.SIZE[1]))
    pictures = [clips.picture(0), clips.picture(1), clips.picture(2, (1, 1)), large]
    with open_source("camera:0", capture_factory=Faulty(pictures)) as source:
        frames = list(itertools.islice(source, 2))
        assert [clips.number(f.bgr) for f in frames] == [1, 7]
        assert {f.bgr.shape[:2] for f in frames} == {clips.SIZE[::-1]}
        assert source.damaged == 1
    with open_source(
        "camera:0", ReadConfig(reconnect="none"), capture_factory=Faulty(pictures)
    ) as alone:
        frames = list(itertools.islice(alone, 2))
        assert {f.bgr.shape[:2] for f in frames} == {clips.SIZE[::-1]}


@pytest.mark.parametrize(
    ("capture", "words"),
    [
        (FakeCapture([], opened=False), "There is no camera 0"),
        (FakeCapture([None] * CAMERA_RETRIES), "delivers no picture"),
    ],
)
def test_no_camera(capture, words):
    with pytest.raises(SourceOpenError, match=words):
        open_source("0", capture_factory=capture)
    assert capture.released == 1


def test_a_machine_without_cameras_says_so_and_nothing_else(capfd):
    with pytest.raises(SourceOpenError, match="There is no camera 97"):
        open_source("camera:97")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "size", "codec", "frames"),
    [
        ("single_face.mp4", (640, 360), "h264", 72),
        ("noface_face.mov", (960, 540), "hevc", 169),
        ("grid_bbaf2n.mpg", (360, 288), "mpeg1video", 75),
        ("sideways_doorway.mp4", (352, 640), "h264", 157),
        ("hands_bird.mkv", (640, 480), "h264", 63),
    ],
)
def test_real_clips(name, size, codec, frames):
    with open_source(str(clips.real(name))) as source:
        times = [(f.time_s, f.bgr.shape) for f in source]
    assert (source.info.width, source.info.height) == size
    assert (source.info.codec, len(times)) == (codec, frames)
    assert times[0][0] == 0
    assert all(shape == (size[1], size[0], 3) for _, shape in times)
    assert np.diff([t for t, _ in times]).min() > 0.01
    assert times[-1][0] == pytest.approx(source.info.duration_s, abs=0.15)
