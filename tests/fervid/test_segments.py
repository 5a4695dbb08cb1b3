"""Segments of results made by hand: where they are cut, what each holds, what is removed."""

import io
import json
import logging
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest

from fervid.config import OutputConfig, RunConfig, SegmentConfig
from fervid.errors import ConfigError, SinkError
from fervid.link import LinkEvent
from fervid.lock import FolderLock
from fervid.outputs import plan
from fervid.records import Frame, Timings
from fervid.recover import recover
from fervid.results import read_results
from fervid.retention import Retention
from fervid.segment_folder import (
    is_being_written,
    make_segment,
    own_files,
    read_segment,
    remove_segment,
    segment_name,
    size_of,
    write_manifest,
)
from fervid.segments import Segments, next_boundary
from fervid.sinks.jsonl import read_journal
from fervid.writing import RunOutputs
from tests.places import ROOT
from tests.results import face, header, put, result

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def folders(place):
    return sorted(p.name for p in place.iterdir())


def frames_in(folder):
    return [line["frame"] for line in read_journal(folder / "faces.jsonl") if "faces" in line]


class Clock:
    """A calendar that a test sets."""

    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        return self.now


def cutter(place, *, live=False, length="1s", now=None, retention=None, **output):
    segments = SegmentConfig(segment=length)
    config = RunConfig(
        output=OutputConfig(out=place.parent, images=False, **output), segments=segments
    )
    head = header()
    head = replace(head, source=replace(head.source, live=live))
    now = now or Clock()
    return Segments(place, head, config, retention or Retention([place], segments, now), {}, now)


def finish(sink, error=None):
    sink.close()
    sink.close()
    sink.conclude(error)


@pytest.mark.parametrize(
    ("video_s", "expected"),
    [
        (None, "20260131T120000.040Z"),
        (0.0, "20260131T120000.040Z_00h00m00s"),
        (3725.9, "20260131T120000.040Z_01h02m05s"),
        (360_000.0, "20260131T120000.040Z_100h00m00s"),
    ],
)
def test_names(video_s, expected):
    begun = (NOON + timedelta(milliseconds=40.9)).astimezone()
    assert segment_name(begun, video_s) == expected


def test_boundaries():
    assert next_boundary(7.0, 10, 1) == 10
    assert next_boundary(8.9999, 10, 1) == 10
    assert next_boundary(9.5, 10, 1) == 20  # not one of half a second
    assert next_boundary(10.0, 10, 1e-6) == 20
    assert next_boundary(9.9999999, 10, 1e-6) == 20


def test_a_recording_is_cut_by_its_own_time(tmp_path):
    sink = cutter(tmp_path / "clip")
    for n in range(60):  # 2.4 s of 25 frames a second
        put(sink, result(n, face()))
    finish(sink)
    found = [tmp_path / "clip" / name for name in folders(tmp_path / "clip")]
    assert [f.name.partition("_")[2] for f in found] == ["00h00m00s", "00h00m01s", "00h00m02s"]
    assert [frames_in(f) for f in found] == [
        list(range(25)),
        list(range(25, 50)),
        list(range(50, 60)),
    ]
    for folder, rows in zip(found, (25, 25, 10), strict=True):
        summary = json.loads((folder / "summary.json").read_text())
        assert (summary["frames"], summary["error"]) == (rows, None)
        assert pq.read_table(folder / "faces.parquet").num_rows == rows
        assert (folder / "report.html").stat().st_size > 1000
        assert read_segment(folder).ended is not None
    starts = [next(read_journal(f / "faces.jsonl"))["source"]["start_s"] for f in found]
    assert starts == [0, 1, 2]


def live(n, at, clock, *, late_ms=0.0):
    """A frame at `at` seconds of a source that began at noon, written `late_ms` later."""
    clock.now = NOON + timedelta(seconds=at, milliseconds=late_ms)
    return replace(result(n, face(), time_s=at), timings=Timings())


def test_a_live_source_is_cut_by_the_wall_clock(tmp_path):
    clock = Clock()
    sink = cutter(tmp_path / "cam", live=True, length="10s", now=clock)
    for n, at in enumerate([7.0, 9.9, 10.04, 19.99, 20.0, 55.0, 59.5, 60.0]):
        put(sink, live(n, at, clock))
    finish(sink)
    expected = {
        "20260131T120007.000Z": [0, 1],
        "20260131T120010.040Z": [2, 3],
        "20260131T120020.000Z": [4],
        "20260131T120055.000Z": [5, 6],
        "20260131T120100.000Z": [7],
    }
    assert {f: frames_in(tmp_path / "cam" / f) for f in folders(tmp_path / "cam")} == expected


