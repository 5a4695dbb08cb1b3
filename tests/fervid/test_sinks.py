import csv
import io
import json
import os
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fervid.errors import SinkError
from fervid.outputs import FOLDERS
from fervid.records import Frame, SourceInfo
from fervid.replay import replay, replayed_summary
from fervid.sinks import SINKS, Calendar
from fervid.sinks.jsonl import JsonlSink, read_events, read_frames, read_journal
from fervid.sinks.parquet import ParquetSink, parquet_from_journal
from fervid.sinks.rows import CsvSink, columns, recorded_event, rows
from fervid.sinks.tables import read_tables
from fervid.sinks.video import VideoSink
from tests import clips
from tests.sinks import CLASSES, OFFLINE, ONLINE, STARTED, header, live, result, run

COLUMNS = [
    *("schema", "source", "frame", "time_s", "utc", "dropped"),
    *("noise_kind", "noise_sigma", "noise_impulse", "noise_speckle", "severity"),
    *("blocking", "blur", "darkness", "filter"),
    *("track", "x0", "y0", "x1", "y1", "score", "face_px", "eta"),
    *("label", "confidence", "uncertain", "reasons"),
    *("p_angry", "p_happy", "p_neutral", "s_angry", "s_happy", "s_neutral"),
]


# --- rows -----------------------------------------------------------------------------------


def test_rows_are_exactly_the_schema():
    (row,) = rows(header(), result(index=7))
    assert list(row) == COLUMNS == list(columns(CLASSES))
    assert row["schema"] == 1
    assert (row["source"], row["frame"], row["time_s"]) == ("a b.mp4", 7, 0.28)
    assert (row["utc"], row["dropped"], row["filter"]) == (None, 3, "gaussian")
    assert (row["noise_kind"], row["noise_sigma"], row["severity"]) == ("gaussian", 0.125, 0.12)
    assert (row["blocking"], row["blur"], row["darkness"]) == (0.25, 0.5, 0.75)
    assert [row[name] for name in ("x0", "y0", "x1", "y1", "face_px")] == [10, 20, 40.5, 60, 30.5]
    assert (row["label"], row["confidence"], row["p_happy"]) == ("happy", 0.5, 0.7)
    assert (row["uncertain"], row["reasons"], row["eta"]) == (True, "small+dark", 0.03125)


def test_a_frame_without_faces_has_no_row_and_one_with_three_has_three():
    assert rows(header(), result(faces=0)) == []
    assert [row["track"] for row in rows(header(), result(faces=3))] == [0, 1, 2]


def test_live_rows_have_the_calendar_time():
    (row,) = rows(live(), result(time_s=61.5), STARTED)
    assert row["utc"] == "2026-05-04T12:01:01.500Z"


# --- text -----------------------------------------------------------------------------------


def test_journal_has_a_header_and_a_line_for_every_frame(tmp_path):
    path = tmp_path / "faces.jsonl"
    sink = JsonlSink(path, header())
    sink.write(Frame(0, 0, clips.picture(0)), result(0), None)
    first, second = path.read_text().splitlines()  # flushed before it is closed
    sink.close()
    assert json.loads(first) == {
        "schema": 1,
        "fervid": "0.1.0",
        "source": {
            "uri": "a b.mp4",
            "label": "a b.mp4",
            "width": 64,
            "height": 48,
            "live": False,
            "rate": "25",
            "n_frames": 12,
            "duration_s": 0.48,
            "has_audio": False,
            "codec": "",
            "start_s": 0.0,
            "roi": None,
            "mirrored": False,
        },
        "model": "tiny",
        "model_sha256": "ab12",
        "device": "cpu",
        "classes": list(CLASSES),
        "config": {"cam": "adaptive"},
    }
    frame = json.loads(second)
    assert (frame["frame"], frame["dropped"], "utc" in frame) == (0, 3, False)
    assert frame["faces"][0]["reasons"] == ["small", "dark"]
    assert frame["faces"][0]["p"] == {"angry": 0.1, "happy": 0.7, "neutral": 0.2}


def test_journal_keeps_frames_without_faces(tmp_path):
    path = tmp_path / "faces.jsonl"
    run(JsonlSink(path, header()), [result(0, faces=0), result(1, faces=2)])
    lines = list(read_journal(path))
    assert [len(line["faces"]) for line in lines[1:]] == [0, 2]


