"""Recordings for Rerun, read back by Rerun's own library."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fervid.config import OutputConfig
from fervid.errors import ConfigError, LibraryMissing, SinkError
from fervid.records import Frame, Noise
from fervid.sinks.rows import header_record
from tests.places import ROOT, SAMPLE
from tests.results import CLASSES, face, header, put, result

pytest.importorskip("rerun")  # the extra `rerun`

from fervid.sinks.rerun import RerunSink


def recorded(path):
    """What a recording holds: the columns of each entity, in the order of time."""
    from rerun.chunk import RrdReader

    found = {}
    for chunk in RrdReader(path).stream():
        table = chunk.to_record_batch().to_pydict()
        for name, values in table.items():
            found.setdefault(chunk.entity_path, {}).setdefault(name, []).extend(values)
    return found


def times(columns):
    return [moment.total_seconds() for moment in columns["video"]]


def test_pictures_boxes_probabilities_and_noise_are_in_it(tmp_path):
    sink = RerunSink(tmp_path / "a.rrd", header())
    noise = Noise("speckle", np.float32([0.1, 0.2, 0.3]), 0.3, np.zeros(3, np.float32))
    bgr = np.zeros((48, 64, 3), np.uint8)
    bgr[:, 32:] = (0, 0, 255)  # red
    first = dataclasses.replace(result(0, face("happy", 3), level=0.8), noise=noise)
    sink.write(Frame(0, 0.0, bgr), first, None)
    put(sink, result(1, face("angry", 3, unsure=True), face("happy", 4)))
    put(sink, result(2))
    sink.close()
    found = recorded(tmp_path / "a.rrd")
    assert set(found) - {"/__properties"} == {
        *("/about", "/noise", "/picture", "/picture/faces", "/tracks/3", "/tracks/4")
    }
    assert times(found["/picture"]) == pytest.approx([0, 0.04, 0.08])
    blob = np.asarray(found["/picture"]["EncodedImage:blob"][0], np.uint8).reshape(-1)
    seen = cv2.imdecode(blob, cv2.IMREAD_COLOR)
    assert np.abs(seen[20, 60].astype(int) - (0, 0, 255)).max() < 8
    faces = found["/picture/faces"]
    assert faces["Boxes2D:labels"][:2] == [["#3 happy 80%"], ["#3 angry? 50%", "#4 happy 50%"]]
    assert not faces["Boxes2D:labels"][2]  # the boxes of the frame before are gone
    centre, half = faces["Boxes2D:centers"][0][0], faces["Boxes2D:half_sizes"][0][0]
    assert [*centre, *half] == [15, 16, 10, 10]
    shares = found["/tracks/3"]["Scalars:scalars"]
    assert shares[0] == pytest.approx([0.25, 0.8, 0.25])
    assert found["/tracks/3"]["SeriesLines:names"] == [list(CLASSES)]
    assert len(found["/tracks/4"]["Scalars:scalars"]) == 1
    assert found["/noise"]["Scalars:scalars"][0] == pytest.approx([0.1, 0.2, 0.3])


def test_the_header_of_the_run_is_in_it(tmp_path):
    RerunSink(tmp_path / "a.rrd", header()).close()
    (text,) = recorded(tmp_path / "a.rrd")["/about"]["TextDocument:text"][0]
    about = json.loads(re.search(r"```json\n(.*)\n```", text, re.DOTALL)[1])
    assert about == json.loads(json.dumps(header_record(header())))


@pytest.mark.filterwarnings("ignore:RRD file has no footer")  # it was killed
def test_a_run_that_is_killed_leaves_all_but_the_last_second(tmp_path):
    sink = RerunSink(tmp_path / "a.rrd", header())
    for n in range(100):
        put(sink, result(n, face("happy", 0)))
    shutil.copy(tmp_path / "a.rrd", tmp_path / "killed.rrd")
    sink.close()
    last = max(times(recorded(tmp_path / "killed.rrd")["/picture"]))
    assert 99 / 25 - last <= 1.0
    assert len(recorded(tmp_path / "a.rrd")["/picture"]["video"]) == 100


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size")
def test_a_file_that_cannot_grow_ends_the_run_with_one_sentence(tmp_path):
    out = tmp_path / "a.rrd"
    code = (
        "import resource, sys\n"
        "from fervid.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        f"sys.exit(main([{str(SAMPLE)!r}, '--end', '6', '-q', '--rerun', {str(out)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()  # and none of Rerun's own
    assert line.startswith(f"fervid: {out} cannot be written: ")
    assert "free space there" in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk at hand")
def test_a_full_disk_is_told_before_any_work():
    with pytest.raises(SinkError, match=r"^/dev/full cannot be written: .*No space left"):
        RerunSink(Path("/dev/full"), header())


def test_a_folder_that_is_missing_is_told_before_any_work(tmp_path):
    with pytest.raises(SinkError, match=r"the folder .* does not exist, create it first"):
        RerunSink(tmp_path / "gone" / "a.rrd", header())


def test_an_older_file_is_replaced(tmp_path):
    (tmp_path / "a.rrd").write_bytes(b"x" * 10**6)
    sink = RerunSink(tmp_path / "a.rrd", header())
    sink.close()
    assert (tmp_path / "a.rrd").stat().st_size < 10**5
    assert "/about" in recorded(tmp_path / "a.rrd")


def test_without_the_library_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(LibraryMissing, match=r"pip install 'fervid\[rerun\]'"):
        RerunSink(tmp_path / "a.rrd", header())
    assert not (tmp_path / "a.rrd").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"images": False}, "--rerun shows faces and --no-images forbids that"),
        ({"anonymize": "blur"}, "--rerun writes faces and --anonymize hides them"),
    ],
)
def test_it_is_refused_where_faces_may_not_be_shown(more, said):
    with pytest.raises(ConfigError, match=f"^{said}"):
        OutputConfig(rerun=Path("a.rrd"), **more)