def test_a_slow_writer_makes_no_segment_of_one_frame(tmp_path):
    clock = Clock()
    sink = cutter(tmp_path / "cam", live=True, length="10s", now=clock)
    # The first was written late: by its calendar 9.75 is 10.05, by the next one's it is 9.75.
    for n, (at, late_ms) in enumerate([(5.0, 300), (9.75, 0), (9.79, 0), (9.99, 0), (10.03, 0)]):
        put(sink, live(n, at, clock, late_ms=late_ms))
    finish(sink)
    place = tmp_path / "cam"
    assert [frames_in(place / f) for f in folders(place)] == [[0], [1, 2, 3, 4]]


def test_a_clock_that_is_set_right_holds_from_the_next_segment(tmp_path):
    clock = Clock(datetime(1970, 1, 1, tzinfo=UTC))
    sink = cutter(tmp_path / "cam", live=True, length="10s", now=clock)
    put(sink, replace(result(0, time_s=0.0), timings=Timings()))
    put(sink, live(1, 30.0, clock))
    finish(sink)
    first, second = folders(tmp_path / "cam")
    assert first.startswith("19700101T000000")
    assert second.startswith("20260131T120030")


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    first, second, third = (make_segment(tmp_path, NOON) for _ in range(3))
    assert first.folder.name + "-2" == second.folder.name
    assert first.folder.name + "-3" == third.folder.name
    assert read_segment(third.folder) == third


def test_events_lie_in_the_segment_of_their_time(tmp_path):
    clock = Clock()
    sink = cutter(tmp_path / "cam", live=True, length="10s", now=clock)
    sink.note(LinkEvent("offline", 0.5, NOON, "before the first frame", 0, 0.0, 0))
    put(sink, live(0, 1.0, clock))
    put(sink, live(1, 12.0, clock))
    sink.note(LinkEvent("offline", 12.5, NOON, "gone", 0, 0.0, 0))
    finish(sink)
    events = [
        [line["cause"] for line in read_journal(f / "faces.jsonl") if "event" in line]
        for f in sorted((tmp_path / "cam").iterdir())
    ]
    assert events == [["before the first frame"], ["gone"]]


def test_the_end_of_a_run_is_said_in_its_last_segment(tmp_path):
    sink = cutter(tmp_path / "clip")
    for n in range(30):
        put(sink, result(n))
    finish(sink, "it broke")
    said = [
        json.loads((f / "summary.json").read_text())["error"]
        for f in sorted((tmp_path / "clip").iterdir())
    ]
    assert said == [None, "it broke"]


def test_a_file_that_is_taken_away_stops_the_run(tmp_path):
    sink = cutter(tmp_path / "clip")
    put(sink, result(0))
    (folder,) = (tmp_path / "clip").iterdir()
    (folder / "faces.jsonl").unlink()
    with pytest.raises(SinkError, match=r"faces\.jsonl was deleted or moved while it was written"):
        put(sink, result(1))
    finish(sink)


def test_the_end_of_a_run_keeps_to_the_limit_too_and_the_newest_segment(tmp_path):
    place, clock = tmp_path / "clip", Clock()
    retention = Retention([place], SegmentConfig(segment="1s", max_disk="1kB"), clock)
    sink = cutter(place, now=clock, retention=retention)
    for n in range(30):
        put(sink, result(n, face()))
    assert len(folders(place)) == 2  # the first one is protected while it is completed
    finish(sink)
    (last,) = folders(place)
    assert last.endswith("_00h00m01s")
    assert size_of(read_segment(place / last)) > 1000


def test_the_whole_run_opens_nothing_but_segments(tmp_path):
    output = OutputConfig(out=tmp_path, images=False)
    config = RunConfig(("a.mp4",), quiet=True, output=output, segments=SegmentConfig(segment="1s"))
    for _ in range(2):  # the second time as after a restart
        (target,) = targets = plan(config, config.sources)
        with RunOutputs(config, targets, None, io.StringIO()) as outputs:
            with outputs.sinks(target, header()) as sinks:
                assert any(sink.wants_maps for sink in sinks if hasattr(sink, "wants_maps"))
                for n in range(30):
                    for sink in sinks:
                        put(sink, result(n, face()))
            outputs.add(target, {"error": None, "source": "a.mp4", "frames": 30})
    assert folders(tmp_path) == ["a"]
    assert len(folders(tmp_path / "a")) == 4
    frame = read_results(tmp_path)
    assert len(frame) == 60
    assert recover(tmp_path, lambda: NOON.timestamp() + 1e9) == []  # no table of all of them
    assert folders(tmp_path) == ["a"]