def test_names_that_are_not_text_are_written_all_the_same(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    odd = header(SourceInfo(name, name, 64, 48, False))
    for kind in (JsonlSink, CsvSink, ParquetSink):
        run(kind(tmp_path / kind.__name__, odd), [result(0)])
    assert "caf" in (tmp_path / "CsvSink").read_text()


@pytest.mark.parametrize("kind", [JsonlSink, CsvSink])
def test_text_can_go_to_a_stream_that_stays_open(kind):
    stream = io.StringIO()
    run(kind(None, live(), stream=stream), [result(0), result(1)])
    assert len(stream.getvalue().splitlines()) == 3
    assert "2026-05-04T12:00:00.040Z" in stream.getvalue()


def test_a_stream_that_cannot_hold_a_name_is_an_error_with_a_way_out():
    odd = header(SourceInfo("日本.mp4", "日本.mp4", 64, 48, False))
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    sink = CsvSink(None, odd, stream=narrow)
    with pytest.raises(SinkError, match="PYTHONIOENCODING=utf-8"):
        sink.write(Frame(0, 0, clips.picture(0)), result(0), None)
    sink.close()
    run(JsonlSink(None, odd, stream=narrow), [result(0)])  # JSON is ASCII
    assert not narrow.closed


def test_the_first_frame_written_says_when_a_live_run_began(tmp_path):
    moments = [STARTED + timedelta(seconds=n) for n in (10, 20, 30)]
    head = header(live().source, calendar=Calendar(iter(moments).__next__))
    kinds = {kind: kind(tmp_path / kind.__name__, head) for kind in (JsonlSink, CsvSink)}
    kinds[ParquetSink] = ParquetSink(tmp_path / "ParquetSink", head)
    for item in (result(5, time_s=1.0, took_ms=500.0), result(6, time_s=2.0, took_ms=90.0)):
        for sink in kinds.values():
            sink.write(Frame(item.index, item.time_s, clips.picture(0)), item, None)
    for sink in kinds.values():
        sink.close()
    # 10 s by the clock, when the frame of 1 s had been worked on for .5 s.
    expected = [f"2026-05-04T12:00:{s}.500Z" for s in ("09", "10")]
    frames = list(read_journal(tmp_path / "JsonlSink"))[1:]
    assert [frame["utc"] for frame in frames] == expected
    with (tmp_path / "CsvSink").open(newline="", encoding="utf-8") as file:
        assert [row["utc"] for row in csv.DictReader(file)] == expected
    utc = pq.read_table(tmp_path / "ParquetSink")["utc"].to_pylist()
    assert utc == [datetime.fromisoformat(text) for text in expected]


def test_what_a_frame_waits_for_does_not_move_the_calendar(tmp_path):
    moments = [STARTED + timedelta(seconds=n) for n in (10, 20)]
    head = header(live().source, calendar=Calendar(iter(moments).__next__))
    head.calendar.see(1.0)  # read at 10 s, analysed and written when it may
    head.calendar.see(2.0)
    sink = JsonlSink(tmp_path / "a.jsonl", head)
    item = result(5, time_s=2.0, took_ms=500.0)
    sink.write(Frame(5, 2.0, clips.picture(0)), item, None)
    sink.close()
    (frame,) = list(read_journal(tmp_path / "a.jsonl"))[1:]
    assert frame["utc"] == "2026-05-04T12:00:11.000Z"


def test_csv_reads_back(tmp_path):
    path = tmp_path / "faces.csv"
    run(CsvSink(path, header()), [result(0), result(1, faces=0), result(2, 2, reasons=())])
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == COLUMNS
    assert [row["frame"] for row in table] == ["0", "2", "2"]
    assert (table[0]["reasons"], table[0]["uncertain"], table[0]["utc"]) == (
        "small+dark",
        "true",
        "",
    )
    assert (table[1]["reasons"], table[1]["uncertain"]) == ("", "false")


@pytest.mark.parametrize("tail", ["", '{"frame":2,"fac', "\0\0\0\0", '{"frame":2}\n'])
def test_a_journal_cut_by_a_crash_is_read_up_to_there(tmp_path, tail):
    path = tmp_path / "faces.jsonl"
    run(JsonlSink(path, header()), [result(0), result(1)])
    with path.open("a") as file:
        file.write(tail)
    assert [line["frame"] for line in list(read_journal(path))[1:]] == [0, 1]


def test_what_is_no_journal_is_refused(tmp_path):
    path = tmp_path / "faces.jsonl"
    with pytest.raises(SinkError, match="No such file"):
        list(read_journal(path))
    path.write_text("hello\n")
    with pytest.raises(SinkError, match="no header"):
        list(read_journal(path))
    run(JsonlSink(path, header()), [result(0), result(1)])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "broken", lines[2]]))
    with pytest.raises(SinkError, match="line 2"):
        list(read_journal(path))


# --- parquet --------------------------------------------------------------------------------


def test_parquet_has_typed_columns_and_the_header(tmp_path):
    path = tmp_path / "faces.parquet"
    run(ParquetSink(path, live()), [result(0), result(1, faces=0), result(2, 2)])
    table = pq.read_table(path)
    assert table.column_names == COLUMNS
    assert table.num_rows == 3
    assert table["utc"].to_pylist()[1] == datetime(2026, 5, 4, 12, 0, 0, 80_000, tzinfo=UTC)
    assert (str(table.schema.field("frame").type), str(table.schema.field("p_happy").type)) == (
        "int64",
        "float",
    )
    assert json.loads(table.schema.metadata[b"fervid"])["model_sha256"] == "ab12"


def test_parquet_is_written_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("fervid.sinks.parquet.GROUP_ROWS", 8)
    monkeypatch.setattr("fervid.sinks.parquet.PART_ROWS", 4)
    path = tmp_path / "faces.parquet"
    sink = ParquetSink(path, header())
    for n in range(3):
        sink.write(Frame(n, n, clips.picture(0)), result(n, faces=4), None)
        assert len(sink._table._rows) < 8
    sink.close()
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 2
        assert file.metadata.num_rows == 12


