"""docs/reliability.md: the tests that it names are there, and the results keep the bars."""

import json
import re

from tests.places import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
RESULTS = ROOT / "docs" / "results"


def result(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_every_test_that_is_named_is_there():
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", TEXT))
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_figures_are_those_of_the_results():
    kill, stop, fuzz = result("kill"), result("stop"), result("fuzz")
    assert f"{kill['good']} of {kill['kills']}" in TEXT
    assert f"{stop['good']} of {stop['runs']}" in TEXT
    assert f"{fuzz['files']:,} files, {fuzz['failed']} failures" in TEXT


def test_the_results_keep_the_bars():
    kill, fuzz = result("kill"), result("fuzz")
    assert kill["kills"] == kill["good"] == len(kill["runs"]) >= 50
    assert all(run["pictures"] and not run["broken"] for run in kill["runs"])
    assert fuzz["files"] >= 2000
    assert fuzz["failed"] == 0
    assert result("stop")["good"] == len(result("stop")["stopped"]) >= 20
