"""Whole runs through the command line: files, messages, exit codes, what stays on disk."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import av
import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest

from fervid.card import CARD_KEY
from fervid.cli import main
from tests import servers
from tests.clips import clip, cut
from tests.places import DATA, DEFAULT_MODEL, ROOT, SAMPLE, needs_data

FILES = {"annotated.mp4", "faces.jsonl", "faces.parquet", "report.html", "summary.json"}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Two seconds from the middle of the sample: Gaussian noise, then salt and pepper."""
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    with av.open(str(SAMPLE)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)][65:91]
    return clip(path, pictures=pictures, size=(480, 270), options={"crf": "18"}, sound="aac")


@pytest.fixture(scope="module")
def results(short, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert main([str(short), "-o", str(out), "--quiet"]) == 0
    return out / "short"


def test_every_output_is_there(results):
    assert {p.name for p in results.iterdir()} == FILES


def test_sources_that_cannot_wait_are_analysed_at_once(short, tmp_path, capsys):
    """One that fails leaves the other to its end."""
    other, gone = clip(short.parent / "other.mp4", frames=3), short.parent / "gone.mp4"
    out = tmp_path / "out"
    with servers.served(short, gone, other) as addresses:
        assert main([*addresses, "-o", str(out), "-q"]) == 1
    assert "1 of 3 sources failed; the others are done." in capsys.readouterr().err
    summaries = [json.loads(p.read_text()) for p in sorted(out.rglob("summary.json"))]
    assert sorted(s["frames"] for s in summaries) == [3, 26]


def test_the_video_has_every_frame_its_timing_and_its_sound(short, results):
    with av.open(str(short)) as a, av.open(str(results / "annotated.mp4")) as b:
        times = [[f.time for f in file.decode(video=0)] for file in (a, b)]
        assert b.streams.audio
        assert b.streams.video[0].codec.name == "h264"
    assert np.allclose(times[0], times[1], atol=0.002)


def test_journal_table_and_summary_agree(results):
    header, *frames = [
        json.loads(line) for line in (results / "faces.jsonl").read_text().splitlines()
    ]
    rows = pq.read_table(results / "faces.parquet").to_pylist()
    summary = json.loads((results / "summary.json").read_text())
    assert header["schema"] == 1
    assert len(frames) == summary["frames"] == 26
    assert sum(len(f["faces"]) for f in frames) == len(rows) == summary["faces"]
    assert rows[0]["filter"] == "gaussian"
    assert {row["noise_kind"] for row in rows} >= {"gaussian"}
    for row in rows:
        assert sum(v for k, v in row.items() if k.startswith("p_")) == pytest.approx(1, abs=1e-3)
        assert row["label"] in header["classes"]


def test_results_are_not_overwritten_unless_asked(short, results, capsys):
    before = (results / "faces.jsonl").read_bytes()
    assert main([str(short), "-o", str(results.parent), "--quiet"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (results / "faces.jsonl").read_bytes() == before


def test_data_go_to_stdout_and_text_to_stderr(short):
    command = [sys.executable, "-m", "fervid", str(short), "--jsonl", "-"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 27
    assert "short.mp4" in done.stderr


def broken(tmp_path, kind):
    path = tmp_path / "bad.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is a letter, not a film\n" * 50)
    elif kind == "truncated":
        path.write_bytes(SAMPLE.read_bytes()[:4000])
    return path


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated"])
def test_a_bad_file_gets_one_sentence(tmp_path, kind, capsys):
    assert main([str(broken(tmp_path, kind)), "--quiet"]) == 1
    said = capsys.readouterr().err.strip()
    assert "bad.mp4" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


@pytest.fixture(scope="module")
def bad_models(tmp_path_factory):
    """Model files that are none: text, no card, a card that lies, outputs of the wrong shape."""
    folder = tmp_path_factory.mktemp("models")
    for suffix in ("onnx", "safetensors", "pt"):
        (folder / f"text.{suffix}").write_text("no model at all")
    (folder / "folder.onnx").mkdir()
    network = onnx.load(str(DEFAULT_MODEL))
    card = json.loads(next(p.value for p in network.metadata_props if p.key == CARD_KEY))
    cards = {
        "no_card": None,
        "more_classes": {"classes": [*card["classes"], "bored"]},
        "other_size": {"input_px": 2 * card["input_px"] + 1},
        "odd_filter": {"filters": {"gaussian": "magic"}},
        "odd_temperature": {"temperature": [1]},
    }
    for name, change in cards.items():
        del network.metadata_props[:]
        if change is not None:
            network.metadata_props.add(key=CARD_KEY, value=json.dumps(card | change))
        onnx.save(network, str(folder / f"{name}.onnx"))
    return folder


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("text.onnx", "cannot be loaded"),
        ("text.safetensors", "text.safetensors"),
        ("text.pt", "is not .onnx or .safetensors"),
        ("folder.onnx", "is a folder"),
        ("no_card.onnx", "has no fervid card"),
        ("more_classes.onnx", "7 outputs and its card 8 classes"),
        ("other_size.onnx", "does not run as its card says"),
        ("odd_filter.onnx", "'magic'"),
        ("odd_temperature.onnx", "three numbers"),
    ],
)
def test_a_wrong_model_gets_one_sentence(bad_models, name, says, capsys):
    assert main([str(SAMPLE), "--model", str(bad_models / name), "--quiet"]) == 1
    said = capsys.readouterr().err.strip()
    assert says in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_a_model_that_needs_torch_says_so_where_there_is_none(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from fervid.cli import main\n"
        f"sys.exit(main([{str(SAMPLE)!r}, '--model', {str(tmp_path / 'm.safetensors')!r}]))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "fervid[torch]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (["--camera", "97"], 1, "97"),
        ([str(SAMPLE), "--fliter", "none"], 2, "--filter"),
        ([str(SAMPLE), "--model", "nowhere.onnx"], 1, "nowhere.onnx"),
        ([str(SAMPLE), "--model", str(SAMPLE)], 1, "noisy_portrait.mp4"),
        ([str(SAMPLE), "--csv", "/proc/nowhere/rows.csv"], 1, "/proc/nowhere"),
        ([str(SAMPLE), "-o", "/proc/nowhere"], 1, "/proc/nowhere"),
        (["train/recipes"], 1, "no video or image"),
        (["a" * 300], 1, "too long"),
        (["9" * 300, "-o", "never"], 1, "too long"),
        (["/"], 1, "whole disk"),
        ([str(SAMPLE), str(SAMPLE), "-o", "never-made"], 2, "named twice"),
        ([str(SAMPLE), "-o", "never", "--jsonl", "never/noisy_portrait/faces.jsonl"], 2, "twice"),
    ],
    ids=[
        *("camera", "option", "no model", "wrong model", "unwritable file", "unwritable folder"),
        *("folder", "long name", "long number", "root", "source twice", "output twice"),
    ],
)
def test_a_mistake_gets_one_sentence_and_a_code(arguments, code, names, capsys):
    assert main([*arguments, "--quiet"]) == code
    said = capsys.readouterr().err.strip()
    assert names in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_a_file_that_was_cut_off_keeps_what_it_had(short, tmp_path, capsys):
    with av.open(str(short)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)]
    path = tmp_path / "half.mp4"
    cut(clip(path, pictures=pictures, size=(480, 270), layout={"movflags": "faststart"}), 0.6)
    assert main([str(path), "-o", str(tmp_path), "--quiet"]) == 1
    assert "was cut off" in capsys.readouterr().err
    frames = json.loads((tmp_path / "half" / "summary.json").read_text())["frames"]
    assert 0 < frames < len(pictures)
    assert len((tmp_path / "half" / "faces.jsonl").read_text().splitlines()) == frames + 1
    assert pq.read_table(tmp_path / "half" / "faces.parquet").num_rows > 0


