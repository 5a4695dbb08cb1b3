"""When report.html is written: at the end of a run, by `fervid report`, and what it replaces."""

import io
import json
import re

import pytest
from rich.console import Console

from fervid.cli import main
from fervid.config import OutputConfig, RunConfig
from fervid.errors import ConfigError
from fervid.outputs import plan
from fervid.report import Observer
from fervid.report.again import write_reports
from fervid.writing import RunOutputs
from tests.archives import write_run
from tests.results import header


def figures(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture
def out(tmp_path):
    return write_run(tmp_path / "r", {"a/x.mp4": 5, "b/x.mp4": 3})


def test_each_clip_gets_one(out):
    told = figures(out / "a" / "x" / "report.html")
    assert told["source"]["label"] == "a/x.mp4"
    assert told["summary"]["frames"] == 5
    assert [track["id"] for track in told["tracks"]] == [0, 1]
    assert told["pictures"] is False  # `write_run` asks for no images


@pytest.mark.parametrize(
    ("options", "kept"),
    [({"images": True}, True), ({"images": False}, False), ({"anonymize": "blur"}, False)],
)
def test_pictures_are_kept_only_where_they_may_be(tmp_path, options, kept):
    config = RunConfig(("a.mp4",), output=OutputConfig(out=tmp_path / "r", **options))
    (target,) = plan(config, config.sources)
    with (
        RunOutputs(config, [target], Console(quiet=True), io.StringIO()) as outputs,
        outputs.sinks(target, header("a.mp4")) as sinks,
    ):
        assert [sink.pictures for sink in sinks if isinstance(sink, Observer)] == [kept]


def test_one_of_an_earlier_run_is_refused_and_then_replaced(out, tmp_path):
    output = OutputConfig(out=out)
    (out / "a" / "x" / "faces.jsonl").unlink()
    for name in ("faces.parquet", "summary.json"):
        (out / "a" / "x" / name).unlink()
    with pytest.raises(ConfigError, match=r"report\.html exists; add --overwrite"):
        plan(RunConfig(("a/x.mp4", "b/x.mp4"), output=output), ("a/x.mp4", "b/x.mp4"))
    write_run(out, {"a/x.mp4": 2, "b/x.mp4": 3})
    assert figures(out / "a" / "x" / "report.html")["summary"]["frames"] == 2


def test_the_command_makes_those_that_are_missing(out, capsys):
    made, left = (out / name / "x" / "report.html" for name in "ab")
    before, kept = figures(made), left.read_bytes()
    made.unlink()
    assert main(["report", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{made}: written, without pictures of faces"
    assert "is there already; --overwrite makes it again" in said[1]
    again = figures(made)
    for name in ("tracks", "frames", "confidences", "summary", "changes"):
        assert again[name] == before[name]
    assert left.read_bytes() == kept


def test_overwrite_makes_all_of_them_again(out):
    (out / "a" / "x" / "report.html").write_text("mine")
    assert [done for _, done in write_reports(out, overwrite=True)] == [
        "written, without pictures of faces"
    ] * 2
    assert figures(out / "a" / "x" / "report.html")["summary"]["frames"] == 5


def test_without_a_summary_the_journal_has_to_do(out):
    clip = out / "a" / "x"
    (clip / "summary.json").unlink()
    (clip / "report.html").unlink()
    list(write_reports(clip))
    told = figures(clip / "report.html")["summary"]
    assert (told["frames"], told["fps"], told["stages_ms"]) == (5, None, {})


def test_what_is_no_journal_is_told_apart(out, capsys):
    clip = out / "a" / "x"
    (clip / "report.html").unlink()
    lines = (clip / "faces.jsonl").read_text().splitlines()
    (clip / "faces.jsonl").write_text("")
    assert [done for _, done in write_reports(clip)] == ["is empty: the run ended before it began"]
    (clip / "faces.jsonl").write_text("\n".join([lines[0], '{"faces":[{}]}', *lines[1:], ""]))
    assert main(["report", str(clip)]) == 1
    assert "is no journal of this version; analyse the clip again" in capsys.readouterr().err
    (clip / "faces.jsonl").write_text("\n".join([lines[0], *lines, ""]))
    assert [done for _, done in write_reports(clip)] == [
        "holds several sources, and a report shows one"
    ]
