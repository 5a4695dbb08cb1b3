"""The configuration file: what it may say, how it is refused, and what a run gets from it."""

import re
from pathlib import Path

import pytest

from fervid.config import STDOUT, ReadConfig, RunConfig, SourceConfig
from fervid.config.file import load_config, read_config_file
from fervid.config.statements import key_lines
from fervid.errors import ConfigError
from fervid.expand import expand


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text, name="fervid.toml"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
    return load_config(name)


EVERY_KIND = """
sources = ["a.mp4"]
camera = [0]
quiet = true
[read]
every = 3
start = "1:30"
end = 100
roi = "1,2,30,40"
rtsp_transport = "udp"
[window]
window = false
[output]
out = "results"
jsonl = "-"
[labels]
smooth_s = 1
"""


def test_every_kind_of_value_reaches_its_field(here):
    config = load(EVERY_KIND)
    assert config.sources == ("a.mp4",)
    assert (config.camera, config.quiet) == ((0,), True)
    assert config.read == ReadConfig(
        every=3, start=90, end=100, roi=(1, 2, 30, 40), rtsp_transport="udp"
    )
    assert config.window.window is False
    assert (config.output.out, config.output.jsonl) == (Path("results"), STDOUT)
    assert config.labels.smooth_s == 1
    assert isinstance(config.labels.smooth_s, float)
    assert config.faces == RunConfig().faces


def test_an_empty_file_is_the_defaults(here):
    assert load("") == RunConfig()


