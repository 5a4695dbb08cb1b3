"""`-`: a video through standard input, and rows to a reader that has seen enough."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from fervid.capture import open_source
from fervid.cli import main
from fervid.config import ReadConfig
from fervid.cut_off import Parts
from fervid.errors import SourceOpenError, SourceReadError
from tests import clips
from tests.places import ROOT, SAMPLE

NOISE = list(np.random.default_rng(0).integers(0, 256, (50, 48, 64, 3), np.uint8))  # two seconds


@pytest.fixture
def piped(monkeypatch):
    """Put a real pipe in the place of standard input; what is sent runs in a thread."""
    threads, files = [], []

    def send(data):
        read_end, write_end = os.pipe()
        files.append(os.fdopen(read_end, encoding="latin-1"))
        monkeypatch.setattr(sys, "stdin", files[-1])

        def write():
            try:
                with os.fdopen(write_end, "wb") as file:
                    file.write(data)
            except BrokenPipeError:
                pass

        threads.append(threading.Thread(target=write))
        threads[-1].start()

    yield send
    for file in files:
        file.close()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "layout"),
    [
        ("a.mkv", "libx264", "yuv420p", {}),
        ("a.ts", "libx264", "yuv420p", {}),
        ("a.mp4", "libx264", "yuv420p", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mp4", "libx264", "yuv420p", {"movflags": "faststart"}),
        ("a.mjpeg", "mjpeg", "yuvj420p", {}),
        ("a.avi", "mpeg4", "yuv420p", {}),
    ],
)
def test_every_frame_of_a_pipe_arrives_in_time(tmp_path, piped, name, codec, pixels, layout):
    path = clips.clip(tmp_path / name, codec, pixels=pixels, layout=layout)
    piped(path.read_bytes())
    check_every_frame()


def test_raw_pictures_of_yuv4mpegpipe(piped):
    width, height = clips.SIZE
    data = f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C444\n".encode()
    for number in range(12):
        luma = round(16 + clips.level(number) * 219 / 255)
        planes = bytes([luma]) * (width * height) + b"\x80" * (2 * width * height)
        data += b"FRAME\n" + planes
    piped(data)
    check_every_frame()


def check_every_frame():
    with open_source("-") as source:
        frames = list(source)
    assert [clips.number(f.bgr) for f in frames] == list(range(12))
    assert [f.time_s for f in frames] == pytest.approx([n / 25 for n in range(12)], abs=2e-3)
    assert (source.info.uri, source.info.label) == ("-", "standard input")
    assert not source.info.live


def test_a_pipe_can_be_thinned_and_cut(tmp_path, piped):
    piped(clips.clip(tmp_path / "a.mkv").read_bytes())
    with open_source("-", ReadConfig(start=0.2, every=3, roi=(0, 0, 32, 16))) as source:
        frames = list(source)
    assert [f.index for f in frames] == [5, 8, 11]
    assert {f.bgr.shape for f in frames} == {(16, 32, 3)}


@pytest.mark.parametrize(
    ("share", "says"), [(0, "Nothing came"), (1, r"Matroska, MPEG-TS or fragmented MP4")]
)
def test_what_no_pipe_can_carry_is_one_sentence(tmp_path, piped, share, says):
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), np.uint8)
    whole = clips.clip(tmp_path / "a.mp4", pictures=list(noise)).read_bytes()  # index at the end
    piped(whole if share else b"")
    with pytest.raises(SourceOpenError, match=says) as caught:
        open_source("-")
    assert caught.value.uri == "-"


@pytest.mark.parametrize(
    ("name", "layout"), [("a.mkv", {}), ("a.mp4", {"movflags": "faststart"}), ("a.avi", {})]
)
def test_a_pipe_that_breaks_off_is_told_after_its_last_picture(tmp_path, piped, name, layout):
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    whole = clips.clip(tmp_path / name, codec, pictures=NOISE, layout=layout).read_bytes()
    piped(whole[: int(len(whole) * 0.6)])
    got = []
    with (
        pytest.raises(SourceReadError, match=r"standard input was cut off: it promises 2\.0 s and"),
        open_source("-") as source,
    ):
        got.extend(source)
    assert 5 < len(got) < 45


def test_a_pipe_that_was_left_early_was_not_cut_off(tmp_path, piped):
    piped(clips.clip(tmp_path / "a.mkv", pictures=NOISE).read_bytes())
    with open_source("-", ReadConfig(end=0.4)) as source:
        assert len(list(source)) == 10


@pytest.mark.parametrize("size", [1, 7, 16, 1000])
def test_parts_are_followed_in_pieces_of_any_size(tmp_path, size):
    data = clips.clip(tmp_path / "a.mp4").read_bytes()
    for n_bytes, cut in ((len(data), False), (len(data) - 1, True)):
        parts = Parts()
        for at in range(0, n_bytes, size):
            parts.feed(data[at : min(at + size, n_bytes)])
        assert parts.cut_off is cut
    unknown = Parts()
    unknown.feed(b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + bytes(20))
    assert not unknown.cut_off  # as ffmpeg writes into a pipe


def test_a_redirected_file_may_have_its_index_at_the_end(tmp_path, monkeypatch):
    with clips.clip(tmp_path / "a.mp4").open(encoding="latin-1") as file:
        monkeypatch.setattr(sys, "stdin", file)
        with open_source("-") as source:
            assert len(list(source)) == 12


def test_a_terminal_and_a_closed_input_are_refused(monkeypatch):
    main_end, terminal = os.openpty()
    with os.fdopen(terminal) as file, os.fdopen(main_end):
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(SourceOpenError, match="is a terminal; pipe a video"):
            open_source("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceOpenError, match="is closed; pipe a video"):
        open_source("-")


def test_results_of_a_pipe_go_to_a_folder_of_its_own(tmp_path, piped, capsys):
    piped(clips.clip(tmp_path / "a.mkv", sound="aac").read_bytes())
    assert main(["-", "-o", str(tmp_path / "out"), "-q"]) == 0
    assert (tmp_path / "out" / "stdin" / "annotated.mp4").is_file()
    assert "The sound of - is left out" in " ".join(capsys.readouterr().err.split())


@pytest.mark.skipif(os.name == "nt", reason="a pipe without a reader is another error there")
def test_a_reader_that_has_seen_enough_ends_the_run_silently():
    command = [sys.executable, "-m", "fervid", "-", "--jsonl", "-", "-q"]
    with (
        SAMPLE.open("rb") as file,
        subprocess.Popen(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        ) as child,
    ):
        lines = [child.stdout.readline() for _ in range(3)]
        child.stdout.close()
        said = child.stderr.read()
    assert all(line.startswith(b"{") for line in lines)
    assert (child.returncode, said) == (141, b"")


@pytest.mark.skipif(os.name == "nt", reason="signals are other things there")
def test_an_interrupt_ends_the_wait_for_a_pipe_that_says_nothing():
    command = [sys.executable, "-m", "fervid", "-", "-v"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, cwd=ROOT) as child:
        child.stdin.write(bytes(300_000))  # more than a pipe holds: it was read, then silence
        child.stdin.flush()
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        said = child.stderr.read().decode()
        assert child.wait(60) == 130
    assert time.monotonic() - began < 30  # it would wait for ever
    assert "Traceback" not in said