def test_no_images_tells_of_segments_that_show_faces(tmp_path, caplog):
    output = OutputConfig(out=tmp_path, images=False)
    config = RunConfig(("a.mp4",), output=output, segments=SegmentConfig(segment="1s"))
    plan(config, config.sources)
    made = segment(tmp_path / "a", 60)
    plan(config, config.sources)
    assert caplog.text == ""
    (made.folder / "annotated.mp4").touch()
    plan(config, config.sources)
    assert f"{tmp_path / 'a'} is of an earlier run, shows faces, and is left" in caplog.text


def segment(place, age_s, size=1000, *, ended=True):
    """A segment that an earlier run wrote."""
    made = make_segment(place, NOON - timedelta(seconds=age_s))
    (made.folder / "faces.jsonl").write_bytes(b"x" * size)
    if ended:
        write_manifest(replace(made, ended=made.begun + timedelta(seconds=10)))
    return read_segment(made.folder)


def enforce(place, *more, **options):
    retention = Retention([place, *more], SegmentConfig(segment="10s", **options), Clock())
    retention.enforce()
    return retention


def test_old_segments_are_removed_by_their_end(tmp_path):
    for age_s in (3700, 3611, 3609, 60):
        segment(tmp_path, age_s)
    enforce(tmp_path, keep="1h")
    assert [read_segment(f).begun for f in sorted(tmp_path.iterdir())] == [
        NOON - timedelta(seconds=s) for s in (3609, 60)
    ]


def test_the_oldest_go_first_over_all_sources_until_the_rest_is_small_enough(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    ages = {
        place: [segment(place, s, 10_000) for s in a]
        for place, a in ((one, (50, 30)), (two, (60, 20)))
    }
    of_all = [s for place in ages.values() for s in place]
    limit = sum(map(size_of, of_all)) - 10_000
    enforce(one, two, max_disk=f"{limit}B")
    assert [s.folder.exists() for s in of_all] == [True, True, False, True]
    enforce(one, two, max_disk="21kB")
    assert [s.folder.exists() for s in of_all] == [False, True, False, True]


def test_what_grows_meanwhile_counts_and_is_never_removed(tmp_path, caplog):
    old, current = segment(tmp_path, 60, 1000), segment(tmp_path, 30, 1000, ended=False)
    retention = Retention(
        [tmp_path], SegmentConfig(segment="10s", max_disk="5kB"), Clock(), lambda: 0
    )
    lock = FolderLock(current.folder)
    lock.take()
    with lock:
        retention.enforce()
        assert old.folder.exists()
        (current.folder / "annotated.mp4").write_bytes(b"x" * 10_000)
        retention.look()  # a moment after the last time
        assert old.folder.exists()
        with caplog.at_level(logging.WARNING):
            retention.enforce()
            retention.enforce()
        assert (old.folder.exists(), current.folder.exists()) == (False, True)
        assert caplog.text.count("The segments take more than --max-disk 5kB") == 1
    retention.enforce()
    assert not current.folder.exists()  # of a run that was killed


def test_another_process_keeps_its_segment_by_the_lock(tmp_path):
    made = segment(tmp_path, 7200, ended=False)
    assert not is_being_written(made)
    lock = FolderLock(made.folder)
    lock.take()
    with lock:
        assert is_being_written(made)
        enforce(tmp_path, keep="1h")
    assert made.folder.exists()


def test_without_locks_a_segment_without_end_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(FolderLock, "take", lambda self: None)
    ended, open_ = segment(tmp_path, 7200), segment(tmp_path, 7200, ended=False)
    enforce(tmp_path, keep="1h")
    assert (ended.folder.exists(), open_.folder.exists()) == (False, True)


def test_what_is_not_of_fervid_stays(tmp_path):
    place, elsewhere = tmp_path / "cam", tmp_path / "elsewhere"
    old = segment(place, 7200)
    (old.folder / "notes.txt").write_text("mine")
    (old.folder / "annotated.mp4").symlink_to(tmp_path / "film.mp4")
    (tmp_path / "film.mp4").write_text("mine")
    elsewhere.mkdir()
    outside = segment(elsewhere, 7200)
    kept = [
        place / "20200101T000000.000Z",  # a name like ours, no manifest
        place / "holiday",
        place / f"{outside.folder.name}-7",  # a copy under another name
    ]
    for folder in kept:
        folder.mkdir()
        (folder / "faces.jsonl").write_text("mine")
    (kept[2] / "segment.json").write_bytes((outside.folder / "segment.json").read_bytes())
    (place / "20210101T000000.000Z").write_text("a file")
    (place / outside.folder.with_name("20190101T000000.000Z").name).symlink_to(outside.folder)
    (place / "link").symlink_to(outside.folder)
    enforce(place, keep="1h", max_disk="1B")
    assert folders(old.folder) == ["annotated.mp4", "notes.txt"]
    assert all((folder / "faces.jsonl").read_text() == "mine" for folder in kept)
    assert (tmp_path / "film.mp4").read_text() == "mine"
    assert (outside.folder / "faces.jsonl").exists()
    assert (place / "link").is_symlink()
    assert (place / "20210101T000000.000Z").read_text() == "a file"


def test_links_out_of_a_segment_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    (outside / "track_000").mkdir(parents=True)
    picture = outside / "track_000" / "frame_000001.png"
    picture.write_text("mine")
    made = segment(tmp_path / "cam", 7200)
    (made.folder / "crops").symlink_to(outside)
    other = segment(tmp_path / "cam", 7300)
    (other.folder / "crops").mkdir()
    (other.folder / "crops" / "track_000").symlink_to(outside / "track_000")
    enforce(tmp_path / "cam", keep="1h")
    assert picture.read_text() == "mine"
    assert folders(made.folder) == folders(other.folder) == ["crops"]


def test_a_segments_own_crops_go_with_it(tmp_path):
    made = segment(tmp_path, 7200)
    crop = made.folder / "crops" / "track_000" / "frame_000001.png"
    crop.parent.mkdir(parents=True)
    crop.write_bytes(b"x" * 500)
    assert size_of(made) > 1500
    assert crop in list(own_files(made))
    remove_segment(made)
    assert not made.folder.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"fervid_segment": 2},
        {"name": "other"},
        {"begun": "2026-01-31T12:00:00"},
        {"begun": 7},
        {"begun": None},
        {"ended": "soon"},
    ],
)
def test_a_manifest_that_says_something_else_is_no_segments(tmp_path, change):
    made = make_segment(tmp_path, NOON)
    assert read_segment(made.folder) == made
    manifest = made.folder / "segment.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    assert read_segment(made.folder) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", "7", "null"])
