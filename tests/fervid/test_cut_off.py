"""Files that end before what they promise, and files that only look so."""

import re

import numpy as np
import pytest

from fervid.capture import open_source
from fervid.cut_off import is_cut_off
from fervid.errors import SourceReadError
from fervid.prefetch import Prefetch
from tests import clips


def read(path):
    with open_source(str(path)) as source:
        return source, list(source)


def textured(count, size=clips.SIZE):
    noise = np.random.default_rng(1).integers(0, 20, (size[1], size[0], 3))
    return [(noise + clips.level(n) - 10).astype(np.uint8) for n in range(count)]


FAST = {"movflags": "faststart"}


def read_cut(path):
    """The numbers of the pictures that came, and the error after them."""
    got = []
    with open_source(str(path)) as source, pytest.raises(SourceReadError) as caught:
        got.extend(clips.number(frame.bgr) for frame in source)
    return got, str(caught.value)


@pytest.mark.parametrize(
    ("name", "codec", "layout", "sound"),
    [
        ("a.mp4", "libx264", FAST, ""),
        ("a.mp4", "libx264", FAST, "aac"),
        ("a.mkv", "libx264", None, ""),
        ("a.mkv", "libx264", None, "aac"),
        ("a.webm", "libvpx", None, ""),
        ("a.avi", "mpeg4", None, ""),
        ("a.avi", "mpeg4", None, "aac"),
    ],
)
def test_a_file_that_was_cut_off_says_so_after_its_last_picture(
    tmp_path, name, codec, layout, sound
):
    options = {"g": "1", "bf": "0"} if codec == "libx264" else {"g": "1"}
    pictures = textured(20) * 2
    path = clips.clip(
        tmp_path / name, codec, pictures=pictures, options=options, layout=layout, sound=sound
    )
    got, message = read_cut(clips.cut(path, 0.6))
    assert 3 <= len(got) < 36
    assert got[:-1] == (list(range(20)) * 2)[: len(got) - 1]
    promised, ended = re.fullmatch(
        rf"{re.escape(str(path))} was cut off: it promises (.+) s and ends after (.+) s; copy it "
        r"again\.",
        message,
    ).groups()
    assert float(promised) == pytest.approx(1.6, abs=0.11)
    assert float(ended) == pytest.approx(len(got) / 25, abs=0.11)


@pytest.mark.parametrize("sound", ["", "mp2"])
@pytest.mark.parametrize("name", ["a.mpg", "a.vob"])
def test_an_mpeg_program_stream_that_ends_within_a_packet_was_cut_off(tmp_path, name, sound):
    path = clips.clip(tmp_path / name, "mpeg1video", pictures=textured(20) * 2, sound=sound)
    got, message = read_cut(clips.cut(path, 0.55))
    assert 3 <= len(got) <= 40
    assert re.search(
        r"a\.\w+ was cut off: it ends after \d\.\d s in the middle of a packet; ", message
    )


def test_real_clips_that_were_cut_off(tmp_path):
    for name in ("grid_bbaf2n.mpg", "hands_bird.mkv"):
        path = tmp_path / name
        path.write_bytes(clips.real(name).read_bytes())
        got, message = read_cut(clips.cut(path, 0.5))
        assert len(got) > 10
        assert f"{name} was cut off" in message


def test_prefetch_delivers_every_picture_before_it_says_that_the_file_was_cut_off(tmp_path):
    path = clips.clip(tmp_path / "a.mkv", pictures=textured(20), options={"g": "1"})
    n_frames = len(read_cut(clips.cut(path, 0.5))[0])
    got = []
    with (
        Prefetch(open_source(str(path))) as frames,
        pytest.raises(SourceReadError, match="cut off"),
    ):
        got.extend(frame.index for frame, _ in frames)
    assert got == list(range(n_frames))


def test_a_transport_stream_promises_nothing(tmp_path):
    path = clips.clip(tmp_path / "a.ts", pictures=textured(20), options={"g": "1"})
    _, frames = read(clips.cut(path, 2 / 3))
    assert 3 <= len(frames) < 20
    assert [clips.number(f.bgr) for f in frames[:-1]] == list(range(len(frames) - 1))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_what_states_more_than_its_pictures_last_was_not_cut_off(tmp_path, name):
    path = clips.clip(tmp_path / name, sound="aac", sound_s=3.0, layout=FAST)
    assert len(read(path)[1]) == 12


def test_a_file_that_lacks_its_index_only_has_every_picture(tmp_path):
    path = clips.cut(clips.clip(tmp_path / "a.mkv"), 0.99)
    assert is_cut_off(path)
    assert len(read(path)[1]) == 12


def test_a_part_without_a_stated_size_is_no_sign_of_a_cut(tmp_path):
    live = clips.clip(tmp_path / "live.mkv", layout={"live": "1"})
    for path in (live, clips.clip(tmp_path / "a.mp4", layout={"movflags": "frag_keyframe"})):
        assert not is_cut_off(path)
        assert len(read(path)[1]) == 12
    riff = tmp_path / "a.avi"
    riff.write_bytes(b"RIFF\xff\xff\xff\xffAVI " + bytes(8))  # as written to a pipe
    assert not is_cut_off(riff)


@pytest.mark.parametrize(
    "content",
    [
        b"\0\0\0\x08ftyp" + b"\0\0\0\x01mdat" + (20).to_bytes(8, "big") + b"1234",
        b"\0\0\0\x08ftyp" + b"\0\0\1\xe0mdat" + bytes(0x1D8),
        b"\x1a\x45\xdf\xa3\x82ab" + b"\x18\x53\x80\x67\x40\x03abc",
        b"RIFF\x06\0\0\0AVI 12" + b"RIFF\x05\0\0\0AVIX1",
        b"\0\0\1\xba!" + bytes(7) + b"\0\0\1\xe0\0\x05hello",
        b"\0\0\1\xbaD" + bytes(8) + b"\xfaab" + b"\0\0\1\xe0\0\x05hello\0\0\1\xb9",
    ],
    ids=["long box", "box", "matroska", "avi", "mpeg1", "mpeg2"],
)
def test_a_file_is_cut_off_where_its_last_part_lacks_a_byte(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert not is_cut_off(path)
    path.write_bytes(content.removesuffix(b"\0\0\1\xb9")[:-1])
    assert is_cut_off(path)
    path.write_bytes(content + b"no such part, but something else")
    assert not is_cut_off(path)
