"""Files elsewhere, by fsspec: which addresses they are, what is said, what lies where meanwhile."""

import errno
import io
import logging
import os
import re
import shutil
import sys
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import cv2
import fsspec
import numpy as np
import pytest
from rich.console import Console

from fervid import fetched
from fervid.capture import check_source, open_source
from fervid.config import OutputConfig, ReadConfig, RunConfig, SourceConfig, without_credentials
from fervid.config.addresses import is_fetched, local_name
from fervid.config.file import read_config_file
from fervid.config.source import identity, is_device
from fervid.errors import LibraryMissing, SourceOpenError, SourceReadError
from fervid.expand import expand
from fervid.fetched import NAME, FetchedSource
from fervid.folders import folder_names
from fervid.lock import FolderLock
from fervid.manifest import stamp
from fervid.remote import Remote, fetch
from fervid.run import run
from fervid.sinks.rows import header_record
from fervid.sinks.sound import Sound
from fervid.unreachable import told
from tests import clips
from tests.backends import FakeBackend
from tests.sinks import header

needs_locks = pytest.mark.skipif(os.name == "nt", reason="there are no locks on folders")


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for copies, of which nothing is left at the end."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []


@pytest.fixture
def memory():
    """Files that this process alone has; the name of each is told by the others."""
    system = fsspec.filesystem("memory")
    yield lambda name, data=b"x": system.pipe(name, data)
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def archived(place, **files):
    """Put files into an archive, by their names with __ for / and no suffix."""
    with zipfile.ZipFile(place, "w") as archive:
        for name, path in files.items():
            archive.write(path, name.replace("__", "/") + path.suffix)
    return place


def expanded(*sources):
    return expand(RunConfig(sources, output=OutputConfig()))


@pytest.mark.parametrize(
    "address",
    [
        *("s3://b/a.mp4", "GS://b/a.mp4", "zip://a.mp4::/x/a.zip", "memory://a.mp4"),
        *("simplecache::https://host/a.mp4", "filecache::zzz://a.mp4", "sftp://me@h/a.mp4"),
    ],
)
def test_files_elsewhere(address):
    assert is_fetched(address)
    assert not is_device(address)


@pytest.mark.parametrize(
    "address",
    [
        *("rtsp://[::1]/a", "http://host/a.mp4", "https://host/a.mp4", "udp://:5000", "srt://h:1"),
        *("rtsp://u:a::b@h/x", "ftp://host/a.mp4", "rtps://h/x", "camera:0", "-"),
    ],
)
def test_streams_are_left_to_ffmpeg(address):
    assert not is_fetched(address)
    assert is_device(address)


@pytest.mark.parametrize("name", ["a::b.mp4", "s3:/b/a.mp4", "simplecache:a.mp4", "zip::a.mp4"])
def test_odd_names_stay_names(name):
    assert not is_fetched(name)
    assert not is_device(name)


def test_a_file_address_is_its_path(tmp_path):
    (tmp_path / "a b.mp4").touch()
    (tmp_path / "50%20.mp4").touch()
    assert local_name(f"file://{tmp_path}/a%20b.mp4") == str(tmp_path / "a b.mp4")
    assert local_name(f"FILE://localhost{tmp_path}/50%20.mp4") == str(tmp_path / "50%20.mp4")
    assert local_name("file:///C:/a.mp4") == "C:/a.mp4"
    assert local_name("a.mp4") == "a.mp4"
    assert expanded(f"file://{tmp_path}") == expanded(str(tmp_path))
    assert identity(f"file://{tmp_path}/a%20b.mp4") == identity(str(tmp_path / "a b.mp4"))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("sftp://me:s3cret@h/a.mp4", "sftp://h/a.mp4"),
        ("sftp://me:s3c::ret@h/a.mp4", "sftp://h/a.mp4"),
        ("zip://x@y.mp4::sftp://me:s3cret@h/a.zip", "zip://x@y.mp4::sftp://h/a.zip"),
        ("zip://sftp://me:s3cret@h/a.zip", "zip://sftp://h/a.zip"),
        ("simplecache::https://me:s3cret@h/a.mp4", "simplecache::https://h/a.mp4"),
        ("abfs://box@account.net/a.mp4", "abfs://box@account.net/a.mp4"),
        (
            "simplecache::https://h/a.mp4?X-Amz-Credential=s3cret&X-Amz-Signature=s3cret&v=1",
            "simplecache::https://h/a.mp4?X-Amz-Credential=***&X-Amz-Signature=***&v=1",
        ),
        ("simplecache::https://h/a.mp4?sig=s3cret", "simplecache::https://h/a.mp4?sig=***"),
    ],
)
def test_credentials_are_not_shown_nor_written_down(address, shown):
    assert without_credentials(address) == shown
    assert identity(address) == shown
    assert "s3cret" not in str(folder_names([address])[0])


