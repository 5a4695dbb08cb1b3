"""--resume: what is done stays, what was under way or has changed is analysed again."""

import io
import json
import os
import sys

import numpy as np
import pytest
from rich.console import Console
from skimage.data import astronaut

import fervid
from fervid.config import OutputConfig, RunConfig
from fervid.errors import ConfigError, FervidError
from fervid.lock import FolderLock
from fervid.manifest import Manifest, stamp
from fervid.run import run
from tests import clips
from tests.archive_runs import n_done, results, states
from tests.backends import FakeBackend


class Interrupting(FakeBackend):
    """Ctrl-C is pressed in the call that has its n-th picture; from then on it works."""

    def __init__(self, after):
        super().__init__()
        self._after = after

    def run(self, images, eta, target):
        begun = sum(len(batch) for batch, _, _ in self.seen) + len(images)
        if 0 <= self._after < begun:
            self._after = -1
            raise KeyboardInterrupt
        return super().run(images, eta, target)


@pytest.fixture
def archive(tmp_path):
    portrait = np.ascontiguousarray(astronaut()[:240, :320, ::-1])
    folder = tmp_path / "in"
    for n, name in enumerate(("a/x", "b/x", "b/y", "c"), start=3):
        place = folder / f"{name}.mp4"
        place.parent.mkdir(parents=True, exist_ok=True)
        clips.clip(place, pictures=[portrait] * n, size=(320, 240))
    return folder


def go(archive, out, backend=None, **options):
    """Run over an archive; returns how many pictures the network saw."""
    backend = backend or FakeBackend()
    output = OutputConfig(out=out, **options)
    try:
        fervid.analyse(archive, config=RunConfig(output=output), backend=backend)
    finally:
        backend.seen_images = sum(len(images) for images, _, _ in backend.seen)
    return backend.seen_images


def resume(archive, out, **options):
    return go(archive, out, resume=True, **options)


def test_a_run_that_is_complete_has_nothing_to_do(archive, tmp_path):
    assert go(archive, tmp_path / "r") == 3 + 4 + 5 + 6
    before = results(tmp_path / "r")
    assert resume(archive, tmp_path / "r") == 0
    assert results(tmp_path / "r") == before
    assert set(states(tmp_path / "r").values()) == {"done"}


@pytest.mark.parametrize("after", [0, 7, 17])
def test_after_ctrl_c_the_tables_are_those_of_one_run(archive, tmp_path, after):
    go(archive, tmp_path / "clean")
    with pytest.raises(KeyboardInterrupt):
        go(archive, tmp_path / "r", Interrupting(after))
    ended = np.searchsorted(np.cumsum([6, 3, 4, 5]), after, side="right")  # c comes first
    assert n_done(tmp_path / "r") == ended
    done = [6, 3, 4, 5][:ended]
    assert resume(archive, tmp_path / "r") == 18 - sum(done)
    assert results(tmp_path / "r") == results(tmp_path / "clean")


def test_what_it_returns_and_the_table_are_of_all_files(archive, tmp_path):
    go(archive, tmp_path / "r")
    (tmp_path / "r/c/faces.parquet").unlink()
    config = RunConfig(output=OutputConfig(out=tmp_path / "r", resume=True))
    summaries = fervid.analyse(archive, config=config, backend=FakeBackend())
    assert sorted(s["frames"] for s in summaries) == [3, 4, 5, 6]


def test_a_file_whose_outputs_were_deleted_is_analysed_again(archive, tmp_path):
    go(archive, tmp_path / "r")
    before = results(tmp_path / "r")
    (tmp_path / "r/b/x/annotated.mp4").unlink()
    assert resume(archive, tmp_path / "r") == 4
    assert results(tmp_path / "r") == before


def test_a_table_that_is_cut_off_is_not_complete(archive, tmp_path):
    go(archive, tmp_path / "r")
    table = tmp_path / "r/b/x/faces.parquet"
    table.write_bytes(table.read_bytes()[:-10])
    assert resume(archive, tmp_path / "r") == 4


def test_a_file_that_has_changed_is_analysed_again_and_its_old_outputs_go(archive, tmp_path):
    go(archive, tmp_path / "r", save_crops=True)
    old = tmp_path / "r/b/x/crops/track_000/frame_000777.png"
    old.write_bytes(b"of the file as it was")
    os.utime(archive / "b/x.mp4", ns=(1, 1))
    assert resume(archive, tmp_path / "r", save_crops=True) == 4
    assert not old.exists()
    assert resume(archive, tmp_path / "r", save_crops=True) == 0


