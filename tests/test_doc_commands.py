"""Every command in the documents is run, page by page, or is listed with the reason why not."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import pytest

from tests.clips import clip
from tests.doc_commands import NOT_RUN, PAGES, commands
from tests.places import ROOT, SAMPLE

LINKED = ("samples", "train", "export", "fervid", "docs/site", "docs/results", "docs/trust.md")
RUN = {
    page: [c for c in commands(page) if not c.not_run]
    for page in PAGES
    if page.name not in ("mistakes.md", "decisions.md")  # tests/test_mistakes.py; no commands
}
# Needed after the page's own commands, and what they then hold.
LEFT_BEHIND = {
    "index.md": ("results/noisy_portrait/report.html",),
    "deciding.md": ("docs/deciding.jpg",),
    "cookbook.md": ("results/clip/faces.parquet", "every-fifth.csv"),
    "exporting.md": ("rows.csv", "results/clip/faces.eaf", "model.onnx", "half.onnx"),
    "own-data.md": ("mine.onnx", "results/clip/faces.parquet"),
}


@pytest.fixture
def place(tmp_path):
    """A folder as a checkout's, whose documents are its own, with a clip of ten frames."""
    for name in LINKED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs/trust.md").unlink()
    (tmp_path / "docs/trust.md").write_bytes((ROOT / "docs/trust.md").read_bytes())
    with av.open(str(SAMPLE)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)][35:45]
    clip(tmp_path / "clip.mp4", pictures=pictures, size=(480, 270), options={"crf": "18"})
    return tmp_path


def typed(command, folder):
    """What happens when somebody types a command there."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p, found in RUN.items() if found], ids=lambda p: p.name)
def test_the_commands_of_a_page_run_one_after_the_other(page, place):
    for command in RUN[page]:
        done = typed(command, place)
        where = f"{command.page}, line {command.line}: {command.text}"
        assert done.returncode in (0, 141), f"{where}\n{done.stdout}\n{done.stderr}"
    for name in LEFT_BEHIND.get(page.name, ()):
        assert (place / name).stat().st_size > 0
    if page.name == "own-data.md":
        labels_are_the_drawn_ones(place)


def labels_are_the_drawn_ones(place):
    """The trained model names the clip's three expressions in their order, and little else."""
    from fervid.results import read_results

    rows = read_results(place / "results")
    assert list(rows.label.cat.categories) == ["astonished", "calm", "smiling"]
    steady = rows[(rows.time_s % 2 > 0.8)]  # smoothing follows a change within that time
    drawn = steady.time_s.floordiv(2).map({0: "calm", 1: "smiling", 2: "astonished"})
    assert (steady.label.astype(str) == drawn).mean() > 0.8
    assert {f"p_{name}" for name in ("astonished", "calm", "smiling")} < set(rows.columns)
    assert json.loads((place / "results/clip/summary.json").read_text())["model"] == "mine"


def test_commands_are_found_in_fences_and_in_blocks():
    found = {(c.page, c.text.split()[0]) for page in PAGES for c in commands(page)}
    assert {("own-data.md", "fervid"), ("speed.md", "python"), ("report.md", "fervid")} <= found
    own = next(commands(page) for page in PAGES if page.name == "own-data.md")
    assert len(own) == 7
    assert not [c for c in own if c.not_run]


def test_each_reason_still_concerns_a_command():
    said = [(c.page, c.text) for page in PAGES for c in commands(page)]
    later = (r"--serve", r"^(docker|podman|systemctl|journalctl|sudo|kubectl|curl|apt)")
    for page, pattern, why in NOT_RUN:
        used = any(page in ("", at) and re.search(pattern, text) for at, text in said)
        assert used or pattern in later, f"nothing is not run because it {why}"