@pytest.mark.parametrize(
    ("given", "path", "found", "address"),
    [
        ("s3://b/in/*.mp4", "b/in/*.mp4", "b/in/a.mp4", "s3://b/in/a.mp4"),
        ("s3://b/", "b", "b/in/a.mp4", "s3://b/in/a.mp4"),
        ("sftp://me:pw@h/in/*", "/in/*", "/in/a.mp4", "sftp://me:pw@h/in/a.mp4"),
        ("sftp://h/", "/", "/a.mp4", "sftp://h/a.mp4"),
        ("abfs://tt@acc.net/t/*", "tt/t/*", "tt/t/a.mp4", "abfs://tt@acc.net/t/a.mp4"),
        ("abfs://tt@acc.net", "tt", "tt/t/a.mp4", "abfs://tt@acc.net/t/a.mp4"),
        ("zip://::s3://b/x.zip", "", "in/a.mp4", "zip://in/a.mp4::s3://b/x.zip"),
        ("zip://*::simplecache::s3://b/x", "*", "a.mp4", "zip://a.mp4::simplecache::s3://b/x"),
        (
            "simplecache::http://h/in/*",
            "http://h/in/*",
            "http://h/in/a.mp4",
            "simplecache::http://h/in/a.mp4",
        ),
    ],
)
def test_a_file_of_a_folder_gets_its_whole_address(monkeypatch, given, path, found, address):
    monkeypatch.setattr(
        "fervid.remote.locate",
        lambda url: SimpleNamespace(path=found if url == address else f"not {found}: {url}"),
    )
    assert Remote(given, None, path).url_of(found) == address
    with pytest.raises(SourceOpenError, match="cannot be named one by one; name each file"):
        Remote(given, None, path).url_of("elsewhere/b.mp4")


def test_folders_and_patterns_are_taken_apart_as_here(tmp_path, memory):
    names = (
        "b10.MP4",
        "b9.mkv",
        "notes.txt",
        ".hidden.mp4",
        ".cache/x.mp4",
        "x/y/a.avi",
        "p/a.jpg",
    )
    for name in names:
        memory(f"/in/{name}")
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for pattern in ("", "/", "/*.mkv", "/*", "/**", "/b[0-9].mkv", "/**/*.avi", "/x/*"):
        there = [name.removeprefix("memory:/") for name in expanded(f"memory://in{pattern}")]
        here = expanded(f"{tmp_path}/in{pattern}")
        assert there == [name.removeprefix(str(tmp_path)) for name in here], pattern


def test_what_fervid_wrote_is_passed_over(memory):
    for name in ("a.mp4", "r/a/annotated.mp4", "r/a/faces.jsonl", "r/a/stills/x.png", "r/b.mp4"):
        memory(f"/in/{name}")
    assert expanded("memory://in") == ["memory://in/a.mp4", "memory://in/r/b.mp4"]


def test_images_beside_videos_are_passed_over_and_sequences_refused(memory, caplog):
    for name in ("v/a.mp4", "v/cover.jpg", "s/f_1.png", "s/f_2.png"):
        memory(f"/in/{name}")
    with caplog.at_level(logging.WARNING):
        assert expanded("memory://in/v") == ["memory://in/v/a.mp4"]
    assert "images beside videos are passed over (1)" in caplog.text
    with pytest.raises(SourceOpenError, match=r"a sequence .* copy that folder, or name"):
        expanded("memory://in/s")
    assert len(expanded("memory://in/s/*.png")) == 2


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("memory://in/*.avi", r"^No file fits memory://in/\*\.avi; check the folder"),
        ("memory://in", "^The folder memory://in holds no video or image; name a folder with"),
    ],
)
def test_nothing_to_read_is_said(memory, address, says):
    memory("/in/notes.txt")
    with pytest.raises(SourceOpenError, match=says):
        expanded(address)


