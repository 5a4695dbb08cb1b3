"""A folder of results that is taken away while it is written: said once, nothing else is lost."""

import json
import shutil
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from tests.clips import clip, picture
from tests.places import ROOT

PATIENCE_S = 120


@pytest.fixture
def sources(tmp_path):
    """A short clip and one that is still read when its folder vanishes."""
    short = clip(tmp_path / "a.mp4", frames=4)
    return [short, clip(tmp_path / "b.mp4", pictures=[picture(n % 20) for n in range(4000)])]


def analyse(*words, taken, begun):
    """Run the program, take a folder away once a journal has a frame; its code and last words."""
    command = [sys.executable, "-m", "fervid", *map(str, words), "--quiet"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + PATIENCE_S
        while not (begun.exists() and begun.read_bytes().count(b"\n") > 1):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.01)
        while taken.exists():  # a file may be made in it meanwhile
            shutil.rmtree(taken, ignore_errors=True)
        said = process.communicate(timeout=PATIENCE_S)[1]
    return process.returncode, [line for line in said.splitlines() if line.startswith("fervid: ")]


@pytest.mark.parametrize("options", [[], ["--jobs", "2"]])
def test_the_folder_of_one_clip(sources, tmp_path, options):
    out = tmp_path / "out"
    code, said = analyse(
        *(*sources, "-o", out, *options), taken=out / "b", begun=out / "b" / "faces.jsonl"
    )
    assert code == 1
    (line,) = [line for line in said if "b.mp4" in line or str(out / "b") in line]
    assert f"{out / 'b'}" in line
    assert "was deleted or moved while it was written" in line
    assert not (out / "b").exists()
    summary = json.loads((out / "a" / "summary.json").read_text())
    assert (summary["frames"], summary["error"]) == (4, None)
    assert pq.read_metadata(out / "a" / "faces.parquet").num_rows == summary["faces"]
    assert {"annotated.mp4", "report.html"} <= {path.name for path in (out / "a").iterdir()}


def test_the_folder_of_all_results(sources, tmp_path):
    out = tmp_path / "out"
    code, said = analyse(sources[1], "-o", out, taken=out, begun=out / "b" / "faces.jsonl")
    assert code == 1
    assert len(said) == 1
    assert "was deleted or moved while it was written" in said[0]
    assert not out.exists()
