"""Whole runs over files elsewhere: the rows of local ones, copies that go, faults of one file."""

import contextlib
import os
import signal
import subprocess
import sys
import zipfile

import pytest

from tests.archive_runs import PATIENCE_S, archive, finish, kill, n_done, results, states, until
from tests.places import ROOT
from tests.servers import HERE, http_server

signals = pytest.mark.skipif(os.name == "nt", reason="signals work otherwise on Windows")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return archive(tmp_path_factory.mktemp("archive"), n_clips=4, frames=8, broken=1)


@pytest.fixture(scope="module")
def clean(source, tmp_path_factory):
    """What a run over the files themselves leaves."""
    out = tmp_path_factory.mktemp("clean") / "r"
    assert finish(source, out)[0] == 1
    return named(results(out))


@pytest.fixture
def zipped(source, tmp_path):
    return pack(source, tmp_path / "clips.zip")


@pytest.fixture(autouse=True)
def copies(tmp_path, monkeypatch):
    """Where copies lie."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


def pack(source, place):
    with zipfile.ZipFile(place, "w") as file:
        for path in sorted(source.rglob("*.mp4")):
            file.write(path, path.relative_to(source))
    return place


def named(found):
    """Results without what their source is called."""
    if isinstance(found, dict):
        return {k: named(v) for k, v in found.items() if k not in ("source", "error")}
    if isinstance(found, list):
        return [named(item) for item in found]
    if isinstance(found, str) and found.startswith('{"source":'):
        return found[found.index(',"frame"') :]
    return found


@pytest.mark.parametrize("options", [(), ("--jobs", "2")])
def test_the_rows_are_those_of_the_files_themselves(zipped, clean, copies, tmp_path, options):
    code, said = finish(f"zip://**/*.mp4::{zipped}", tmp_path / "r", *options)
    assert code == 1
    assert f"fervid: zip://a/broken0.mp4::{zipped} is not a video that can be read" in said
    assert "1 of 5 sources failed; the others are done." in said
    assert named(results(tmp_path / "r")) == clean
    assert list(copies.iterdir()) == []


@signals
def test_killed_and_resumed_with_a_file_that_has_changed(zipped, source, clean, copies, tmp_path):
    address, out = f"zip://::{zipped}", tmp_path / "r"
    process = subprocess.Popen(
        [sys.executable, "-m", "fervid", address, "-o", str(out), "--jobs", "2", "-q"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: n_done(out) >= 1, process)
    kill(process)
    done = {folder for folder, state in states(out).items() if state == "done"}
    before = {f: (out / f / "summary.json").stat().st_mtime_ns for f in done}
    code, said = finish(address, out, "--jobs", "2", "--resume")
    assert code == 1
    assert f"{len(done)} of 5 files are done" in said
    assert {f: (out / f / "summary.json").stat().st_mtime_ns for f in done} == before
    assert named(results(out)) == clean
    assert list(copies.iterdir()) == []  # what was left by kill is gone too

    changed = tmp_path / "changed"
    for path in source.rglob("*.mp4"):
        (changed / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        os.link(path, changed / path.relative_to(source))
    (changed / "a/clip0.mp4").unlink()
    os.link(source / "b/clip1.mp4", changed / "a/clip0.mp4")
    pack(changed, zipped)
    code, said = finish(address, out, "--resume")
    assert f"zip://a/clip0.mp4::{zipped} has changed since it was analysed" in said
    assert "3 of 5 files are done; 2 to go." in said
    again = named(results(out))
    assert again["a/clip0/faces.jsonl"] == clean["b/clip1/faces.jsonl"]


@contextlib.contextmanager
def stalling(path, share):
    """A server of one file, which sends a share of it and then nothing, or breaks off."""
    data = path.read_bytes()

    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: int(len(data) * abs(share))])
        request.wfile.flush()
        if share < 0:  # say nothing until the reader has gone
            with contextlib.suppress(OSError):
                request.connection.recv(1)

    with http_server(answer) as host:
        yield f"simplecache::http://{host}/clip.mp4"


def begin(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "fervid", *words],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def copied(place):
    """Bytes of what lies in a folder for copies."""
    return sum(path.stat().st_size for path in place.rglob("clip.mp4"))


@signals
@pytest.mark.parametrize("options", [(), ("--jobs", "2")])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_a_file_is_fetched_leaves_no_copy(source, copies, tmp_path, number, options):
    pytest.importorskip("aiohttp")
    path = source / "b/clip1.mp4"
    with stalling(path, -0.5) as address:
        process = begin(address, str(path), "-o", str(tmp_path / "r"), *options)
        until(lambda: any(copies.rglob("clip.mp4")), process)
        process.send_signal(number)
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == (130 if number == signal.SIGINT else 143), said
    assert "Traceback" not in said
    assert list(copies.iterdir()) == []


@signals
def test_a_copy_that_a_killed_run_left_goes_with_the_next_one(source, copies, tmp_path):
    pytest.importorskip("aiohttp")
    path = source / "b/clip1.mp4"
    with stalling(path, -0.5) as address:
        process = begin(address, "-o", str(tmp_path / "r"))
        until(lambda: any(copies.rglob("clip.mp4")), process)
        kill(process)
    assert any(copies.rglob("clip.mp4"))
    address = f"zip://b/clip1.mp4::{pack(source, tmp_path / 'x.zip')}"
    assert finish(address, tmp_path / "s")[0] == 0
    assert list(copies.iterdir()) == []


def test_a_file_that_breaks_off_costs_that_file(source, copies, tmp_path):
    pytest.importorskip("aiohttp")
    with stalling(source / "b/clip1.mp4", 0.5) as address:
        process = begin(address, str(source / "a/clip0.mp4"), "-o", str(tmp_path / "r"), "-q")
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 1
    assert f"fervid: {address} broke off while it was fetched (" in said
    assert "1 of 2 sources failed; the others are done." in said
    assert list(states(tmp_path / "r").values()).count("done") == 1
    assert list(copies.iterdir()) == []


def test_a_password_reaches_no_file_and_no_message(source, tmp_path):
    pytest.importorskip("aiohttp")
    path = source / "b/clip1.mp4"
    with stalling(path, 1) as address:
        there = address.replace("://", "://me:s3cret@")
        words = (there, str(source / "a/clip0.mp4"), f"{there}x", "-o", str(tmp_path / "r"), "-v")
        process = begin(*words)
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 0, said
    assert "s3cret" not in said
    written = [path for path in (tmp_path / "r").rglob("*") if path.is_file()]
    assert len(written) > 10
    for file in written:
        assert b"s3cret" not in file.read_bytes(), file
    for name in ("manifest.json", "clips.csv"):
        assert (tmp_path / "r" / name).read_text().count(f"simplecache::http://{HERE}") == 2