def test_folders_of_results_are_safe_different_and_like_local_ones():
    def names(*sources):
        return [name.as_posix() for name in folder_names(sources)]

    assert names("s3://b/in/a/x.mp4", "s3://b/in/b/x.mp4") == ["a/x", "b/x"]
    assert names("zip://a/x.mp4::/y.zip", "zip://x.mp4::/y.zip") == ["a/x", "x"]
    assert names("zip://x.mp4::/y.zip", "zip://x.mp4::/z.zip") == ["y.zip/x", "z.zip/x"]
    assert names("s3://b/x.mp4", "s3://b/x.mkv", "/v/x.mp4") == ["x.mp4", "x.mkv", "x.mp4-2"]
    assert names("s3://b/x.mp4", "/v/x.mp4", "/v/y.mp4") == ["x.mp4", "x.mp4-2", "y"]
    assert names("simplecache::http://h/x.mp4") == ["x"]
    assert names("s3://b/../../etc/x.mp4") == ["x"]
    assert names("s3://b/../x.mp4", "s3://b/c/x.mp4") == ["x", "c/x"]
    (odd,) = names('s3://b/a:b?"<\x1b>|*.mp4')
    assert not set(odd) & set(':?"<>|*\x1b')
    long = names(*(f"s3://b/{'x' * 300}{n}.mp4" for n in range(2)))
    assert len(set(long)) == 2
    assert max(map(len, long)) < 120


def test_an_archive_of_this_machine_is_one_by_whatever_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    near, far = "zip://a.mp4::x.zip", f"zip://a.mp4::{tmp_path}/in/../x.zip"
    assert identity(near) == identity(far) == f"zip://a.mp4::{tmp_path / 'x.zip'}"
    assert identity("zip://a.mp4::s3://b/x.zip") == "zip://a.mp4::s3://b/x.zip"
    (tmp_path / "in").mkdir()
    names = "zip://a.mp4::x.zip", "s3://b/a.mp4", "file:///a.mp4"
    (tmp_path / "in/fervid.toml").write_text(f"sources = {list(names)}\n")
    read = read_config_file(tmp_path / "in/fervid.toml").values["sources",]
    assert read == (f"zip://a.mp4::{tmp_path}/in/x.zip", *names[1:])


def test_a_large_file_is_said_to_be_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr("fervid.opening.TOLD", 1)
    place = archived(tmp_path / "x.zip", a=clips.clip(tmp_path / "a.mp4", size=(320, 240)))
    for quiet in (False, True):
        said = io.StringIO()
        run(
            RunConfig((f"zip://a.mp4::{place}",), quiet=quiet),
            stderr=Console(file=said, width=200),
            stdout=io.StringIO(),
            backend=FakeBackend(),
        )
        assert (f"fetching zip://a.mp4::{place} (0 MB)" in said.getvalue()) is not quiet


def test_settings_of_single_sources_apply():
    for uri in ("s3://b/in", "s3://b/in/*.mp4", "s3://b/in/a.mp4"):
        assert SourceConfig(uri).applies_to("s3://b/in/a.mp4")
        assert not SourceConfig(uri).applies_to("s3://b/other/a.mp4")
    assert SourceConfig("sftp://h/a.mp4").applies_to("sftp://me:pw@h/a.mp4")


def frames(uri, read=ReadConfig()):
    with open_source(uri, read) as source:
        return source.info, [(f.index, f.time_s, f.bgr) for f in source], source.damaged


@pytest.mark.parametrize(
    "read", [ReadConfig(), ReadConfig(start=2.2, every=2), ReadConfig(roi=(8, 8, 32, 32))]
)
def test_frames_are_those_of_the_file_itself(tmp_path, temporary, read):
    times = [n / 5 for n in range(20)]
    path = clips.clip(tmp_path / "a.mp4", frames=20, times=times, rotation=90, options={"g": "4"})
    there = f"zip://a.mp4::{archived(tmp_path / 'x.zip', a=path)}"
    (info, wanted, _), (copied, found, damaged) = frames(str(path), read), frames(there, read)
    assert [f[:2] for f in found] == [f[:2] for f in wanted]
    assert all(np.array_equal(a[2], b[2]) for a, b in zip(found, wanted, strict=True))
    assert (copied.uri, copied.label, damaged) == (there, "a.mp4", 0)
    assert not Path(copied.place).exists()
    same = ("width", "height", "rate", "n_frames", "duration_s", "start_s", "live", "roi", "codec")
    assert all(getattr(copied, name) == getattr(info, name) for name in same)


