"""Flags over the file over the defaults, and `fervid config show`, which says so."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fervid.cli import main
from fervid.config import RunConfig
from fervid.config.file import load_config
from fervid.config.writing import to_toml
from tests.clips import clip


class FakeRun:
    """Remembers its configuration."""

    config: RunConfig | None = None

    def __call__(self, config, **_):
        self.config = config


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(*argv):
    run = FakeRun()
    assert main(argv, run) == 0
    return run.config


def shown(capsys, *argv):
    assert main(["config", "show", *argv]) == 0
    return capsys.readouterr().out


FILE = """\
sources = ["file.mp4"]
camera = [1]
[labels]
smooth_s = 0.8
[read]
every = 3
mirror = true

[[source]]
uri = "door.mp4"
mirror = false
roi = [0, 0, 64, 48]
"""


def test_flags_go_before_the_file_and_the_file_before_the_defaults(here, capsys):
    Path("fervid.toml").write_text(FILE)
    config = parsed("door.mp4", "--every", "2", "--no-heatmap")
    assert (config.read.every, config.read.mirror, config.labels.smooth_s) == (2, True, 0.8)
    assert (config.explain.heatmap, config.faces.min_score) == (False, 0.5)
    assert config.read_for("door.mp4").roi == (0, 0, 64, 48)
    assert config.read_for("door.mp4").mirror is False
    assert capsys.readouterr().err == "fervid: using fervid.toml.\n"


def test_a_source_on_the_command_line_replaces_all_of_the_file(here):
    Path("fervid.toml").write_text(FILE)
    assert parsed().all_sources() == ("file.mp4", "camera:1")
    assert parsed("a.mp4").all_sources() == ("a.mp4",)
    assert parsed("--camera", "0").all_sources() == ("camera:0",)


def test_a_flag_goes_before_the_settings_of_a_source_too(here):
    Path("fervid.toml").write_text(FILE)
    config = parsed("door.mp4", "--mirror", "--roi", "1,2,30,40")
    assert config.read_for("door.mp4").mirror is True
    assert config.read_for("door.mp4").roi == (1, 2, 30, 40)


def test_which_file_is_used_can_be_chosen(here, capsys):
    Path("fervid.toml").write_text("camera = [1]")
    Path("other.toml").write_text("camera = [2]")
    assert parsed("--config", "other.toml").camera == (2,)
    assert parsed("--quiet").camera == (1,)
    assert parsed("a.mp4", "--no-config").camera == ()
    assert capsys.readouterr().err == ""


def test_a_file_without_sources_leaves_the_welcome(here, capsys):
    Path("fervid.toml").write_text("[labels]\nsmooth_s = 1")
    assert main([]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 5


@pytest.mark.parametrize(
    ("text", "argv", "words"),
    [
        ("[labels]\nsmoot_s = 1", ["a.mp4"], "of fervid.toml; did you mean smooth_s?"),
        ("x = \n", ["a.mp4"], "(at line 1, column 5)"),
        ("", ["a.mp4", "--config", "no.toml"], "There is no configuration file no.toml"),
        ("[read]\nstart = 50", ["a.mp4", "--end", "9"], "(start comes from fervid.toml, line 2)."),
        ('[output]\nvideo = "-"', ["a.mp4"], "(video comes from fervid.toml, line 2)."),
    ],
)
def test_mistakes_in_the_file_exit_2_and_name_it(here, capsys, text, argv, words):
    Path("fervid.toml").write_text(text)
    run = FakeRun()
    assert main(argv, run) == 2
    out, err = capsys.readouterr()
    assert (out, run.config) == ("", None)
    assert words in err
    assert err.count("\n") == 1


def test_config_show_says_where_each_value_came_from(here, capsys):
    Path("fervid.toml").write_text(FILE)
    text = shown(capsys, "--every", "2", "-o", "res")
    lines = {line.split(" = ")[0]: " ".join(line.split()) for line in text.splitlines()}
    assert lines["sources"] == 'sources = ["file.mp4"] # fervid.toml, line 1'
    assert lines["smooth_s"] == "smooth_s = 0.8 # fervid.toml, line 4"
    assert lines["every"] == "every = 2 # command line"
    assert lines["out"] == 'out = "res" # command line'
    assert lines["cam"] == 'cam = "adaptive" # default'
    assert lines["roi"] == "roi = [0, 0, 64, 48] # fervid.toml, line 12"
    assert re.search(r"^# model is not set +# default$", text, re.MULTILINE)


def test_config_show_shows_no_credentials(here, capsys):
    Path("fervid.toml").write_text('[[source]]\nuri = "rtsp://anna:secret@cam/s?token=key123"\n')
    text = shown(capsys)
    assert 'sources = ["rtsp://cam/s?token=***"]' in text
    assert not re.search("anna|secret|key123", text)


def test_config_show_prints_text_as_it_is(here, capsys):
    name = "[red]:o: " + "x" * 200 + '"\\\x7f\t.mp4'
    text = shown(capsys, name)
    assert tomllib.loads(text)["sources"] == [name]


def test_what_config_show_prints_is_the_same_configuration(here, capsys):
    Path("fervid.toml").write_text(FILE)
    argv = ("door.mp4", "--every", "2", "-o", "~/r", "--jsonl", "-", "--mirror", "--no-window")
    before = parsed(*argv)
    text = shown(capsys, *argv)
    assert load_config_text(text) == before
    assert re.sub(" +#.*", "", shown(capsys)) == re.sub(" +#.*", "", text)


def load_config_text(text):
    Path("fervid.toml").write_text(text, encoding="utf-8")
    return load_config("fervid.toml")


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
NAMES = TEXT.filter(lambda name: not name.startswith("~/"))
VALUES = {
    "sources": st.lists(NAMES.filter(lambda name: "://" not in name)).map(tuple),
    "quiet": st.booleans(),
    "every": st.integers(1, 10**9),
    "start": st.floats(0, 1e9),
    "roi": st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 10**6)] * 2),
    "window": st.sampled_from([None, True, False]),
    "out": TEXT.map(Path).filter(lambda path: path != Path("-")),
    "smooth_s": st.floats(0, allow_infinity=False),
    "cam": st.sampled_from(["gradcam", "adaptive"]),
}


@given(st.fixed_dictionaries({}, optional=VALUES))
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_configuration_survives_toml(tmp_path_factory, monkeypatch, values):
    from fervid.config import ExplainConfig, LabelConfig, OutputConfig, ReadConfig, WindowConfig

    def some(*names):
        return {name: values[name] for name in names if name in values}

    config = RunConfig(
        **some("sources", "quiet"),
        read=ReadConfig(**some("every", "start", "roi")),
        window=WindowConfig(**some("window")),
        output=OutputConfig(**some("out")),
        labels=LabelConfig(**some("smooth_s")),
        explain=ExplainConfig(**some("cam")),
    )
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
    assert load_config_text(to_toml(config, lambda _: "here")) == config


def test_a_whole_run_from_a_file_alone(here, capsys):
    clip(here / "door.mp4", frames=6)
    Path("fervid.toml").write_text(
        '[[source]]\nuri = "door.mp4"\nlabel = "front door"\n[output]\nout = "results"\n'
    )
    assert main([]) == 0
    (journal,) = Path("results").rglob("faces.jsonl")
    head = json.loads(journal.read_text().splitlines()[0])
    assert head["source"]["label"] == "front door"
    assert head["config"]["per_source"] == [{"uri": "door.mp4", "label": "front door", "read": {}}]
    assert head["config"]["output"]["out"] == "results"
    assert "using fervid.toml" in capsys.readouterr().err