def test_paths_are_relative_to_the_file(here):
    config = load(
        'sources = ["a.mp4", "/b.mp4", "c/*.mkv", "http://x/y", "camera:1", "0", "-"]\n'
        '[model]\nmodel = "m.onnx"\n[output]\nout = "/r"\n'
        '[read]\ncredentials = "~/keys"\n',
        "sub/own.toml",
    )
    files = ("sub/a.mp4", "/b.mp4", "sub/c/*.mkv")
    assert config.sources == (*files, "http://x/y", "camera:1", "0", "-")
    assert config.model.model == Path("sub/m.onnx")
    assert config.output.out == Path("/r")
    assert config.read.credentials == Path.home() / "keys"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[labels]\nsmoot_s = 1", "key smoot_s in [labels] of fervid.toml; did you mean smooth_s?"),
        ("[label]\nsmooth_s = 1", "Unknown section [label] in fervid.toml; did you mean [labels]?"),
        ("[labels]\nthreads = 1", "threads in [labels] of fervid.toml; it belongs below [cores]."),
        ("smooth_s = 1", "Unknown key smooth_s in fervid.toml; it belongs below [labels]."),
        ('[read]\nsources = ["a"]', "it belongs above the first section."),
        ("colour = 1", "known are sources, camera, quiet, verbose, read,"),
        (
            '[labels]\nsmooth_s = "x"',
            'smooth_s in [labels] of fervid.toml must be a number, not "x"',
        ),
        ("[labels]\nsmooth_s = -1", "smooth_s in [labels] of fervid.toml must be at least 0"),
        ("[labels]\nsmooth_s = nan", "must be at least 0, not nan."),
        ("[cores]\nthreads = true", "must be a whole number, not true."),
        ("[cores]\nthreads = 1.5", "must be a whole number, not 1.5."),
        ("[output]\nout = 3", "must be a path in quotes, not 3."),
        ('sources = ["a\\u0000b"]', "must be a list of texts in quotes, not"),
        ('[[source]]\nuri = "\\u0000"', "must be text without a NUL character"),
        ("[output]\noverwrite = 1", "must be true or false, not 1."),
        ('[explain]\ncam = "lime"', "cam in [explain] of fervid.toml must be one of gradcam"),
        ("[explain]\ncam = 4", "must be text in quotes, not 4."),
        ("[read]\nroi = [1, 2]", "must be a list of 4 whole numbers, not [1, 2]."),
        ('[read]\nroi = "1;2"', "roi in [read] of fervid.toml must be four whole numbers x,y,w,h"),
        ('[read]\nstart = "soon"', "start in [read] of fervid.toml must be a time in seconds"),
        ('[segments]\nmax_disk = "20"', "max_disk in [segments] of fervid.toml must be a size"),
        ("[watch]\nmetrics_port = -1", "metrics_port in [watch] of fervid.toml must be PORT"),
        ('sources = "a.mp4"', 'fervid.toml must be a list of texts in quotes, not "a.mp4".'),
        ("camera = [true]", "camera of fervid.toml must be a list of whole numbers, not [true]."),
        ("read = 1", "read in fervid.toml is a table; write [read] above its keys."),
        ("[read]\nx = 1979-05-27", "Unknown key x"),
        ('[source]\nuri = "a"', "write [[source]] above each."),
        ("[[source]]\nmirror = true", "A [[source]] in fervid.toml has no uri"),
        ("[[source]]\nuri = 1", "uri in [[source]] of fervid.toml must be text in quotes, not 1."),
        (
            '[[source]]\nuri = "a"\nmirrr = true',
            "mirrr in [[source]] of fervid.toml; did you mean mirror?",
        ),
        ('[[source]]\nuri = "a"\nsmall_px = 1', "it belongs below [labels]."),
        ('[[source]]\nuri = "a"\nroi = [0, 0, 0, 1]', "The settings of a: --roi must start"),
        ('[[source]]\nuri = "a"\n[[source]]\nuri = "a"', "a has two [[source]] tables"),
        ("x = \n[y", "fervid.toml is not valid TOML: Invalid value (at line 1, column 5)."),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest_right_thing(here, text, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        load(text)


def test_a_file_that_cannot_be_read_is_a_sentence(here):
    with pytest.raises(ConfigError, match=r"There is no configuration file no\.toml"):
        load_config("no.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(here)
    Path("latin.toml").write_bytes(b'sources = ["\xe4.mp4"]')
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        load_config("latin.toml")
    Path("windows.toml").write_bytes(b"\xef\xbb\xbfcamera = [1]\r\n[read]\r\nevery = 2\r\n")
    assert load_config("windows.toml").read.every == 2
    assert read_config_file(Path("windows.toml")).lines["read", "every"] == 3


def test_lines_of_keys_are_found_behind_strings_and_lists_that_look_like_keys():
    text = (
        "# one = 1\n"
        'two = """\n[not]\nthree = 3\n"""\n'
        "six = [\n  1, # x = 1\n  [2],\n]\n\n"
        "[a.b]\nc.d = 1\ne = {f = 2}\n"
        "[[s]]\nx = 1\n[[s]]\nx = 2\n"
    )
    lines = key_lines(text)
    assert lines["two",] == 2
    assert ("not",) not in lines
    assert lines["six",] == 6
    assert lines["a", "b", "c", "d"] == 12
    assert lines["a", "b", "e", "f"] == 13
    assert (lines["s", 0, "x"], lines["s", 1, "x"]) == (15, 17)


PER_SOURCE = """
[read]
every = 2
[[source]]
uri = "door.mp4"
label = "door"
roi = [0, 0, 64, 48]
[[source]]
uri = "archive"
mirror = true
[[source]]
uri = "rtsp://cam/s"
every = 5
[[source]]
uri = "night_*.mkv"
roi = [1, 1, 2, 2]
"""


def test_each_source_has_its_own_settings_over_those_of_all(here):
    config = load(PER_SOURCE)
    assert config.sources == ("door.mp4", "archive", "rtsp://cam/s", "night_*.mkv")
    assert config.read_for("door.mp4") == ReadConfig(every=2, roi=(0, 0, 64, 48))
    assert config.read_for(str(here / "door.mp4")).roi == (0, 0, 64, 48)
    assert config.settings_for("door.mp4").label == "door"
    assert config.read_for("archive/2020/a.mp4") == ReadConfig(every=2, mirror=True)
    assert config.read_for("rtsp://user:pw@cam/s").every == 5
    assert config.read_for("night_1.mkv").roi == (1, 1, 2, 2)
    for other in ("archive2/a.mp4", "rtsp://cam/s2", "camera:0"):
        assert config.read_for(other) == ReadConfig(every=2)
        assert config.settings_for(other).label is None


@pytest.mark.parametrize("name", ["x/a.mp4", "x/y/a.mp4", "x/y/z/a.mp4"])
def test_a_pattern_over_folders_is_of_the_files_that_it_finds(here, name):
    (here / name).parent.mkdir(parents=True)
    (here / name).touch()
    config = load('[[source]]\nuri = "**/x/**/*.mp4"\nmirror = true\n')
    assert [config.read_for(source).mirror for source in expand(config)] == [True]


def test_a_camera_has_its_settings_by_any_of_its_names(here):
    for uri in ("0", "camera:0", "/dev/video0"):
        config = load(f'camera = [0, 1]\n[[source]]\nuri = "{uri}"\nmirror = true\n')
        assert [config.read_for(s).mirror for s in config.all_sources()] == [True, False]
        assert config.read_for("0").mirror
    (here / "0").touch()  # now a file's name
    assert not config.read_for("0").mirror


def test_tables_of_sources_name_the_sources_unless_something_else_does(here):
    table = '[[source]]\nuri = "a.mp4"\n'
    assert load(table).all_sources() == ("a.mp4",)
    assert load(f'sources = ["b.mp4"]\n{table}').all_sources() == ("b.mp4",)
    assert load(f"camera = [0]\n{table}").all_sources() == ("camera:0",)


def test_settings_of_sources_are_written_without_credentials():
    config = RunConfig(per_source=(SourceConfig("rtsp://u:pw@h/s", read={"roi": (1, 2, 3, 4)}),))
    assert config.as_dict()["per_source"] == [
        {"uri": "rtsp://h/s", "label": None, "read": {"roi": [1, 2, 3, 4]}}
    ]


@pytest.mark.parametrize(
    ("written", "kept"), [("5", "5"), ('"5"', "5"), ('"none"', "none"), ("0", "none")]
)
def test_reconnect_may_be_a_word_or_a_number(here, written, kept):
    config = load(f'[read]\nreconnect = {written}\n[[source]]\nuri = "0"\nreconnect = 2\n')
    assert config.read.reconnect == kept
    assert config.read_for("camera:0").attempts == 2
    with pytest.raises(
        ConfigError, match=r"reconnect in \[read\] of .* must be forever, none or a"
    ):
        load('[read]\nreconnect = "often"\n')
    with pytest.raises(ConfigError, match=r"reconnect in \[read\] of .* must be text"):
        load("[read]\nreconnect = 2.5\n")
