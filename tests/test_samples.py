"""The sample scripts run as their first lines say."""

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest

from samples import custom_backend, custom_sink
from tests.browser import needs_browser
from tests.clips import clip
from tests.places import ROOT, SAMPLE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with eight frames of the sample clip and a file that is none."""
    path = tmp_path_factory.mktemp("archive")
    with av.open(str(SAMPLE)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)][::25]
    clip(path / "clip.mp4", pictures=pictures, size=(480, 270), options={"crf": "18"})
    (path / "letter.mp4").write_text("this is no film")
    return path


def sample(name, *arguments):
    """Run a script of samples/ with this checkout's fervid and return what it printed."""
    command = [sys.executable, str(ROOT / "samples" / name), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_table_of_expressions(folder):
    found = list(csv.DictReader(io.StringIO(sample("count_expressions.py", folder))))
    good, bad = found
    assert (good["clip"], good["problem"], int(good["faces"])) == ("clip.mp4", "", 8)
    shares = [float(v) for k, v in good.items() if k not in ("clip", "faces", "problem")]
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert (bad["clip"], bad["faces"]) == ("letter.mp4", "0")
    assert "letter.mp4" in bad["problem"]


def test_the_sink(folder, tmp_path, capsys):
    custom_sink.main(str(folder / "clip.mp4"), str(tmp_path / "changes.tsv"))
    first = (tmp_path / "changes.tsv").read_text().splitlines()[0].split("\t")
    assert first[:2] == ["0.00", "0"]
    assert "8 frames, 8 faces" in capsys.readouterr().out


def test_the_backend(folder, capsys):
    custom_backend.main(str(folder / "clip.mp4"))
    first, second = capsys.readouterr().out.splitlines()
    assert "happy" in first
    assert second.startswith("with mirror images: {")


@pytest.mark.parametrize("module", [custom_sink, custom_backend])
def test_a_part_of_ones_own_takes_fifteen_lines(module):
    text = Path(module.__file__).read_text(encoding="utf-8")
    lines = text[text.index("\nclass ") : text.index("\ndef main")].splitlines()
    assert len([line for line in lines if line.strip()]) <= 15


def test_frames_of_a_video_in_one_picture(folder, tmp_path):
    sample("picture.py", folder / "clip.mp4", tmp_path / "out.jpg", 0, 0.2)
    assert cv2.imread(str(tmp_path / "out.jpg")).shape == (270, 960, 3)
    before = folder / "clip.mp4"
    sample("picture.py", before, tmp_path / "both.png", 0, 0.2, "--before", before)
    pairs = cv2.imread(str(tmp_path / "both.png"))
    assert pairs.shape == (540, 960, 3)
    assert (pairs[:, :480] == pairs[:, 480:]).all()


@needs_browser
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is missing (apt install tmux)")
@pytest.mark.parametrize(("size", "option"), [("80x24", "--light"), ("60x20", "--set")])
def test_the_dashboard_in_a_real_terminal(folder, tmp_path, size, option):
    setting = ["NO_COLOR=1"] if option == "--set" else []
    words = [tmp_path / "x.png", "--size", size, "--when", "1 source", option, *setting, "--fervid"]
    sample("dashboard_picture.py", *words, folder / "clip.mp4")
    picture = cv2.imread(str(tmp_path / "x.png"))
    columns = int(size.split("x")[0])
    assert picture.shape[1] == pytest.approx(columns * 9 + 24, abs=12)
    coloured = int((picture.max(2).astype(int) - picture.min(2) > 60).sum())
    assert (coloured > 500) is not bool(setting)
    assert bool(picture.mean() > 128) is (option == "--light")


def test_two_models_side_by_side(folder, tmp_path):
    out, model = tmp_path / "both.png", ROOT / "fervid/models/fervid-int8.onnx"
    sample("two_models.py", folder / "clip.mp4", model, model, out, 0, 0.2)
    picture = cv2.imread(str(out))
    assert picture.shape == (2 * 270, 2 * 480, 3)
    assert (picture[:, :480] == picture[:, 480:]).all()
    assert (picture[:270] != picture[270:]).any()
