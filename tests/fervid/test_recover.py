"""What a crash left is completed from the journals."""

import io
import json
import os
import time

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from fervid.cli import main
from fervid.config import OutputConfig, RunConfig
from fervid.errors import ConfigError
from fervid.lock import FolderLock
from fervid.outputs import plan
from fervid.recover import QUIET_S, recover
from fervid.writing import RunOutputs
from tests.archives import write_run
from tests.results import face, header, put, result

MEASURED = {"elapsed_s", "fps", "stages_ms", "damaged", "error", "recovered"}


def soon():
    return time.time() + 10 * QUIET_S


@pytest.fixture
def out(tmp_path):
    return write_run(tmp_path / "r", {"a/x.mp4": 5, "b/x.mp4": 3})


def cut(path, n=20):
    path.write_bytes(path.read_bytes()[:-n])


def steps(out):
    return {s.path.relative_to(out).as_posix(): s.done for s in recover(out, soon)}


def contents(out):
    return {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_what_is_complete_stays_as_it_is(out):
    before = contents(out)
    assert recover(out, soon) == []
    assert contents(out) == before


@pytest.mark.parametrize("how", ["missing", "no footer", "empty"])
def test_a_table_and_a_summary_come_back_as_they_were(out, how):
    clip = out / "a" / "x"
    table, summary = clip / "faces.parquet", clip / "summary.json"
    rows, figures = pq.read_table(table), json.loads(summary.read_text())
    summary.unlink()
    if how == "missing":
        table.unlink()
    else:
        cut(table, 20 if how == "no footer" else table.stat().st_size)
    (out / "all.parquet").unlink()
    done = steps(out)
    assert done["a/x/faces.parquet"] == "10 rows from faces.jsonl"
    assert done["a/x/summary.json"] == "figures of 5 frames"
    assert done["a/x/report.html"] == "without pictures of faces"
    assert done["all.parquet"] == "16 rows of 2 clips"
    assert "b/x/faces.parquet" not in done
    assert pq.read_table(table).equals(rows, check_metadata=True)
    again = json.loads(summary.read_text())
    assert again["recovered"] is True
    assert {k: v for k, v in again.items() if k not in MEASURED} == {
        k: v for k, v in figures.items() if k not in MEASURED
    }
    assert recover(out, soon) == []


def test_figures_of_an_earlier_run_are_none_of_one_that_was_killed(out):
    options = OutputConfig(out=out, images=False, overwrite=True)
    config = RunConfig(("a/x.mp4", "b/x.mp4"), output=options)
    target = plan(config, config.sources)[0]
    outputs = RunOutputs(config, [target], Console(file=io.StringIO()), io.StringIO())
    with outputs.sinks(target, header(target.source)) as sinks:
        for sink in sinks:
            put(sink, result(0, face()))
    outputs.fail(target, "killed")  # lets others into its folder
    assert steps(out)["a/x/summary.json"] == "figures of 1 frames"  # the earlier one had 5
    assert (out / "a/x/report.html").exists()


@pytest.mark.parametrize("n", [1, 30, 100])
def test_a_journal_cut_in_a_line_gives_what_it_has(out, n):
    journal = out / "a" / "x" / "faces.jsonl"
    cut(journal, n)
    journal.with_name("faces.parquet").unlink()
    said = steps(out)["a/x/faces.parquet"]
    kept = 10 if n == 1 else 8  # only the line's end is missing
    assert said == f"{kept} rows from faces.jsonl, its last line was cut off"


def test_an_empty_journal_and_one_without_a_whole_header(out):
    for name, content in (("a", b""), ("b", b'{"schema":1,"fervid"')):
        (out / name / "x" / "faces.jsonl").write_bytes(content)
        (out / name / "x" / "faces.parquet").unlink()
    done = steps(out)
    assert done["a/x/faces.jsonl"] == "is empty: the run ended before it began"
    assert "no header" in done["b/x/faces.jsonl"]
    assert not (out / "b" / "x" / "faces.parquet").exists()
    assert not list(out.rglob("*.part"))


def test_damage_in_one_journal_does_not_keep_the_others(out):
    for name in "ab":
        (out / name / "x" / "faces.parquet").unlink()
    lines = (out / "a" / "x" / "faces.jsonl").read_text().splitlines()
    broken = [lines[0], '{"faces":[{}]}', "rubbish", *lines[1:]]
    (out / "a" / "x" / "faces.jsonl").write_text("\n".join(broken))
    done = steps(out)
    assert "line 3 cannot be read" in done["a/x/faces.jsonl"]
    assert done["b/x/faces.parquet"] == "6 rows from faces.jsonl"
    (out / "a" / "x" / "faces.jsonl").write_text("\n".join(broken[:2]))
    assert "no journal of this version" in steps(out)["a/x/faces.jsonl"]


def test_a_journal_of_several_sources(tmp_path):
    out = write_run(tmp_path / "r", {"a.mp4": 4, "b.mp4": 2}, jsonl=tmp_path / "r" / "rows.jsonl")
    assert steps(out)["rows.parquet"] == "12 rows of 2 sources from rows.jsonl"
    assert set(pq.read_table(out / "rows.parquet")["source"].to_pylist()) == {"a.mp4", "b.mp4"}
    assert not (out / "summary.json").exists()
    assert pq.read_table(out / "all.parquet").num_rows == 12


def test_a_journal_that_would_become_the_archives_table_is_told(tmp_path):
    out = write_run(tmp_path / "r", {"a.mp4": 4, "b.mp4": 2}, jsonl=tmp_path / "r" / "all.jsonl")
    assert recover(out, soon) == []
    (out / "all.parquet").unlink()
    done = steps(out)
    assert "rename it" in done["all.jsonl"]
    assert done["all.parquet"] == "12 rows of 2 clips"


def test_files_of_others_stay(out):
    table = out / "a" / "x" / "faces.parquet"
    table.write_text("my own")
    (out / "b" / "notes.jsonl").write_text('{"mine": 1}\n')
    (out / "all.parquet").write_text("mine too")
    done = steps(out)
    assert "stays as it is" in done["a/x/faces.parquet"]
    assert "stays as it is" in done["b/notes.jsonl"]
    assert "stays as it is" in done["all.parquet"]
    assert (table.read_text(), (out / "all.parquet").read_text()) == ("my own", "mine too")


def test_a_run_that_goes_on_is_left_alone(out):
    journal = out / "a" / "x" / "faces.jsonl"
    journal.with_name("faces.parquet").unlink()
    os.utime(journal)
    (step,) = recover(out)[:1]
    assert "still being written" in step.done
    assert not step.written


def test_a_run_that_waits_for_its_camera_is_left_alone(out):
    journal = out / "a" / "x" / "faces.jsonl"
    journal.with_name("faces.parquet").unlink()
    before = contents(journal.parent)
    with FolderLock(journal.parent) as lock:
        lock.take()
        (step,) = recover(out, soon)[:1]
        assert (step.path, step.written) == (journal, False)
        assert step.done == "is still being written; try again when its run has ended"
        assert contents(journal.parent) == before
    assert steps(out)["a/x/faces.parquet"] == "10 rows from faces.jsonl"


def test_the_command_says_what_it_did(out, tmp_path, capsys):
    (out / "a" / "x" / "faces.parquet").unlink()
    os.utime(out / "a" / "x" / "faces.jsonl", (1, 1))
    assert main(["recover", str(out)]) == 0
    assert "faces.parquet: 10 rows from faces.jsonl" in capsys.readouterr().out
    assert main(["recover", str(out)]) == 0
    assert "Everything is complete already" in capsys.readouterr().out
    event = {"source": "a/x.mp4", "event": "began", "time_s": 0.0}
    (out / "events.jsonl").write_text(json.dumps(event) + "\n")  # nothing has to come of it
    assert main(["recover", str(out)]) == 0
    assert "events.jsonl: is no journal" in capsys.readouterr().out
    (tmp_path / "none").mkdir()
    for arguments in ([], ["--all"], ["a", "b"], [str(tmp_path / "none")], ["/nowhere"]):
        assert main(["recover", *arguments]) == 2
    said = capsys.readouterr().err
    assert "There is no journal (faces.jsonl) below" in said
    assert "There is no folder /nowhere" in said


def test_the_command_ends_with_1_while_something_is_left(out, capsys):
    journal = out / "a" / "x" / "faces.jsonl"
    journal.with_name("faces.parquet").unlink()
    os.utime(journal)
    assert main(["recover", str(out)]) == 1  # it is still being written
    assert not journal.with_name("faces.parquet").exists()
    whole = journal.read_bytes()
    journal.write_text('{"mine": 1}\n')
    os.utime(journal, (1, 1))
    assert main(["recover", str(out)]) == 1  # it is no journal
    journal.write_bytes(b"")
    assert main(["recover", str(out)]) == 0  # nothing can ever come of it
    journal.write_bytes(whole)
    os.utime(journal, (1, 1))
    assert main(["recover", str(out)]) == 0
    assert "faces.parquet: 10 rows from faces.jsonl" in capsys.readouterr().out


def test_nothing_to_recover_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="There is no journal"):
        recover(tmp_path)