def test_it_is_said_what_is_done_and_what_has_changed(archive, tmp_path):
    go(archive, tmp_path / "r")
    os.utime(archive / "b/x.mp4", ns=(1, 1))
    (tmp_path / "r/c/faces.jsonl").unlink()
    said = Console(file=io.StringIO(), width=200)
    config = RunConfig((str(archive),), output=OutputConfig(out=tmp_path / "r", resume=True))
    run(config, stderr=said, stdout=sys.stdout, backend=FakeBackend())
    lines = said.file.getvalue().splitlines()
    changed = f"{archive / 'b/x.mp4'} has changed since it was analysed, and is analysed again."
    assert lines[:2] == [f"fervid: {changed}", "fervid: 2 of 4 files are done; 2 to go."]
    assert "4 sources" in said.file.getvalue()


def test_a_new_file_is_added_and_the_folders_keep_their_names(archive, tmp_path):
    go(archive / "b", tmp_path / "r")
    assert set(states(tmp_path / "r")) == {"x", "y"}
    assert resume(archive, tmp_path / "r") == 3 + 6
    assert set(states(tmp_path / "r")) == {"x", "y", "a/x", "c"}
    clips.clip(archive / "x.mp4", frames=2)  # whose name is taken by then
    resume(archive, tmp_path / "r")
    assert set(states(tmp_path / "r")) == {"x", "y", "a/x", "c", "x-2"}


def test_a_folder_that_is_added_doubles_no_rows(archive, tmp_path):
    go(archive / "b", tmp_path / "r")
    with pytest.raises(ConfigError, match="holds results of an earlier run"):
        go(archive, tmp_path / "r")
    go(archive, tmp_path / "r", overwrite=True)
    assert set(states(tmp_path / "r")) == {"x", "y", "a/x", "c"}
    rows = fervid.read_results(tmp_path / "r")
    assert not rows.duplicated(["source", "frame", "track"]).any()


@pytest.mark.parametrize("named", ["others", "others/x.mp4"])
def test_results_of_another_file_of_that_name_are_not_taken_for_its_own(archive, tmp_path, named):
    (tmp_path / "others").mkdir()
    for name in ("x", "y"):
        clips.clip(tmp_path / f"others/{name}.mp4", frames=2)
    go(archive / "b", tmp_path / "r")
    go(tmp_path / named, tmp_path / "r", overwrite=True)
    with pytest.raises(ConfigError, match=r"x/annotated\.mp4 exists; add --overwrite"):
        resume(archive / "b", tmp_path / "r")
    assert resume(tmp_path / named, tmp_path / "r") == 0


def test_a_broken_file_is_tried_again(archive, tmp_path):
    good = (archive / "b/x.mp4").read_bytes()
    (archive / "b/x.mp4").write_bytes(b"no video")
    with pytest.raises(FervidError, match=r"1 of 4 sources failed; the others are done\."):
        go(archive, tmp_path / "r")
    assert states(tmp_path / "r")["b/x"] == "failed"
    (archive / "b/x.mp4").write_bytes(good)
    assert resume(archive, tmp_path / "r") == 4
    go(archive, tmp_path / "clean")
    assert results(tmp_path / "r") == results(tmp_path / "clean")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"output": {"images": False}}, "images = true, and now it is false"),
        ({"labels": fervid.LabelConfig(smooth_s=2)}, "smooth_s = 0.5, and now it is 2"),
        ({"read": fervid.ReadConfig(end=0.1)}, r"end = none, and now it is 0\.1"),
        ({"per_source": (fervid.config.SourceConfig("c", "door"),)}, r"other \[\[source\]\]"),
    ],
)
def test_another_configuration_is_refused(archive, tmp_path, change, says):
    go(archive, tmp_path / "r")
    before = results(tmp_path / "r")
    output = OutputConfig(out=tmp_path / "r", resume=True, **change.pop("output", {}))
    config = RunConfig(output=output, **change)
    with pytest.raises(ConfigError, match=f"was made with {says}.*--overwrite instead of --resume"):
        fervid.analyse(archive, config=config, backend=FakeBackend())
    assert results(tmp_path / "r") == before