def test_what_is_no_manifest_is_no_segments(tmp_path, content):
    made = make_segment(tmp_path, NOON)
    (made.folder / "segment.json").write_text(content)
    assert read_segment(made.folder) is None


def test_what_cannot_be_removed_is_told_once(tmp_path, caplog, monkeypatch):
    stuck, old = segment(tmp_path, 7300), segment(tmp_path, 7200)

    def refuse(made):
        if made.folder == stuck.folder:
            raise PermissionError(13, "Permission denied")
        remove_segment(made)

    monkeypatch.setattr("fervid.retention.remove_segment", refuse)
    retention = enforce(tmp_path, keep="1h")
    retention.enforce()
    assert (stuck.folder.exists(), old.folder.exists()) == (True, False)
    assert caplog.text.count("cannot be removed: Permission denied") == 1


def test_a_lock_says_whether_it_is_held(tmp_path):
    lock = FolderLock(tmp_path)
    assert not lock.held
    lock.take()
    assert lock.held
    with pytest.raises(ConfigError):
        FolderLock(tmp_path).take()
    lock.close()
    assert not lock.held


def test_pictures_are_wanted_only_where_they_may_be_written(tmp_path):
    sink = cutter(tmp_path / "a")
    assert not sink.wants_pixels
    frame = Frame(0, 0.0, np.zeros((48, 64, 3), np.uint8))
    sink.write(frame, result(0), None)
    finish(sink)
    (folder,) = (tmp_path / "a").iterdir()
    assert "annotated.mp4" not in folders(folder)


def test_nothing_is_imported_at_a_cut(tmp_path):
    """An import in the middle of a live source costs its pictures."""
    code = f"""
import sys
from pathlib import Path
import fervid.sinks.video
from tests.fervid.test_segments import cutter, face, put, result
sink = cutter(Path({str(tmp_path)!r}) / "clip")
put(sink, result(0, face()))
before = set(sys.modules)
for n in range(1, 30):
    put(sink, result(n, face()))
late = {{name.split(".")[0] for name in set(sys.modules) - before}}
print(sorted(late - {{"importlib"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
