"""The help, the commands' names, and completion in real shells."""

import re
import shutil
import subprocess

import pytest

from fervid.brief import RARE_OPTIONS
from fervid.cli import main
from fervid.parser import COMMANDS, SECTIONS


def printed(capsys, *argv):
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_help_fits_two_screens(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    lines = printed(capsys, "--help").splitlines()
    assert len(lines) <= 105
    assert max(map(len, lines)) <= 100


def test_the_whole_help_has_every_option_and_the_short_one_few_less(capsys):
    short, whole = (
        set(re.findall(r"--[a-z][a-z-]+", printed(capsys, flag)))
        for flag in ("--help", "--help-all")
    )
    names = {f"--{n.replace('_', '-')}" for s in SECTIONS for n in s.__dataclass_fields__}
    assert names <= whole
    assert "--help-all" in short
    hidden = whole - short
    assert hidden >= RARE_OPTIONS
    assert {"--threads", "--dark-from"} < hidden
    assert not hidden & {"--out", "--filter", "--window", "--every", "--model"}


def test_help_has_negative_forms_of_what_is_on_by_itself_only(capsys):
    forms = set(re.findall(r"--no-[a-z-]+", printed(capsys, "--help-all")))
    assert forms == {
        f"--no-{name}" for name in ("window", "images", "heatmap", "config", "tls-verify")
    }


@pytest.mark.parametrize("words", [*COMMANDS, "config"])
def test_every_command_has_help(capsys, words):
    out = printed(capsys, *words.split(), "--help")
    assert f"Usage: fervid {words}" in out
    assert (COMMANDS[words].help if words in COMMANDS else "show") in " ".join(out.split())


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["doctr"], "There is no file doctr; did you mean `fervid doctor`?"),
        (["confg", "show"], "did you mean `fervid config show`?"),
        (["completions", "bash"], "did you mean `fervid completion`?"),
        (["-q", "doctor"], "did you mean `fervid doctor`?"),
        (["config", "shw"], "did you mean fervid config show?"),
        (["doctor", "--jsn"], "did you mean --json?"),
        (["completion", "bsh"], "did you mean bash?"),
    ],
)
def test_a_misspelt_command_names_the_nearest(capsys, argv, words):
    assert main(argv, lambda *_, **__: None) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", ["./doctor", "./config", "doctr"])
def test_a_file_with_a_commands_name_can_be_analysed(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    configs = []
    assert main([name], lambda config, **_: configs.append(config)) == 0
    assert configs[0].sources == (name,)


@pytest.fixture
def script(capsys, tmp_path, monkeypatch):
    """A folder with files to complete, and the bash script."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip one.mp4").touch()
    path = tmp_path / "completion.bash"
    path.write_text(printed(capsys, "completion", "bash"))
    return path


def completed(script, *words):
    """What bash would offer for the last word."""
    code = (
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '$(complete -p fervid | sed "s/.*-F //; s/ fervid//"); printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", code, str(script), *words], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_options_values_commands_and_files(script):
    subprocess.run(["bash", "-n", script], check=True)
    assert completed(script, "fervid", "--ca") == ["--camera", "--cam"]
    assert completed(script, "fervid", "clip.mp4", "--anonymize", "p") == ["pixelate"]
    assert completed(script, "fervid", "--cam", "gradcam_") == ["gradcam_fused"]
    assert completed(script, "fervid", "do") == ["doctor"]
    assert completed(script, "fervid", "config", "") == ["show"]
    assert completed(script, "fervid", "config", "show", "--thr") == ["--threads"]
    assert completed(script, "fervid", "doctor", "--j") == ["--json"]
    assert completed(script, "fervid", "--mirror", "x.mp4", "cli") == ["clip one.mp4"]
    assert set(completed(script, "fervid", "c")) >= {"config", "completion", "clip one.mp4"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_of_other_shells_are_valid(capsys, tmp_path, shell):
    path = tmp_path / "script"
    path.write_text(printed(capsys, "completion", shell))
    assert "--anonymize" in path.read_text() or "anonymize" in path.read_text()
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", path], check=True)


def test_completion_can_be_installed(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    out = printed(capsys, "--install-completion", "bash")
    scripts = [path for path in tmp_path.rglob("*") if path.name == "fervid"]
    assert str(scripts[0]) in out
    assert "_fervid_or_files" in scripts[0].read_text()


def test_completion_for_an_unknown_shell_is_a_sentence(capsys, monkeypatch):
    monkeypatch.setattr("cyclopts.completion.detect_shell", lambda: "powershell")
    assert main(["--install-completion"]) == 2
    assert "name one, as in `fervid --install-completion bash`" in capsys.readouterr().err
