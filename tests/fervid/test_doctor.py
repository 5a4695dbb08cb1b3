"""`fervid doctor`: each check with facts of other machines, and the whole of it on this one."""

import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
from rich.console import Console

from fervid.backends.providers import IDENTITY, start_problem
from fervid.card import ModelCard
from fervid.cli import main
from fervid.codecs import missing_decoders, missing_encoders
from fervid.doctor import Finding, engines, packages
from fervid.doctor.command import table, to_json, verdict, works
from fervid.doctor.examine import examine
from fervid.errors import CardError
from tests.places import ROOT


@pytest.mark.parametrize(
    ("facts", "status", "words"),
    [
        (((3, 11, 7), "linux", "x86_64"), "ok", "3.11.7 on linux x86_64"),
        (((3, 13, 0), "darwin", "arm64"), "ok", ""),
        (((3, 10, 1), "linux", "x86_64"), "bad", "install Python 3.11"),
        (((3, 14, 0), "win32", "AMD64"), "note", "tested with Python 3.11 to 3.13"),
        (((3, 12, 0), "linux", "aarch64"), "note", "use Linux x86-64"),
    ],
)
def test_python_and_platform(facts, status, words):
    finding = packages.check_python(*facts)
    assert finding.status == status
    assert words in f"{finding.found} {finding.todo}"


def test_what_is_needed_is_what_pyproject_needs():
    text = (ROOT / "pyproject.toml").read_text()
    lines = tomllib.loads(text)["project"]["dependencies"]
    wanted = {}
    for line in lines:
        name, _, version = line.partition(";")[0].strip().replace("==", ">=").partition(">=")
        numbers = tuple(int(part) for part in version.split("."))
        wanted["onnxruntime" if name.startswith("onnxruntime") else name] = numbers
    assert wanted == packages.NEEDED
    assert f"mediapipe=={packages.MEDIAPIPE}" in text


def test_missing_and_old_packages():
    good = {name: ".".join(map(str, least)) for name, least in packages.NEEDED.items()}
    assert [f.status for f in packages.check_versions(good)] == ["ok"]
    bad = packages.check_versions({**good, "av": None, "rich": "13.9.4", "numpy": "2.5rc1"})
    assert [f.status for f in bad] == ["ok", "bad", "bad"]
    assert bad[1].found == "av: not installed"
    assert bad[2].found == "rich: too old"
    assert "pip install" in bad[1].todo


def test_a_mediapipe_that_reports_is_noted():
    good = {name: ".".join(map(str, least)) for name, least in packages.NEEDED.items()}
    finding = packages.check_versions({**good, "mediapipe": "0.10.35"})[-1]
    assert (finding.name, finding.status) == ("Privacy", "note")
    assert "pip install mediapipe==0.10.33" in finding.todo


CONTRIB, PLAIN = "opencv-contrib-python", "opencv-python"


@pytest.mark.parametrize(
    ("installed", "spoilt", "broken", "status", "words"),
    [
        ([CONTRIB], {CONTRIB: 0}, "", "ok", "alone"),
        (
            [CONTRIB, PLAIN],
            {CONTRIB: 3, PLAIN: 0},
            "",
            "note",
            "both write the folder cv2; 3 files",
        ),
        ([CONTRIB], {CONTRIB: 2}, "", "note", "2 files of opencv-contrib-python are gone"),
        ([CONTRIB], {CONTRIB: 0}, "libGL.so.1: cannot open", "bad", "apt install libgl1"),
        ([CONTRIB, PLAIN], {}, "no attribute x", "bad", f"pip uninstall -y {CONTRIB} {PLAIN}"),
        ([], {}, "No module named 'cv2'", "bad", f"pip install {CONTRIB}"),
    ],
)
def test_distributions_that_share_a_folder(installed, spoilt, broken, status, words):
    finding = packages.check_family("cv2", installed, spoilt, broken)
    assert finding.status == status
    assert words in f"{finding.found} {finding.todo}"


def test_a_second_opencv_and_the_files_it_spoilt_are_seen(tmp_path, monkeypatch):
    for name in ("opencv-python", "opencv-python-headless"):  # as pip lays them out
        folder = tmp_path / f"{name.replace('-', '_')}-4.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 4.0\n")
        size = 3 if name == "opencv-python" else 5
        (folder / "RECORD").write_text(f"cv2/a.py,sha256=x,{size}\ncv2/b.pyc,,\n")
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2" / "a.py").write_text("12345")
    monkeypatch.syspath_prepend(tmp_path)
    installed, spoilt, broken = packages.family_facts("cv2")
    assert {"opencv-python", "opencv-python-headless"} < set(installed)
    assert (spoilt["opencv-python"], spoilt["opencv-python-headless"]) == (1, 0)
    assert broken == ""


def test_codecs():
    assert engines.check_codecs(["h264"], ["libx264"], []).status == "ok"
    assert engines.check_codecs(["h264", "av1"], ["libx264"], ["av1"]).status == "note"
    assert engines.check_codecs(["h264"], ["libx264"], ["h264"]).status == "bad"
    assert engines.check_codecs(["h264"], ["libx264"], ["libx264"]).status == "bad"
    assert missing_decoders(["h264", "no such codec"]) == ["no such codec"]
    assert missing_encoders(["libx264", "h265encoder"]) == ["h265encoder"]


CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


@pytest.mark.parametrize(
    ("available", "has_gpu", "problems", "statuses"),
    [
        ([CUDA, CPU], False, {}, ["ok", "ok"]),
        ([TENSORRT, CUDA, CPU], True, {}, ["ok", "ok", "ok"]),
        ([CUDA, CPU], True, {CUDA: "libcublasLt.so.13: cannot open"}, ["ok", "note", "note"]),
        ([CPU], True, {}, ["ok", "note", "note"]),
        ([], False, {}, ["bad"]),
    ],
)
def test_providers(available, has_gpu, problems, statuses):
    findings = engines.check_providers(available, has_gpu, problems)
    assert [finding.status for finding in findings] == statuses
    text = " ".join(finding.found for finding in findings)
    assert all(problem in text for problem in problems.values())


def test_a_provider_is_tried_in_another_process():
    assert start_problem(CPU) == ""
    assert start_problem("NoSuchProvider") != ""
    if not os.path.exists("/dev/nvidiactl"):  # noqa: PTH110
        assert start_problem(CUDA) != ""
    onnx = pytest.importorskip("onnx")
    onnx.checker.check_model(onnx.load_model_from_string(bytes.fromhex(IDENTITY)))


def test_torch_is_optional():
    assert engines.check_torch(None).status == "ok"
    assert "fervid[torch]" in engines.check_torch(None).todo
    assert "2.6.0" in engines.check_torch("2.6.0").found


def failing(error):
    def fail():
        raise error

    return fail


def test_detectors():
    assert engines.check_detector("short", lambda: None).status == "ok"
    finding = engines.check_detector("full", failing(ImportError("No module named 'mediapipe'")))
    assert (finding.name, finding.status) == ("Faces (full)", "bad")
    assert "pip install mediapipe==0.10.33" in finding.todo


def test_the_model_and_its_card():
    card = ModelCard("net", ("a", "b"), 48, precision="int8", metrics={"clean": 0.649})
    model, shown = engines.check_model("m.onnx", lambda: (card, "0123456789abcdef" * 4))
    assert (model.status, shown.status) == ("ok", "ok")
    assert "sha256 0123456789abcdef" in model.found
    for words in ("net", "int8", "2 classes: a, b", "clean 0.649"):
        assert words in shown.found
    for error in (CardError("m.onnx has no card."), RuntimeError("odd")):
        (finding,) = engines.check_model("m.onnx", failing(error))
        assert finding.status == "bad"
        assert str(error) in finding.found


FINDINGS = [Finding("A", "ok", "x"), Finding("B", "note", "a\x1b[31m:o:[/]\nb", "do it")]


def test_table_and_json_say_the_same_and_obey_no_control_characters():
    console = Console(width=60, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(table(FINDINGS))
    text = console.export_text()
    console.file.close()
    assert "\x1b" not in text
    assert ":o:[/]" in text
    assert "do it" in text
    shown = json.loads(to_json(FINDINGS))
    assert shown["works"] is True
    assert shown["findings"][0] == {"name": "A", "status": "ok", "found": "x", "todo": ""}


def test_only_what_is_needed_and_broken_is_a_failure():
    assert works(FINDINGS)
    assert verdict(FINDINGS) == "Everything that is needed works (1 notes)."
    bad = [*FINDINGS, Finding("C", "bad", "gone", "mend it")]
    assert not works(bad)
    assert verdict(bad).startswith("1 of 3 checks failed")


def test_this_machine_works(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    found = {row["name"]: row for row in shown["findings"]}
    assert shown["works"]
    for name in ("Python", "Codecs", "ONNX Runtime", "Faces (short)", "Faces (full)", "Model"):
        assert found[name]["status"] == "ok"
    assert "int8" in found["Model card"]["found"]
    assert found["Configuration"]["found"].startswith("no fervid.toml here")


def test_a_broken_model_and_configuration_exit_1_and_stay_a_table(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    (tmp_path / "fervid.toml").write_text("smoot = 1")
    assert main(["doctor", "--model", "broken.onnx"]) == 1
    out = capsys.readouterr().out
    assert "broken.onnx cannot be loaded as an ONNX model" in out
    assert "Unknown key smoot in fervid.toml" in out
    assert "checks failed" in out


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("av", "Codecs"),
        ("mediapipe", "Faces (short)"),
        ("onnxruntime", "ONNX Runtime"),
        ("numpy", "Model"),
        ("cv2", "OpenCV"),
        ("psutil", "Memory"),
    ],
)
def test_a_missing_library_is_a_finding(library, name):
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name.split('.')[0] == {library!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from fervid.doctor.command import to_json\n"
        "from fervid.doctor.examine import examine\n"
        "sys.stdout.write(to_json(examine()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    found = {row["name"]: row for row in json.loads(done.stdout)["findings"]}
    assert found[name]["status"] == "bad"
    assert library in found[name]["found"]
    assert "pip install" in found[name]["todo"]


def test_every_finding_that_is_not_ok_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for finding in examine():
        assert finding.status == "ok" or finding.todo, finding


def test_versions_of_what_is_not_installed_are_none():
    def version(name):
        raise metadata.PackageNotFoundError(name)

    assert set(packages.installed_versions(version).values()) == {None}
