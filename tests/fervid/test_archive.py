"""all.parquet, clips.csv and the table at the end of a run."""

import csv
import dataclasses
import io
import json
import os
import sys
import time
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from fervid.clips import FIRST, clip_row, is_foreign, read_clips, write_clips
from fervid.errors import ConfigError, SinkError
from fervid.interrupt import Terminated
from fervid.link import LinkEvent
from fervid.recover import recover
from fervid.results import read_results
from fervid.stats import RunStats
from tests.archives import write_run
from tests.results import face, result

CLIPS = {"a/x.mp4": 5, "b/x.mp4": 3, "c.mp4": 4}


def clips(out):
    with (out / "clips.csv").open(newline="", encoding="utf-8") as file:
        return {row["folder"]: row for row in csv.DictReader(file)}


def rows(out):
    return pq.read_table(out / "all.parquet")


def sources(out):
    return sorted(set(rows(out)["source"].to_pylist()))


def test_all_rows_of_all_clips_are_in_one_table(tmp_path):
    out = write_run(tmp_path / "r", CLIPS)
    table = rows(out)
    assert table.num_rows == 2 * sum(CLIPS.values())
    assert sources(out) == sorted(CLIPS)
    one = pq.read_table(out / "a" / "x" / "faces.parquet")
    assert table.schema.equals(one.schema)
    assert table.slice(0, one.num_rows).equals(one)
    about = json.loads(table.schema.metadata[b"fervid"])
    assert about["folders"] == ["a/x", "b/x", "c"]
    assert [h["source"]["uri"] for h in about["sources"]] == list(CLIPS)
    assert not list(out.glob("*.part"))


def test_a_row_a_clip(tmp_path):
    row = clips(write_run(tmp_path / "r", CLIPS))["b/x"]
    expected = {"source": "b/x.mp4", "frames": "3", "faces": "6", "tracks": "2"}
    expected |= {"duration_s": "0.08", "label_happy": "0.5", "label_angry": "0.5"}
    expected |= {"label_neutral": "0.0", "uncertain": "0.5", "noise_clean": "1.0"}
    expected |= {"noise_gaussian": "0.0", "filter": "none", "damaged": "0", "error": ""}
    assert {name: row[name] for name in expected} == expected
    assert float(row["fps"]) > 0


def test_lost_frames_are_told_by_cause():
    stats = RunStats(iter(range(100)).__next__, lambda: 1.0)
    stats.observe(dataclasses.replace(result(0, face()), dropped=4))
    now = datetime.now(UTC)
    stats.note(LinkEvent("offline", 1.0, now, "unplugged"))
    stats.note(LinkEvent("online", 4.0, now, "unplugged", attempts=2, offline_s=3.0, missed=75))
    row = clip_row("door", stats.summary())
    assert (row["dropped"], row["drops_late"], row["drops_offline"]) == (4, 4, 75)
    other = clip_row("file", RunStats(lambda: 0.0).summary())
    assert (other["drops_late"], other["drops_offline"]) == (0, 0)


