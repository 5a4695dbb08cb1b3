"""Exit codes and messages; what carries a configuration out is a fake."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fervid import __version__
from fervid.cli import main
from fervid.config import STDOUT, RunConfig
from fervid.errors import ConfigError, ModelLoadError, SinkError


class FakeRun:
    """Remembers its configuration; prints, writes data, then raises what it is told to."""

    def __init__(self, error: BaseException | None = None):
        self.error = error
        self.config: RunConfig | None = None

    def __call__(self, config, *, stderr, stdout, clock):
        self.config = config
        print("chatter of a library")  # noqa: T201
        stdout.write('{"frame": 0}\n')
        logging.getLogger("fervid.fake").debug("a detail")
        assert clock() <= clock()
        assert stderr.stderr
        if self.error is not None:
            raise self.error


def parsed(*argv: str) -> RunConfig:
    run = FakeRun()
    assert main(argv, run) == 0
    assert run.config is not None
    return run.config


def test_nothing_given_says_what_to_do_next(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "fervid clip.mp4 -o results/" in err
    assert len(err.splitlines()) == 5
    assert "fervid doctor" in err


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_every_option_with_default_and_unit(capsys, monkeypatch, flag):
    monkeypatch.setenv("COLUMNS", "100")
    assert main([flag]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in (
        "SOURCE...",
        "-o",
        "--camera",
        "--no-heatmap",
        "seconds",
        "pixels",
        "[default: 0.5]",
        "[default: 25]",
    ):
        assert words in out
    titles = re.findall(r"╭─ ([\w ]+) ─", out)
    assert titles[:4] == ["Sources and display", "Reading", "Outputs", "Noise"]
    assert "[default: False]" not in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"{__version__}\n", "")


def test_flags_reach_their_sections():
    config = parsed(
        *("a.mp4", "-o", "res", "--filter", "median", "--filter-set", "paper-table3"),
        *("--cam", "gradcam", "--no-heatmap", "--heatmap-smooth-s", "0", "--smooth-s", "1.5"),
        *("--min-face-px", "40", "--model", "m.onnx", "--device", "cpu", "--threads", "2"),
        *("--overwrite", "-q", "-v"),
    )
    assert config.sources == ("a.mp4",)
    assert config.output.out == Path("res")
    assert config.output.overwrite
    assert (config.filter.filter, config.filter.filter_set) == ("median", "paper-table3")
    assert (config.explain.cam, config.explain.heatmap) == ("gradcam", False)
    assert (config.explain.heatmap_smooth_s, config.labels.smooth_s) == (0, 1.5)
    assert config.faces.min_face_px == 40
    assert config.model.model == Path("m.onnx")
    assert (config.model.device, config.cores.threads) == ("cpu", 2)
    assert config.quiet
    assert config.verbose


def test_flags_not_given_leave_the_defaults():
    assert parsed("a.mp4", "b.mp4") == RunConfig(("a.mp4", "b.mp4"))
    assert parsed("--camera", "0") == RunConfig(camera=(0,))


def test_sources_may_stand_anywhere_and_look_like_options():
    assert parsed("a.mp4", "-o", "r", "b.mp4").sources == ("a.mp4", "b.mp4")
    assert parsed("--", "-a.mp4").sources == ("-a.mp4",)


@pytest.mark.parametrize(
    ("argv", "sources", "to_stdout"),
    [
        (["-"], ("-",), False),
        (["-", "--jsonl", "-"], ("-",), True),
        (["--jsonl", "-", "-"], ("-",), True),
        (["--quiet", "-"], ("-",), False),
        (["a.mp4", "-", "-q", "--", "-b.mp4"], ("a.mp4", "-", "-b.mp4"), False),
    ],
)
def test_a_dash_elsewhere_is_standard_input(argv, sources, to_stdout):
    config = parsed(*argv)
    assert config.sources == sources
    assert config.output.uses_stdout == to_stdout


@pytest.mark.parametrize("argv", [["--jsonl", "-"], ["--jsonl=-"]])
def test_a_dash_is_standard_output(argv):
    assert parsed("a.mp4", *argv).output.jsonl == STDOUT


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["a.mp4", "--smoot-s", "1"], "There is no option --smoot-s; did you mean --smooth-s?"),
        (["a.mp4", "--overwritee"], "did you mean --overwrite?"),
        (["a.mp4", "--filter", "medain"], "deblock, not medain; did you mean median?"),
        (["a.mp4", "--threads", "two"], "--threads must be a whole number, not two."),
        (["a.mp4", "--every", "1.5"], "--every must be a whole number, not 1.5."),
        (["a.mp4", "--every", ""], "--every must be a whole number, not ''."),
        (["--camera", "0.6"], "--camera must be a whole number, not 0.6."),
        (["a.mp4", "--threads", "-3"], "--threads must be from 0 to 1024, not -3."),
        (["a.mp4", "--jsonl"], "--jsonl needs a value; see fervid --help."),
        (["a.mp4", "--jsonl", "-", "--csv", "-"], "Only one output can go to standard output"),
        (["a.mp4", "--video", "-"], "--video cannot be written to standard output"),
        (["--camera", "-1"], "--camera must be at least 0, not -1."),
        (["-o", "results"], "No source given; name a video file or --camera N."),
        (["train", "fit", "x.toml"], "it needs a source checkout: `python -m train`"),
        (["export", "--help"], "it needs a source checkout: `python -m export`"),
    ],
)
def test_usage_errors_are_one_line_and_exit_2(capsys, argv, words):
    run = FakeRun()
    assert main(argv, run) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fervid: ")
    assert words in err
    assert err.count("\n") == 1
    assert run.config is None


def test_existing_outputs_exit_2_before_any_work(capsys, tmp_path):
    csv, folder = tmp_path / "a.csv", tmp_path / "folder"
    csv.touch()
    assert main(["a.mp4", "--csv", str(csv)]) == 2  # a.mp4, which is not there, is not opened
    assert "exists; add --overwrite" in capsys.readouterr().err
    assert main(["a.mp4", "-o", str(csv)], FakeRun()) == 2
    assert "--out needs a folder" in capsys.readouterr().err
    folder.mkdir()
    assert main(["a.mp4", "-o", str(folder)], FakeRun()) == 0


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ModelLoadError("The model file x does not exist; check --model."), 1, "check --model"),
        (SinkError("The disk is full."), 1, "fervid: The disk is full."),
        (ConfigError("r/a exists; add --overwrite."), 2, "fervid: r/a exists; add --overwrite."),
        (KeyboardInterrupt(), 130, "fervid: interrupted; the outputs are finished."),
    ],
)
def test_what_a_run_raises_becomes_an_exit_code(capsys, error, code, words):
    assert main(["a.mp4"], FakeRun(error)) == code
    out, err = capsys.readouterr()
    assert words in err
    assert "Traceback" not in err
    assert out == '{"frame": 0}\n'


def test_a_programming_mistake_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        main(["a.mp4"], FakeRun(ZeroDivisionError()))


def test_verbose_adds_the_log_and_the_traceback(capsys):
    assert main(["a.mp4", "-v"], FakeRun(SinkError("The disk is full."))) == 1
    err = capsys.readouterr().err
    assert "a detail" in err
    assert "Traceback" in err
    assert err.endswith("fervid: The disk is full.\n")
    assert logging.getLogger("fervid").handlers == []
    assert main(["a.mp4"], FakeRun()) == 0
    assert "a detail" not in capsys.readouterr().err


def test_data_and_peoples_text_never_mix(capsys):
    assert main(["a.mp4", "--jsonl", "-"], FakeRun()) == 0
    out, err = capsys.readouterr()
    assert out == '{"frame": 0}\n'
    assert "chatter of a library" in err


def test_messages_show_control_characters_and_stay_one_line(capsys):
    main(["a.mp4"], FakeRun(SinkError("No \x1b[31mred[/] :o: file\nhere.")))
    assert capsys.readouterr().err.splitlines()[-1] == r"fervid: No \x1b[31mred[/] :o: file here."


def test_import_is_light():
    heavy = {"torch", "av", "mediapipe", "onnxruntime", "pyarrow", "cv2", "ray"}
    code = f"import sys, fervid.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("after", ["", "raise SinkError('The sink failed.')"])
def test_a_reader_that_left_ends_fervid_as_it_ends_other_programs(after):
    code = (
        "import sys; from fervid.cli import main; from fervid.errors import SinkError\n"
        "def run(config, *, stderr, stdout, clock):\n"
        f"    sys.stdin.read(); stdout.write('x'); {after}\n"
        "sys.exit(main(['a.mp4', '--jsonl', '-'], run))"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with subprocess.Popen([sys.executable, "-c", code], **pipes, env=buffered) as child:
        child.stdout.close()  # before the child writes, for it waits for its input's end
        child.stdin.close()
        said = child.stderr.read().decode()
    expected = (1, "fervid: The sink failed.\n") if after else (141, "")
    assert (child.returncode, said) == expected
