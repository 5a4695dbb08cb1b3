"""What docs/security.md promises of files that are written, and of machines that fail."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys

import av
import numpy as np
import pytest

from fervid.outputs import IN_FOLDER
from tests.clips import clip
from tests.places import ROOT

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no umask and no such limits")


def fervid(*words, **more):
    """A run in a process of its own, with what it said."""
    command = [sys.executable, "-m", "fervid", *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120, **more
    )


def noisy(path, frames=200):
    """A clip whose annotated video takes some megabytes: no codec can shrink noise."""
    chance = np.random.default_rng(0)
    shown = [chance.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(8)]
    pictures = [shown[n % 8] for n in range(frames)]
    return clip(path, "mjpeg", pixels="yuvj420p", size=(320, 240), pictures=pictures)


@POSIX
@pytest.mark.parametrize("umask", [0o077, 0o027])
def test_results_are_written_with_the_users_umask(tmp_path, umask):
    source, out = clip(tmp_path / "x.mp4"), tmp_path / "out"
    done = fervid(source, "-o", out, "--subtitles", "-q", umask=umask)
    assert done.returncode == 0, done.stderr
    found = [path for path in out.rglob("*") if path.is_file()]
    assert {path.name for path in found} == set(IN_FOLDER)
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o666 & ~umask}
    assert stat.S_IMODE((out / "x").stat().st_mode) == 0o777 & ~umask


def test_pictures_are_written_only_where_asked_for(tmp_path):
    source = clip(tmp_path / "x.mp4")
    for words in (["--csv", tmp_path / "a.csv"], ["-o", tmp_path / "out", "--no-images"]):
        done = fervid(source, *words, "-q")
        assert done.returncode == 0, done.stderr
    found = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    rows = {"faces.jsonl", "faces.parquet", "summary.json", "report.html"}
    assert found == {"x.mp4", "a.csv"} | rows
    assert "image/jpeg" not in (tmp_path / "out" / "x" / "report.html").read_text()


@POSIX
def test_a_full_disk_ends_the_run_with_one_sentence_and_keeps_what_was_written(tmp_path):
    source, out, limit = noisy(tmp_path / "x.avi"), tmp_path / "out", 1_000_000

    import resource  # which Windows lacks

    def full():  # as on a full disk, writing fails from some byte on
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = fervid(source, "-o", out, "-q", preexec_fn=full)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("fervid: ")]
    assert len(said) == 1, done.stderr
    assert "annotated.mp4 cannot be written" in said[0]
    assert "Traceback" not in done.stderr
    lines = (out / "x" / "faces.jsonl").read_text().splitlines()
    frames = [json.loads(line) for line in lines][1:]
    assert frames
    shown = 0
    with av.open(str(out / "x" / "annotated.mp4")) as file, contextlib.suppress(av.FFmpegError):
        for _ in file.decode(video=0):  # the last picture that was written may lack its end
            shown += 1
    assert shown > len(frames) - 25
    summary = json.loads((out / "x" / "summary.json").read_text())
    assert "cannot be written" in summary["error"]


@POSIX
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    done = fervid(clip(tmp_path / "x.mp4"), "-o", closed / "out", "-q")
    assert done.returncode == 1
    assert done.stderr.startswith("fervid: The folder ")
    assert "Traceback" not in done.stderr


def test_a_folder_below_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    done = fervid(clip(tmp_path / "x.mp4"), "--jsonl", tmp_path / "file" / "a.jsonl", "-q")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
