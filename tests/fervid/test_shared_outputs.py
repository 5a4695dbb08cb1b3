"""Files that several sources write to at once."""

import csv
import io
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from fervid.config import STDOUT, OutputConfig, RunConfig
from fervid.errors import ReaderGone, SinkError
from fervid.outputs import plan
from fervid.sinks.jsonl import is_header, read_frames, read_journal
from fervid.sinks.parquet import parquet_from_journal
from fervid.sinks.rows import columns
from fervid.sinks.text import TextOutput
from fervid.writing import RunOutputs
from tests.results import CLASSES, face, header, put, result

SOURCES = ("a/x.mp4", "b/x.mp4", "c.mp4")
FRAMES = 60


def run_at_once(config, stdout=None, sources=SOURCES):
    """Write every source by a thread of its own, all of them open at the same time."""
    barrier = threading.Barrier(len(sources))
    console = Console(file=io.StringIO())
    failed = []

    def one(outputs, target):
        try:
            with outputs.sinks(target, header(target.source)) as sinks:
                barrier.wait(10)
                for n in range(FRAMES):
                    for sink in sinks:
                        put(sink, result(n, face(track=n % 3), face("angry", 7)))
        except SinkError as error:
            failed.append(error)

    targets = plan(config, sources)
    with RunOutputs(config, targets, console, stdout or io.StringIO()) as outputs:
        threads = [threading.Thread(target=one, args=(outputs, t)) for t in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    return failed


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    kinds = {kind: folder / f"new/r.{kind}" for kind in ("jsonl", "csv", "parquet")}
    assert run_at_once(RunConfig(SOURCES, output=OutputConfig(**kinds))) == []
    return folder / "new"


def test_the_journal_has_a_header_for_each_source_and_labelled_frames(written):
    lines = [json.loads(line) for line in (written / "r.jsonl").read_text().splitlines()]
    assert sorted(x["source"]["uri"] for x in lines if is_header(x)) == sorted(SOURCES)
    assert list(read_journal(written / "r.jsonl")) == lines
    frames = [x for x in lines if not is_header(x)]
    for source in SOURCES:
        assert [x["frame"] for x in frames if x["source"] == source] == list(range(FRAMES))
    for head, line in read_frames(written / "r.jsonl"):
        assert head["source"]["uri"] == line["source"]


def test_the_csv_has_one_heading_and_whole_lines(written):
    with (written / "r.csv").open(newline="") as file:
        heading, *rows = csv.reader(file)
    assert tuple(heading) == columns(CLASSES)
    assert {len(row) for row in rows} == {len(heading)}
    assert len(rows) == len(SOURCES) * FRAMES * 2
    assert {row[1] for row in rows} == set(SOURCES)


def test_the_table_has_all_rows_and_all_headers(written):
    table = pq.read_table(written / "r.parquet")
    assert table.num_rows == len(SOURCES) * FRAMES * 2
    about = json.loads(table.schema.metadata[b"fervid"])
    assert sorted(h["source"]["uri"] for h in about["sources"]) == sorted(SOURCES)


def test_the_journal_of_many_becomes_the_same_table(written, tmp_path):
    assert parquet_from_journal(written / "r.jsonl", tmp_path / "t") == len(SOURCES) * FRAMES * 2
    key = [("source", "ascending"), ("frame", "ascending"), ("track", "ascending")]
    ours, theirs = (pq.read_table(p).sort_by(key) for p in (tmp_path / "t", written / "r.parquet"))
    assert ours.equals(theirs)


def test_standard_output_takes_several_sources_and_stays_open():
    stdout = io.StringIO()
    run_at_once(RunConfig(SOURCES, output=OutputConfig(jsonl=STDOUT)), stdout)
    lines = [json.loads(line) for line in stdout.getvalue().splitlines()]
    assert len(lines) == len(SOURCES) * (FRAMES + 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_full_disk_is_told_to_every_source(kind):
    options = {kind: Path("/dev/full")}
    failed = run_at_once(RunConfig(SOURCES[:1], output=OutputConfig(**options)), None, SOURCES[:1])
    assert len(failed) == 1
    config = RunConfig(SOURCES, output=OutputConfig(**options))
    with RunOutputs(config, plan(config, SOURCES), Console(), io.StringIO()) as outputs:
        for target in plan(config, SOURCES):
            with (
                pytest.raises(SinkError, match="No space left"),
                outputs.sinks(target, header(target.source)),
            ):
                pass


def test_a_journal_of_before_frames_had_a_source_is_read(written, tmp_path):
    lines = [json.loads(line) for line in (written / "r.jsonl").read_text().splitlines()]
    one = [x for x in lines if x["source"] == "c.mp4" or is_header(x)]
    old = [next(x for x in one if is_header(x) and x["source"]["uri"] == "c.mp4")]
    old += [{k: v for k, v in x.items() if k != "source"} for x in one if not is_header(x)]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(x) + "\n" for x in old))
    assert parquet_from_journal(tmp_path / "old.jsonl", tmp_path / "old.parquet") == 2 * FRAMES
    assert set(pq.read_table(tmp_path / "old.parquet")["source"].to_pylist()) == {"c.mp4"}


@pytest.mark.skipif(os.name == "nt", reason="Windows does not say whether a pipe has room")
def test_what_goes_through_a_pipe_arrives_whole_unless_nobody_reads():
    reader, writer = os.pipe()
    text = "lines of é\n" * 20_000  # more than a pipe holds
    with os.fdopen(writer, "w", encoding="utf-8", newline="") as stream:
        output = TextOutput(None, stream)
        with (
            os.fdopen(reader, encoding="utf-8", newline="") as there,
            ThreadPoolExecutor(1) as pool,
        ):
            read = pool.submit(there.read, len(text))
            output.write(text)
            assert read.result(60) == text
            ends = pool.submit(output.write, text)
            output.hurry()
            with pytest.raises(ReaderGone):
                ends.result(60)
