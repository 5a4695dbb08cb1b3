"""Whole runs in segments: cut, killed, begun again, on a disk that gets full."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from datetime import datetime

import av
import pyarrow.parquet as pq
import pytest

import fervid
from fervid.cli import main
from fervid.recover import recover
from fervid.segment_folder import read_segment
from fervid.segments import LEAST, next_boundary
from tests import servers
from tests.backends import FakeBackend
from tests.clips import clip
from tests.mistakes.outs import mounted
from tests.places import ROOT, SAMPLE

WHOLE = {
    *("annotated.mp4", "faces.jsonl", "faces.parquet"),
    *("report.html", "segment.json", "summary.json"),
}
PATIENCE_S = 60


def segments(place):
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def journal(folder):
    """The header and the frames of a journal; every line has to be whole."""
    text = (folder / "faces.jsonl").read_text()
    assert text.endswith("\n")
    header, *lines = map(json.loads, text.splitlines())
    assert "classes" in header
    return header, [line for line in lines if "faces" in line]


def n_pictures(folder):
    """How many pictures the video of a segment plays; the first is at its start."""
    with av.open(str(folder / "annotated.mp4")) as file:
        times = [frame.time for frame in file.decode(video=0)]
    assert times == sorted(times)
    assert not times or times[0] == 0
    return len(times)


def hashes(folders):
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """The first 2.6 s of the sample, with a tone."""
    with av.open(str(SAMPLE)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)][:65]
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    return clip(path, pictures=pictures, size=(480, 270), sound="aac")


def test_segments_of_a_recording_are_the_run_in_pieces(recording, tmp_path):
    backend = FakeBackend()
    whole = fervid.RunConfig()
    cut = fervid.RunConfig(segments=fervid.SegmentConfig(segment="1s"))
    fervid.analyse(recording, config=whole, out=tmp_path / "whole", backend=backend)
    fervid.analyse(recording, config=cut, out=tmp_path / "cut", backend=backend)
    found = segments(tmp_path / "cut" / "a")
    assert [{p.name for p in folder.iterdir()} for folder in found] == [WHOLE] * 3
    assert [n_pictures(folder) for folder in found] == [25, 25, 15]
    assert [path.name for path in (tmp_path / "cut" / "a").iterdir() if path.is_file()] == []
    together = [line for folder in found for line in journal(folder)[1]]
    assert together == journal(tmp_path / "whole" / "a")[1]
    tables = [pq.read_table(folder / "faces.parquet").to_pylist() for folder in found]
    expected = pq.read_table(tmp_path / "whole" / "a" / "faces.parquet").to_pylist()
    assert [row for table in tables for row in table] == expected
    assert len(expected) > 30
    for folder, length_s in zip(found, (1.0, 1.0, 0.6), strict=True):
        with av.open(str(folder / "annotated.mp4")) as file:
            sound = [(f.time, f.samples) for f in file.decode(audio=0)]
        assert sound[0][0] < 0.05
        assert sum(n for _, n in sound) / 44_100 == pytest.approx(length_s, abs=0.1)
    rows = fervid.read_results(tmp_path / "cut")
    assert len(rows) == len(expected)


@contextlib.contextmanager
def camera(rate=15.0, frames=3000):
    """A camera of small pictures; yields its address."""
    with servers.http_server(servers.mjpeg(frames, rate=rate)) as host:
        yield f"http://{host}/"


@contextlib.contextmanager
def running(uri, out, *options):
    """The program at work, which does not outlive a test that failed."""
    command = [sys.executable, "-m", "fervid", uri, "-o", str(out), "--no-window", *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition, process):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def in_third(place, lines=4):
    """Whether a third segment has some lines; the first may be a short one."""
    found = segments(place)
    there = len(found) >= 3 and (found[-1] / "faces.jsonl")
    return bool(there) and there.is_file() and there.read_bytes().count(b"\n") >= lines


def test_a_kill_in_the_third_segment_and_a_restart_into_the_same_folder(tmp_path):
    out = tmp_path / "out"
    with camera() as uri:
        with running(uri, out, "--segment", "2s") as process:
            (place,) = _places(out, process)
            until(lambda: in_third(place), process)
            process.kill()
            process.communicate()
        *complete, cut = segments(place)
        for folder in complete:
            _look_at_whole(folder)
        _, frames = journal(cut)
        assert 0 <= len(frames) - n_pictures(cut) <= 15  # a second
        assert read_segment(cut).ended is None
        before = hashes([*complete, cut])

        with running(uri, out, "--segment", "2s") as process:
            until(lambda: len(segments(place)) >= len(complete) + 3, process)
            process.terminate()
            said = process.communicate()[1]
            assert process.returncode == 143, said
    old, new = segments(place)[: len(complete) + 1], segments(place)[len(complete) + 1 :]
    assert hashes(old) == before
    for folder in new[:-1]:
        _look_at_whole(folder)
    _look_at_whole(new[-1], error="interrupted")
    starts = [journal(folder)[1][0]["utc"] for folder in old + new]
    assert starts == sorted(starts)
    for folder, start in zip(old + new, starts, strict=True):
        assert folder.name == start.replace("-", "").replace(":", "")

    done = recover(out, lambda: time.time() + 60)
    assert {step.path.parent for step in done} == {cut}
    assert pq.read_table(cut / "faces.parquet") is not None
    assert {path.name for path in place.parent.iterdir()} == {place.name}


def _look_at_whole(folder, error=None):
    assert {path.name for path in folder.iterdir()} == WHOLE
    _, frames = journal(folder)
    assert n_pictures(folder) == len(frames) > 0
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["frames"], summary["error"]) == (len(frames), error)
    assert pq.read_table(folder / "faces.parquet").num_rows == summary["faces"]
    assert read_segment(folder).ended is not None


def _places(out, process):
    until(lambda: out.is_dir() and any(out.iterdir()), process)
    return list(out.iterdir())


def test_live_segments_are_cut_at_the_wall_clock_and_old_ones_removed(tmp_path):
    out = tmp_path / "out"
    options = ("--segment", "1s", "--keep", "2s", "--max-disk", "1GB")
    with camera() as uri, running(uri, out, *options) as process:
        (place,) = _places(out, process)
        until(lambda: segments(place), process)
        first = segments(place)[0]
        until((first / "segment.json").exists, process)
        (first / "mine.txt").write_text("mine")
        (place / "20200101T000000.000Z").mkdir()
        until(lambda: not (first / "segment.json").exists(), process)
        process.terminate()
        process.communicate()
        assert process.returncode == 143
    assert [path.name for path in first.iterdir()] == ["mine.txt"]
    assert (place / "20200101T000000.000Z").is_dir()
    kept = [folder for folder in segments(place) if read_segment(folder)]
    assert kept
    for folder in kept:
        moments = [datetime.fromisoformat(line["utc"]) for line in journal(folder)[1]]
        boundary = next_boundary(moments[0].timestamp(), 1, LEAST)
        assert moments[-1].timestamp() < boundary


def test_old_segments_are_removed_while_the_camera_is_away(tmp_path):
    out = tmp_path / "out"
    with contextlib.ExitStack() as program:
        with camera() as uri:
            process = program.enter_context(
                running(uri, out, "--segment", "1s", "--keep", "2s", "-q")
            )
            (place,) = _places(out, process)
            until(lambda: len(segments(place)) > 2, process)
        # Without removal those of the last two seconds stay: the one that is open, and one more.
        until(lambda: len(segments(place)) == 1, process)
        assert read_segment(segments(place)[0]).ended is None


def on_a_small_disk(tmp_path, size, *words):
    """Run over the sample, in segments of a second, on a disk of this size, kept as `kept`."""
    inside = mounted(f"size={size}")()
    if inside is None:
        pytest.skip("this system lets nobody mount")
    folder = tmp_path / "at"
    (folder / "results").mkdir(parents=True)
    command = [sys.executable, "-m", "fervid", str(SAMPLE), "-o", "results", "--segment", "1s"]
    return subprocess.run(
        [*inside, *command, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_ends_the_run_with_one_sentence_and_whole_segments(tmp_path):
    done = on_a_small_disk(tmp_path, "500k")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("fervid: ")]
    assert len(said) == 1
    assert "No space left on device; free space there or choose another place." in said[0]
    *complete, cut = segments(tmp_path / "kept" / "noisy_portrait")
    assert complete
    for whole in complete:
        assert {path.name for path in whole.iterdir()} == WHOLE
        assert n_pictures(whole) == len(journal(whole)[1]) > 0
    assert f"results/noisy_portrait/{cut.name}/" in said[0]


def test_max_disk_keeps_a_small_disk_from_getting_full(tmp_path):
    done = on_a_small_disk(tmp_path, "1500k", "--max-disk", "700kB", "--end", "5")
    assert (done.returncode, "warning" in done.stderr) == (0, False), done.stderr
    found = segments(tmp_path / "kept" / "noisy_portrait")
    assert 1 <= len(found) < 5
    assert found[-1].name.endswith("_00h00m04s")


def test_nothing_is_cut_without_a_folder(recording, capsys):
    assert main([str(recording), "--segment", "10m"]) == 2
    assert "--segment needs a folder; add --out DIR." in capsys.readouterr().err