def test_images_and_bare_streams_are_fetched_too(tmp_path):
    bare = clips.clip(tmp_path / "b.h264", frames=6)
    picture = tmp_path / "p.png"
    cv2.imwrite(str(picture), clips.picture(5))
    place = archived(tmp_path / "x.zip", b=bare, p=picture)
    assert len(frames(f"zip://b.h264::{place}")[1]) == 6
    assert len(frames(f"zip://p.png::{place}")[1]) == 1


def test_the_sound_is_kept(tmp_path):
    path = clips.clip(tmp_path / "a.mp4", sound="aac")
    with open_source(f"zip://a.mp4::{archived(tmp_path / 'x.zip', a=path)}") as source:
        sound = Sound.of(header(source.info))
        assert sound is not None
        sound.close()


def test_the_copys_place_is_not_told(tmp_path):
    path = clips.clip(tmp_path / "a.mp4")
    with open_source(f"zip://a.mp4::{archived(tmp_path / 'x.zip', a=path)}") as source:
        record = str(header_record(header(source.info)))
    assert str(tmp_path / "tmp") not in record


def test_faults_of_the_copy_name_the_address(tmp_path):
    whole = clips.clip(
        tmp_path / "a.mp4", frames=20, size=(160, 120), layout={"movflags": "faststart"}
    )
    cut = clips.cut(shutil.copy(whole, tmp_path / "cut.mp4"), 0.7)
    text = tmp_path / "text.mp4"
    text.write_bytes(b"nothing of a video" * 20)
    place = archived(tmp_path / "x.zip", cut=cut, text=text)
    with pytest.raises(SourceOpenError) as refused:
        open_source(f"zip://text.mp4::{place}")
    with pytest.raises(SourceReadError) as ended:
        frames(f"zip://cut.mp4::{place}")
    for error, name in ((refused.value, "text.mp4"), (ended.value, "cut.mp4")):
        assert str(error).startswith(f"zip://{name}::{place} "), error
        assert error.uri == f"zip://{name}::{place}"
        assert NAME not in str(error)


def test_a_copy_is_deleted_whatever_happens(tmp_path, temporary):
    path = clips.clip(tmp_path / "a.mp4")
    there = f"zip://a.mp4::{archived(tmp_path / 'x.zip', a=path)}"
    source = open_source(there)
    (place,) = temporary.iterdir()
    assert place.stat().st_mode & 0o777 == 0o700
    assert [f.name for f in place.iterdir()] == ["a.mp4"]
    source.close()
    source.close()
    assert not place.exists()

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FetchedSource(there, interrupted)
    assert list(temporary.iterdir()) == []


@needs_locks
def test_what_killed_processes_left_is_deleted_and_what_is_read_stays(temporary):
    left, read = temporary / f"{NAME}left", temporary / f"{NAME}read"
    for folder in (left, read):
        folder.mkdir()
        (folder / "a.mp4").touch()
    other = temporary / "fervid-something"
    other.mkdir()
    (temporary / f"{NAME}link").symlink_to(other)
    with FolderLock(read) as lock:
        lock.take()
        fetched.sweep()
        assert not left.exists()
        assert (read / "a.mp4").exists()
    assert other.exists()
    shutil.rmtree(read)
    other.rmdir()
    (temporary / f"{NAME}link").unlink()


