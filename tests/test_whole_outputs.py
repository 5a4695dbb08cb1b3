"""Outputs of whole runs through the command line: faces hidden, several sources, frames."""

import json
import subprocess
import sys

import av
import numpy as np
import pytest

from fervid.cli import main
from fervid.faces import FaceDetector
from fervid.records import Noise
from fervid.results import read_results
from tests.clips import clip, picture
from tests.places import ROOT, SAMPLE


def test_a_reader_that_left_ends_a_run_over_several_sources_quietly(tmp_path):
    # The first has more rows than a pipe holds: it is not done before the reader leaves.
    names = [
        str(clip(tmp_path / f"{name}.mp4", pictures=[picture(0)] * count))
        for name, count in (("a", 2000), ("b", 3))
    ]
    command = [sys.executable, "-m", "fervid", *names, "--jsonl", "-", "-o", str(tmp_path / "out")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as run:
        run.stdout.readline()
        run.stdout.close()
        said = run.stderr.read().decode()
    assert (run.returncode, said) == (141, "")
    assert [p.parent.name for p in (tmp_path / "out").rglob("summary.json")] == ["a"]


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The first twenty frames of the sample, which are clean."""
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    with av.open(str(SAMPLE)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)][:20]
    return clip(path, pictures=pictures, size=(480, 270), options={"crf": "18"})


def pictures(path):
    with av.open(str(path)) as file:
        return [f.to_ndarray(format="bgr24") for f in file.decode(video=0)]


def found_in(path):
    """Faces that a detector finds in the frames of a clip."""
    with FaceDetector() as detector:
        return [len(detector.detect(p, Noise.clean())) for p in pictures(path)]


@pytest.mark.parametrize("method", ["blur", "pixelate", "box"])
def test_an_anonymized_video_shows_no_face(short, tmp_path, method):
    # Without heatmaps: hair above an orange blob is a face of .5 to this detector.
    options = ["--anonymize", method, "--no-heatmap", "--quiet"]
    assert main([str(short), "-o", str(tmp_path), *options]) == 0
    video = tmp_path / "short" / "annotated.mp4"
    assert sum(found_in(short)) == 20
    assert sum(found_in(video)) == 0
    ours, source = pictures(video)[10], pictures(short)[10]
    assert "image/jpeg" not in (video.parent / "report.html").read_text()
    corner = np.s_[:40, :60]
    assert np.abs(ours[corner].astype(int) - source[corner]).mean() < 6


def test_the_heatmap_lies_where_the_face_was(short, tmp_path):
    options = ["--anonymize", "box", "--quiet"]
    assert main([str(short), "-o", str(tmp_path), *options]) == 0
    lines = (tmp_path / "short" / "faces.jsonl").read_text().splitlines()[1:]
    x0, y0, x1, y1 = (round(json.loads(lines[10])["faces"][0][k]) for k in ("x0", "y0", "x1", "y1"))
    inner = pictures(tmp_path / "short" / "annotated.mp4")[10][y0 + 20 : y1 - 20, x0 + 20 : x1 - 20]
    assert (inner[..., 2].astype(int) - inner[..., 0]).max() > 100  # orange, where the box is grey


def test_no_images_writes_none(short, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(short), "-o", str(out), "--no-images", "--subtitles", "--quiet"]) == 0
    assert "image/jpeg" not in (out / "short" / "report.html").read_text()
    names = {p.name for p in (out / "short").iterdir()}
    assert names == {"faces.jsonl", "faces.parquet", "faces.srt", "report.html", "summary.json"}
    for more in (["--save-crops"], ["--video", str(tmp_path / "x.mp4")]):
        assert main([str(short), "-o", str(out), "--no-images", *more]) == 2
        assert "--no-images forbids that" in capsys.readouterr().err


def test_several_sources_make_one_stream_one_archive_and_one_table(short, tmp_path):
    twin = tmp_path / "in" / "short.mp4"
    twin.parent.mkdir()
    twin.write_bytes(short.read_bytes())
    broken = tmp_path / "in" / "broken.mp4"
    broken.write_text("no film")
    out = tmp_path / "out"
    sources = [str(p) for p in (short, broken, twin)]
    command = [sys.executable, "-m", "fervid", *sources, "-o", str(out), "--jsonl", "-"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum("classes" in line for line in lines) == 2
    counts = {s: sum(line["source"] == s for line in lines) for s in sources}
    assert counts == {sources[0]: 20, sources[1]: 0, sources[2]: 20}
    frame = read_results(out)
    assert frame.groupby("source").size().to_dict() == {sources[0]: 20, sources[2]: 20}
    assert "3 sources, 1 failed" in done.stderr
    assert (out / "clips.csv").read_text().count("\n") == 4


def test_crops_and_subtitles_lie_in_the_clips_folder(short, tmp_path):
    options = ["-o", str(tmp_path), "--subtitles", "--save-crops", "--quiet"]
    assert main([str(short), *options]) == 0
    folder = tmp_path / "short"
    assert (folder / "crops" / "track_000" / "frame_000000.png").is_file()
    with av.open(str(folder / "faces.srt"), format="srt") as file:
        assert [bytes(p) for p in file.demux(subtitles=0) if p.size]
    assert main([str(short), *options]) == 2
    assert main([str(short), *options, "--overwrite"]) == 0