@pytest.mark.parametrize("head", [header(), live()])
def test_a_table_from_the_journal_is_the_table_of_the_run(tmp_path, head):
    results = [result(0), result(1, faces=0), result(2, faces=2, reasons=())]
    run(JsonlSink(tmp_path / "a.jsonl", head), results)
    run(ParquetSink(tmp_path / "a.parquet", head), results)
    assert parquet_from_journal(tmp_path / "a.jsonl", tmp_path / "b.parquet") == 3
    ours, theirs = (pq.read_table(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert ours.equals(theirs, check_metadata=True)


def test_a_run_without_any_face_has_an_empty_table(tmp_path):
    run(ParquetSink(tmp_path / "a.parquet", header()), [result(0, faces=0)])
    assert pq.read_table(tmp_path / "a.parquet").column_names == COLUMNS


# --- contract: every sink -------------------------------------------------------------------

# The crops are a folder of files: test_crops.py.
KINDS = [
    getattr(import_module(t.split(":")[0]), t.split(":")[1])
    for name, t in SINKS.items()
    if name not in FOLDERS
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_folder_is_named(tmp_path, kind):
    with pytest.raises(SinkError, match="does not exist") as caught:
        kind(tmp_path / "none" / "out", header())
    assert str(tmp_path / "none" / "out") == caught.value.path


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_no_file(tmp_path, kind):
    with pytest.raises(SinkError, match="is a folder"):
        kind(tmp_path, header())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_a_sink_error_and_closing_is_harmless(kind):
    def whole_run():
        sink = kind(Path("/dev/full"), header())
        try:
            for n in range(30):
                drawn = np.random.default_rng(n).integers(0, 256, (48, 64, 3), np.uint8)
                sink.write(Frame(n, n / 25, drawn), result(n), drawn)
        finally:
            sink.close()
            sink.close()

    with pytest.raises(SinkError, match="No space left"):
        whole_run()


@pytest.mark.parametrize("kind", KINDS)
def test_every_sink_keeps_to_the_protocol(tmp_path, kind):
    sink = kind(tmp_path / "out", header())
    assert sink.path == tmp_path / "out"
    assert sink.wants_pixels == (kind is VideoSink)
    run(sink, [result(0), result(1, faces=0), result(2, faces=3)])
    assert (tmp_path / "out").stat().st_size > 0


def test_what_needs_a_path_or_a_picture_says_so(tmp_path):
    for kind in (VideoSink, ParquetSink):
        with pytest.raises(ValueError, match="needs a path"):
            kind(None, header())
    with pytest.raises(ValueError, match="path or a stream"):
        JsonlSink(None, header())
    sink = VideoSink(tmp_path / "a.mp4", header())
    with pytest.raises(ValueError, match="drawn"):
        sink.write(Frame(0, 0, clips.picture(0)), result(0), None)
    sink.close()


# --- events ---------------------------------------------------------------------------------


def broken_off(path):
    """The journal of a camera that went and came back between two frames."""
    sink = JsonlSink(path, live())
    picture = clips.picture(0)
    sink.write(Frame(0, 0.0, picture), result(0), None)
    sink.note(OFFLINE)
    sink.note(ONLINE)
    sink.write(Frame(1, 3.5, picture, 1), result(1, time_s=3.5), None)
    sink.close()
    return path


def test_the_journal_says_when_a_source_went_and_came_back(tmp_path):
    path = broken_off(tmp_path / "faces.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("frame", line.get("event")) for line in lines[1:]] == [
        *(0, "offline", "online", 1)
    ]
    assert lines[3] == {
        "source": "camera:0",
        "event": "online",
        "time_s": 3.5,
        "utc": "2026-05-04T12:00:03.500Z",
        "cause": "camera 0 stopped",
        "attempts": 4,
        "offline_s": 3.45,
        "missed": 86,
    }
    assert [recorded_event(line) for line in read_events(path)] == [OFFLINE, ONLINE]
    assert list(read_journal(path)) == lines


def test_events_are_no_rows_and_count_in_a_recovered_summary(tmp_path):
    path = broken_off(tmp_path / "faces.jsonl")
    assert [line["frame"] for _, line in read_frames(path)] == [0, 1]
    assert [found.index for found in replay(path)] == [0, 1]
    assert parquet_from_journal(path, tmp_path / "a.parquet") == 2
    assert read_tables([path])[0].num_rows == 2
    summary = replayed_summary(path)
    assert summary["outages"] == {"count": 1, "offline_s": 3.45, "attempts": 4}
    assert summary["drops"] == {"late": 6, "offline": 86}


def test_a_journal_cut_in_an_event_is_read_up_to_there(tmp_path):
    path = broken_off(tmp_path / "faces.jsonl")
    content = path.read_text()
    path.write_text(content[: content.index('"online"')])
    assert [line.get("event") for line in read_journal(path)] == [None, None, "offline"]