def test_what_does_not_fit_is_not_fetched(tmp_path, monkeypatch):
    path = clips.clip(tmp_path / "a.mp4")
    place = archived(tmp_path / "x.zip", a=path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(SourceOpenError, match=r"does not fit into .*tmp \(0 of 0 MB\); set TMPDIR"):
        open_source(f"zip://a.mp4::{place}")


def test_no_place_for_copies_is_said(tmp_path, memory, monkeypatch):
    memory("/a.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        with pytest.raises(SourceOpenError, match=r"nowhere cannot be written .* set TMPDIR to a"):
            open_source("memory://a.mp4")


@pytest.mark.parametrize("kept", [False, True])
def test_a_disk_that_is_full_is_no_fault_of_the_network(tmp_path, memory, monkeypatch, kept):
    memory("/a.mp4", b"1234567")
    place = tmp_path / "none/a.mp4" if kept else tmp_path / "a.mp4"
    error = OSError(errno.EACCES if kept else errno.ENOSPC, "as the system says")
    error.filename = str(place) if kept else None

    def full(*_):
        raise error

    monkeypatch.setattr(fsspec.filesystem("memory"), "get_file", full)
    with pytest.raises(
        SourceOpenError, match=r"cannot be written to .* \(as the system says\); set"
    ):
        fetch("memory://a.mp4", place, 7)


def test_a_file_that_breaks_off_is_refused(tmp_path, memory):
    memory("/a.mp4", b"1234567")
    with pytest.raises(
        SourceOpenError, match=r"^memory://a\.mp4 broke off .*\(7 of 9 bytes came\)"
    ):
        fetch("memory://a.mp4", tmp_path / "a.mp4", 9)


def test_without_fsspec_the_extra_is_named_and_the_other_files_go_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    assert expanded("s3://b/*.mp4", "a.mp4") == ["s3://b/*.mp4", "a.mp4"]
    with pytest.raises(
        LibraryMissing, match=r"needs fsspec.* pip install 'fervid\[remote\]'"
    ) as no:
        check_source("s3://b/*.mp4")
    assert no.value.extra == "remote"


def refuse(error):
    with pytest.raises(SourceOpenError) as seen, told("sftp://me:s3cret@h/a.mp4"):
        raise error
    return seen.value


class Answer(Exception):  # noqa: N818 - as aiohttp's
    def __init__(self, status):
        super().__init__("https://me:s3cret@h/a.mp4")
        self.status = status


def by(cause):
    """As fsspec's HTTP raises everything."""
    error = FileNotFoundError("https://me:s3cret@h/a.mp4")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (FileNotFoundError("sftp://me:s3cret@h"), "^There is no file sftp://h/a.mp4; check its"),
        (by(RuntimeError("as botocore's")), "^There is no file sftp://h/a.mp4"),
        (by(TimeoutError()), r"^sftp://h/a.mp4 cannot be reached \(TimeoutError\)"),
        (by(aiohttp.ServerDisconnectedError()), r"reached \(ServerDisconnectedError\)"),
        (by(Answer(404)), "^There is no file sftp://h/a.mp4"),
        (by(Answer(403)), "^sftp://h/a.mp4 may not be read by you; check its permissions"),
        (by(Answer(500)), r"^sftp://h/a.mp4 cannot be reached \(Answer\); check its address"),
        (PermissionError("Forbidden"), "^sftp://h/a.mp4 may not be read by you"),
        (type("NoCredentialsError", (Exception,), {})("s3cret"), "may not be read by you"),
        (ConnectionRefusedError(111, "Connection refused"), r"reached \(Connection refused\); "),
        (RuntimeError("sftp://me:s3cret@h"), r"cannot be reached \(RuntimeError\)"),
        (zipfile.BadZipFile("s3cret"), r"cannot be read \(BadZipFile\); check"),
    ],
)
def test_what_protocols_raise_is_one_sentence_without_secrets(error, says):
    refused = refuse(error)
    assert refused.__suppress_context__
    assert "s3cret" not in str(refused)
    assert re.search(says, str(refused)), refused


def test_a_file_that_has_changed_has_another_stamp(tmp_path, memory):
    memory("/a.mp4", b"one")
    before = stamp("memory://a.mp4")
    assert before == stamp("memory://a.mp4")
    assert before[0] == 3
    memory("/a.mp4", b"two")
    assert stamp("memory://a.mp4") != before
    assert stamp("memory://b.mp4") == (0, 0)


def test_a_list_of_files_and_a_question_for_one_give_one_stamp(monkeypatch):
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    later = noon.astimezone(timezone(timedelta(hours=2)))

    def stamped(**about):
        system = SimpleNamespace(info=lambda _: {"size": 3, **about})
        monkeypatch.setattr("fervid.remote.locate", lambda url: Remote(url, system, "b/a"))
        return stamp("s3://b/a")

    listed = stamped(ETag="x", LastModified=noon, StorageClass="STANDARD")
    assert listed == stamped(ETag="x", LastModified=later)
    assert listed != stamped(ETag="y", LastModified=noon)
    assert stamped(last_modified=noon) == stamped(last_modified=later)
    assert stamped(last_modified=noon) != stamped(last_modified=noon + timedelta(seconds=1))
    assert stamped() == stamped(owner="me")
