"""A small part of the fuzzer in every run of the tests; the whole: `python -m tests.fuzz`."""

import random

import pytest

from fervid.capture import open_source
from fervid.errors import SourceError
from tests.clips import clip
from tests.fuzz.bombs import bmp_bomb, gif_bomb, png_bomb
from tests.fuzz.corpus import Case
from tests.fuzz.mutants import MUTATIONS
from tests.fuzz.pool import Child, look_at
from tests.fuzz.seeds import seeds


def cases(folder):
    """Of each format a file that was cut off and one that was damaged otherwise."""
    chance, kinds = random.Random(0), sorted(MUTATIONS)
    for n, seed in enumerate(seeds(folder / "seeds")):
        content = seed.read_bytes()
        path = folder / f"cut-{seed.name}"
        path.write_bytes(content[: len(content) // 2])
        yield Case(path, "truncated", seed.name)
        path, kind = folder / f"{n}-{seed.name}", kinds[n % len(kinds)]
        path.write_bytes(MUTATIONS[kind](content, chance))
        yield Case(path, kind, seed.name)


@pytest.mark.slow
def test_damaged_files_are_analysed_or_refused_with_a_sentence(tmp_path):
    found = list(look_at(cases(tmp_path), tmp_path, children=1, every=8))
    assert len(found) >= 50
    assert [item for item in found if item.failed] == []
    assert {"ok", "refused"} == {item.verdict for item in found}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.png", png_bomb(30_000, 30_000, rows=9), r"too many pixels \(30000 x 30000\)"),
        ("a.bmp", bmp_bomb(30_000), r"too many pixels \(30000 x 30000\)"),
        ("a.pgm", b"P5\n30000 30000\n255\n" + bytes(999), r"too many pixels"),
        ("a.gif", gif_bomb(12_000, 50), r"Not one picture .* can be decoded|too large"),
    ],
)
def test_bombs_are_refused_before_they_go_off(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.h264", "holds nothing but zeros from 0 bytes on"),
        ("a.mp3", "holds nothing but zeros from 0 bytes on"),
        ("a.png", r"is no picture: it has 10\.7 GB"),
        ("a.mp4", "is not a video"),
    ],
)
def test_ten_gigabytes_of_nothing_are_refused(tmp_path, name, says):
    with (tmp_path / name).open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(SourceError, match=says):
        open_source(str(tmp_path / name))


def test_zeros_in_the_middle_of_a_bare_stream_end_it_with_an_error(tmp_path):
    path = clip(tmp_path / "a.h264", frames=12)
    with path.open("r+b") as file:
        file.truncate(10 * 2**30)
    frames = []
    with pytest.raises(SourceError, match="holds nothing but zeros"), open_source(str(path)) as it:
        frames.extend(it)


def test_a_damaged_frame_costs_that_frame(tmp_path):
    """One picture of an MJPEG clip is overwritten; the others come, and it is counted."""
    path = clip(tmp_path / "a.avi", "mjpeg", pixels="yuvj420p", size=(320, 240))
    content = bytearray(path.read_bytes())
    place = -1
    for _ in range(6):
        place = content.find(b"\xff\xd8\xff", place + 1)
    end = content.find(b"00dc", place)
    content[place:end] = bytes(end - place)
    path.write_bytes(content)
    with open_source(str(path)) as source:
        frames = list(source)
        assert source.damaged == 1
    assert len(frames) == 11


CHILD = """import ctypes, json, os, sys
print(json.dumps({"verdict": "ready"}), flush=True)
sys.stdin.readline()
%s
"""


@pytest.mark.parametrize(
    ("work", "verdict"),
    [
        ("ctypes.string_at(0)", "crash"),
        ("while True: pass", "hang"),
        ("x = b'1' * 400_000_000\nwhile True: pass", "memory"),
    ],
)
def test_the_fuzzer_sees_what_it_is_there_for(tmp_path, monkeypatch, work, verdict):
    inner = tmp_path / "tests" / "fuzz"
    inner.mkdir(parents=True)
    (inner / "child.py").write_text(CHILD % work)
    monkeypatch.setattr("tests.fuzz.pool.ROOT", tmp_path)
    monkeypatch.setattr("tests.fuzz.pool.LONGEST_S", 2.0)
    monkeypatch.setattr("tests.fuzz.pool.MOST_MB", 300.0)
    child = Child(tmp_path / "out")
    try:
        assert child.look(Case(tmp_path / "x.mp4", "none", ""), write=False).verdict == verdict
    finally:
        child.close()