def test_how_work_is_shared_out_is_no_other_configuration(archive, tmp_path):
    go(archive, tmp_path / "r")
    config = RunConfig(
        output=OutputConfig(out=tmp_path / "r", resume=True, queue_mb=8),
        cores=fervid.ThreadConfig(decode_threads=2),
    )
    backend = FakeBackend()
    fervid.analyse(archive, config=config, backend=backend)
    assert not backend.seen


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [("fervid", "0.0.1", "fervid 0.0.1, and this is"), ("model_sha256", "1", "another model")],
)
def test_another_version_or_model_is_refused(archive, tmp_path, key, value, says):
    go(archive, tmp_path / "r")
    path = tmp_path / "r/b/y/summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ConfigError, match=says):
        resume(archive, tmp_path / "r")


def test_without_being_asked_nothing_is_replaced(archive, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go(archive, tmp_path / "r", Interrupting(8))
    journal = (tmp_path / "r/a/x/faces.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="add --resume to go on with it, --overwrite to begin"):
        go(archive, tmp_path / "r")
    assert (tmp_path / "r/a/x/faces.jsonl").read_bytes() == journal
    assert go(archive, tmp_path / "r", overwrite=True) == 18


def test_what_no_run_has_taken_in_hand_is_not_replaced(archive, tmp_path):
    other = tmp_path / "r/b/x/faces.jsonl"
    other.parent.mkdir(parents=True)
    other.write_text("mine\n")
    with pytest.raises(ConfigError, match=r"faces\.jsonl exists; add --overwrite"):
        resume(archive, tmp_path / "r")
    assert other.read_text() == "mine\n"


@pytest.mark.parametrize(
    "content",
    ["", "mine", "[]", '{"fervid_manifest": 2}', '{"fervid_manifest": 1, "files": {"x": 3}}'],
)
def test_somebody_elses_manifest_is_not_replaced(archive, tmp_path, content):
    (tmp_path / "r").mkdir()
    (tmp_path / "r/manifest.json").write_text(content)
    with pytest.raises(ConfigError, match=r"manifest\.json is no manifest of this version"):
        go(archive, tmp_path / "r")
    assert (tmp_path / "r/manifest.json").read_text() == content


@pytest.mark.parametrize("folder", ["/etc", "../other", ""])
def test_a_manifest_leads_nowhere_else(archive, tmp_path, folder):
    entry = {"folder": folder, "size": 1, "mtime_ns": 1, "state": "planned"}
    files = {str(archive / "c.mp4"): entry}
    (tmp_path / "r").mkdir()
    (tmp_path / "r/manifest.json").write_text(json.dumps({"fervid_manifest": 1, "files": files}))
    with pytest.raises(ConfigError, match="is no manifest"):
        resume(archive, tmp_path / "r")


def test_one_run_at_a_time(archive, tmp_path):
    go(archive, tmp_path / "r")
    with FolderLock(tmp_path / "r") as lock:
        lock.take()
        with pytest.raises(ConfigError, match="Another fervid is at work"):
            resume(archive, tmp_path / "r")
    assert resume(archive, tmp_path / "r") == 0


def test_a_manifest_that_cannot_be_written_ends_the_run(archive, tmp_path):
    (tmp_path / "r/manifest.json.part").mkdir(parents=True)
    with pytest.raises(fervid.SinkError, match=r"manifest\.json cannot be written"):
        go(archive, tmp_path / "r")


def test_one_file_and_streams_leave_no_manifest(archive, tmp_path):
    go(archive / "c.mp4", tmp_path / "r")
    assert not (tmp_path / "r/manifest.json").exists()
    resume(archive / "c.mp4", tmp_path / "one")
    assert resume(archive / "c.mp4", tmp_path / "one") == 0


def test_the_stamp_of_a_sequence_is_that_of_its_pictures(tmp_path):
    for n in range(3):
        (tmp_path / f"f_{n}.png").write_bytes(b"123")
        os.utime(tmp_path / f"f_{n}.png", ns=(5, 5 + n))
    assert stamp(str(tmp_path)) == stamp(str(tmp_path / "f_%d.png")) == (9, 7)
    assert stamp(str(tmp_path / "no.mp4")) == (0, 0)


def test_the_manifest_is_whole_at_any_moment(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path)
    manifest.begin({"a.mp4": "a"})
    before = (tmp_path / "manifest.json").read_bytes()

    def no_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_disk)
    with pytest.raises(fervid.SinkError, match="No space left"):
        manifest.conclude("a.mp4", done=True)
    assert (tmp_path / "manifest.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]