def test_one_bad_file_among_many_does_not_stop_the_others(short, tmp_path, capsys):
    bad = broken(tmp_path, "text")
    out = tmp_path / "out"
    assert main([str(bad), str(short), "-o", str(out), "--quiet"]) == 1
    assert "1 of 2 sources failed" in capsys.readouterr().err
    found = {p.parent.name for p in out.rglob("summary.json")}
    assert found == {"short"}


def test_an_output_never_replaces_its_source(short, tmp_path, capsys):
    source = tmp_path / "annotated" / "annotated.mp4"
    source.parent.mkdir()
    source.write_bytes(short.read_bytes())
    assert main([str(source), "-o", str(tmp_path), "--overwrite", "--quiet"]) == 2
    assert "is a source itself" in capsys.readouterr().err
    assert source.read_bytes() == short.read_bytes()


def test_data_on_stdout_take_nothing_from_the_folder(short, tmp_path):
    command = [sys.executable, "-m", "fervid", str(short), "--jsonl", "-", "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert {p.name for p in (tmp_path / "short").iterdir()} == FILES
    assert done.stdout == (tmp_path / "short" / "faces.jsonl").read_text()


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes the descriptor")
def test_a_closed_standard_output_matters_only_to_data(short):
    for more, code in ((["--quiet"], 0), (["--csv", "-"], 1)):
        command = shlex.join([sys.executable, "-m", "fervid", str(short), *more])
        done = subprocess.run(
            f"{command} >&-", check=False, shell=True, capture_output=True, cwd=ROOT
        )
        assert done.returncode == code
        assert b"Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="such names are Linux's")
def test_a_name_that_is_no_text(short, tmp_path):
    source = tmp_path / os.fsdecode(b"\xff.mp4")
    source.write_bytes(short.read_bytes())
    assert main([str(source), "-o", str(tmp_path / "out"), "--quiet"]) == 0
    (summary,) = (tmp_path / "out").rglob("summary.json")
    assert "dcff.mp4" in json.loads(summary.read_text())["source"]


@pytest.mark.skipif(os.name == "nt", reason="signals work otherwise on Windows")
@pytest.mark.parametrize(
    ("number", "times", "code"),
    [(signal.SIGINT, 1, 130), (signal.SIGINT, 2, 130), (signal.SIGTERM, 1, 143)],
)
def test_ctrl_c_and_sigterm_finish_the_files(tmp_path, number, times, code):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "fervid", str(SAMPLE), "-o", str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    journal = out / "noisy_portrait" / "faces.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.is_file() and journal.stat().st_size > 5000):
        time.sleep(0.05)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.02)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert "Traceback" not in said
    frames = len(journal.read_text().splitlines()) - 1
    assert 0 < frames < 195
    with av.open(str(journal.parent / "annotated.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) == frames
    assert pq.read_table(journal.parent / "faces.parquet").num_rows > 0
    assert json.loads((journal.parent / "summary.json").read_text())["frames"] == frames


@pytest.mark.skipif(sys.platform != "linux", reason="pipes have no size elsewhere")
def test_a_reader_that_takes_nothing_does_not_hold_the_end_up(tmp_path):
    import fcntl

    out, (reader, writer) = tmp_path / "out", os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    command = [sys.executable, "-m", "fervid", str(SAMPLE), "-o", str(out), "--jsonl", "-"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    try:
        journal, lines, deadline = out / "noisy_portrait" / "faces.jsonl", 0, time.monotonic() + 120
        while time.monotonic() < deadline:
            time.sleep(1.0)
            before = lines
            lines = journal.read_bytes().count(b"\n") if journal.is_file() else 0
            if before == lines > 1:  # it waits for its reader
                break
        process.terminate()
        said = process.communicate(timeout=30)[1]
    finally:
        process.kill()
        os.close(reader)
    assert process.returncode == 143
    assert "Nobody reads standard output any more." in said
    assert json.loads((journal.parent / "summary.json").read_text())["frames"] < 195


@needs_data
def test_folders_lie_below_the_common_root(tmp_path):
    clips = [DATA / "clips" / "no_face.mp4", DATA / "clips" / "grid_bbaf2n.mpg"]
    pieces = []
    for folder, source in zip(("a", "b"), clips, strict=True):
        (tmp_path / folder).mkdir()
        with av.open(str(source)) as file:
            pictures = [
                f.to_ndarray(format="bgr24")
                for _, f in zip(range(3), file.decode(video=0), strict=False)
            ]
        h, w = pictures[0].shape[:2]
        pieces.append(clip(tmp_path / folder / "x.mp4", pictures=pictures, size=(w, h)))
    assert main([*map(str, pieces), "-o", str(tmp_path / "out"), "--quiet"]) == 0
    found = sorted(
        str(p.parent.relative_to(tmp_path / "out")) for p in tmp_path.rglob("summary.json")
    )
    assert found == ["a/x", "b/x"]