def test_a_table_of_an_older_version_is_read(tmp_path):
    old = ",".join((*FIRST, "label_happy", "noise_clean", "filter", "fps", "damaged", "error"))
    (tmp_path / "clips.csv").write_text(f"{old}\na,a.mp4,3,2,1.0,3,3,1,0.0,1.0,1.0,none,9,0,\n")
    assert not is_foreign(tmp_path / "clips.csv")
    (row,) = read_clips(tmp_path / "clips.csv")
    write_clips(tmp_path / "clips.csv", [row])
    again = clips(tmp_path)["a"]
    assert (again["dropped"], again["drops_late"], again["drops_offline"]) == ("2", "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_clip_whose_name_is_no_text_is_one_like_others(tmp_path):
    clip = os.fsdecode(b"\xff.mp4")
    out = write_run(tmp_path / os.fsdecode(b"\xfe"), {clip: 2, "b.mp4": 3})
    write_run(out, {"c.mp4": 4})
    assert list(clips(out)) == ["\\udcff", "b", "c"]
    with (out / "all.parquet").open("rb") as file:
        assert pq.read_table(file).num_rows == 2 * (2 + 3 + 4)
    assert len(read_results(out)) == 2 * (2 + 3 + 4)
    assert recover(out, lambda: time.time() + 100) == []


def test_a_column_that_somebody_added_is_no_obstacle(tmp_path):
    out = write_run(tmp_path / "r", {"a.mp4": 2, "b.mp4": 2}, failing=["b.mp4"])
    first, *others = (out / "clips.csv").read_text().splitlines()
    (out / "clips.csv").write_text("\n".join([f"{first},note", *(f"{o},mine,too" for o in others)]))
    write_run(out, {"c.mp4": 2})
    found = {name: row["error"] for name, row in clips(out).items()}
    assert found == {"a": "", "b": "b.mp4 is broken", "c": ""}


def test_a_clip_that_fails_takes_nothing_from_the_others(tmp_path):
    out = write_run(tmp_path / "r", CLIPS, failing=["b/x.mp4"])
    assert sources(out) == ["a/x.mp4", "c.mp4"]
    row = clips(out)["b/x"]
    assert (row["source"], row["frames"], row["error"]) == ("b/x.mp4", "", "b/x.mp4 is broken")


def test_a_later_run_adds_to_the_tables_and_a_repeated_one_renews_them(tmp_path):
    out = write_run(tmp_path / "r", {"a.mp4": 5, "b.mp4": 3}, failing=["b.mp4"])
    write_run(out, {"c.mp4": 2})  # one clip alone: the tables are there, so they go on
    assert sources(out) == ["a.mp4", "c.mp4"]
    write_run(out, {"a.mp4": 1, "b.mp4": 2})
    assert rows(out).num_rows == 2 * (1 + 2 + 2)
    assert {name: row["error"] for name, row in clips(out).items()} == {"a": "", "b": "", "c": ""}


def test_one_clip_has_no_tables_of_clips(tmp_path):
    out = write_run(tmp_path / "r", {"a.mp4": 2})
    assert sorted(p.name for p in out.iterdir()) == ["a"]


def test_an_earlier_model_with_other_classes_is_no_obstacle(tmp_path):
    out = write_run(tmp_path / "r", {"a.mp4": 2, "b.mp4": 2})
    write_run(out, {"c.mp4": 2}, classes=("happy", "angry", "bored"))
    table = rows(out)
    assert "p_neutral" in table.column_names
    assert table["p_bored"].null_count == 8
    assert table["p_neutral"].null_count == 4
    assert clips(out)["c"]["label_neutral"] == ""


def test_an_unfinished_table_is_left_out(tmp_path):
    out = write_run(tmp_path / "r", {"a.mp4": 2, "b.mp4": 2})
    table = out / "b" / "faces.parquet"
    table.write_bytes(table.read_bytes()[:-20])
    write_run(out, {"c.mp4": 2})
    assert sources(out) == ["a.mp4", "c.mp4"]


@pytest.mark.parametrize("name", ["all.parquet", "clips.csv"])
def test_somebody_elses_file_is_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("my own figures\n")
    with pytest.raises(ConfigError, match="is not of fervid"):
        write_run(tmp_path, {"a.mp4": 2, "b.mp4": 2})
    assert (tmp_path / name).read_text() == "my own figures\n"


def test_tables_that_cannot_be_written_are_an_error(tmp_path):
    (tmp_path / "all.parquet.part").mkdir()
    with pytest.raises(SinkError, match=r"all\.parquet cannot be written"):
        write_run(tmp_path, {"a.mp4": 2, "b.mp4": 2})
    assert (tmp_path / "a" / "faces.parquet").exists()


@pytest.mark.parametrize("end", [KeyboardInterrupt(), Terminated()])
@pytest.mark.parametrize("before", [True, False])
def test_an_early_end_leaves_a_large_table_to_a_later_run(
    tmp_path, monkeypatch, caplog, end, before
):
    """It would take longer than the 2 s that an end may."""
    if before:
        write_run(tmp_path, {"a.mp4": 2, "b.mp4": 2})
    for most, left in ((2 * sum(CLIPS.values()) + 8 * before, False), (7, True)):
        monkeypatch.setattr("fervid.ledger.HASTE_ROWS", most)
        (tmp_path / "all.parquet").unlink() if not before and left else None
        with pytest.raises(KeyboardInterrupt):
            write_run(tmp_path, CLIPS | {f"d{most}.mp4": 0}, end=end)
        assert ("is not made anew" in caplog.text) is left
        assert set(clips(tmp_path)) >= {"a/x", "b/x", "c", f"d{most}"}
    assert (tmp_path / "all.parquet").exists() is before
    recover(tmp_path, lambda: time.time() + 60)
    assert rows(tmp_path).num_rows == 2 * sum(CLIPS.values()) + 8 * before


def test_the_table_fits_a_terminal_and_names_every_clip(tmp_path):
    console = Console(file=io.StringIO(), width=80)
    runs = {"archive/of/clip_01.mp4": 3, "b.mp4": 2, "c.mp4": 1}
    write_run(tmp_path / "r", runs, failing=["c.mp4"], console=console)
    said = console.file.getvalue()
    assert "3 sources, 1 failed" in said
    assert max(map(len, said.splitlines())) <= 80
    words = {line.split()[0]: line.split() for line in said.splitlines() if line.strip()}
    assert words["b"][:6] == ["b", "2", "4", "angry", "50%", "50%"]
    assert words["c"] == ["c", "failed"]
    assert words["archive/of/clip_01"][1] == "3"
    assert words["all"][1] == "5"
    assert f"results:{tmp_path / 'r'}" in "".join(said.split())  # a long path is folded


def test_a_shared_table_can_stand_beside_the_folders(tmp_path):
    out = write_run(tmp_path / "r", {"a.mp4": 2, "b.mp4": 2}, parquet=tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").equals(rows(out))
