"""Defaults are valid and documented; wrong values are refused with the option's name."""

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import get_args

import pytest

from fervid import config as config_module
from fervid.config import (
    STDOUT,
    CamName,
    ExplainConfig,
    FaceConfig,
    FilterChoice,
    FilterConfig,
    FilterSetName,
    LabelConfig,
    ModelConfig,
    OutputConfig,
    ReadConfig,
    RunConfig,
    SegmentConfig,
    ThreadConfig,
    WatchConfig,
    WindowConfig,
    refuse_existing,
    without_credentials,
)
from fervid.errors import ConfigError

SECTIONS = (
    *(ReadConfig, WindowConfig, OutputConfig, SegmentConfig),
    *(FilterConfig, FaceConfig, LabelConfig, ExplainConfig, ModelConfig, ThreadConfig),
    WatchConfig,
)


def test_choices_are_those_of_the_modules_that_know_them():
    from fervid.filters import FILTERS
    from fervid.records import CAM_NAMES

    assert get_args(CamName) == CAM_NAMES
    assert get_args(FilterSetName) == tuple(FILTERS)
    assert get_args(FilterChoice) == ("auto", *FILTERS["tuned"])


@pytest.mark.parametrize("section", [*SECTIONS, RunConfig])
def test_every_field_is_documented(section):
    for field in dataclasses.fields(section):
        assert re.search(rf"^    +{field.name}: \S", section.__doc__, re.MULTILINE), field.name


def test_field_names_are_distinct_over_all_sections():
    names = [f.name for section in SECTIONS for f in dataclasses.fields(section)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        (ThreadConfig, {"threads": -1}, "--threads must be from 0 to 1024, not -1."),
        (FaceConfig, {"min_score": 1.5}, "--min-score must be from 0 to 1, not 1.5."),
        (FaceConfig, {"max_faces": 0}, "--max-faces must be at least 1, not 0."),
        (LabelConfig, {"smooth_s": float("nan")}, "--smooth-s must be at least 0, not nan."),
        (LabelConfig, {"smooth_s": float("inf")}, "--smooth-s must be at least 0, not inf."),
        (LabelConfig, {"confident_from": 2}, "--confident-from must be from 0 to 1, not 2."),
        (ExplainConfig, {"cam": "lime"}, "--cam must be one of gradcam, adaptive, "),
        (FilterConfig, {"filter": "Median"}, "not Median; did you mean median?"),
        (RunConfig, {"camera": (0, -1)}, "--camera must be at least 0, not -1."),
        (OutputConfig, {"anonymize": "veil"}, "--anonymize must be one of none, blur, "),
        (OutputConfig, {"out": STDOUT}, "--out cannot be written to standard output"),
        (OutputConfig, {"video": STDOUT}, "--video cannot be written"),
        (OutputConfig, {"parquet": STDOUT}, "--parquet cannot be written"),
        (OutputConfig, {"jsonl": STDOUT, "csv": STDOUT}, "Only one output"),
        (
            OutputConfig,
            {"jsonl": Path("a"), "csv": Path("x/../a")},
            "--jsonl and --csv both name x/../a; give each its own file.",
        ),
        (OutputConfig, {"srt": STDOUT}, "--srt cannot be written"),
        (OutputConfig, {"subtitles": True}, "--subtitles needs a folder; add --out DIR."),
        (OutputConfig, {"save_crops": True}, "--save-crops needs a folder; add --out DIR."),
        (OutputConfig, {"stills": True}, "--stills needs a folder; add --out DIR."),
        (
            OutputConfig,
            {"video": Path("a.mp4"), "images": False},
            "--video shows faces and --no-images forbids that; drop one of them.",
        ),
        (
            OutputConfig,
            {"save_crops": True, "out": Path("r"), "images": False},
            "--save-crops shows faces and --no-images forbids that; drop one of them.",
        ),
        (
            OutputConfig,
            {"save_crops": True, "out": Path("r"), "anonymize": "box"},
            "--save-crops writes faces and --anonymize hides them; drop one of them.",
        ),
    ],
)
def test_wrong_values_are_refused(section, values, words):
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        section(**values)
    assert caught.value.key


def test_text_is_taken_for_a_path_and_not_for_many_letters():
    assert OutputConfig(out="r", jsonl="-") == OutputConfig(out=Path("r"), jsonl=STDOUT)
    with pytest.raises(TypeError, match=r"write sources=\('clip\.mp4',\)"):
        RunConfig("clip.mp4")
    with pytest.raises(TypeError, match=r"write alert=\('fear > 0\.7',\)"):
        WatchConfig(alert="fear > 0.7")


def test_as_dict_is_json_without_credentials_and_shows_defaults():
    given = RunConfig(
        ("rtsp://user:pw@host/s",),
        output=OutputConfig(out=Path("r")),
        labels=LabelConfig(small_px=9),
    )
    shown = json.loads(json.dumps(given.as_dict()))
    assert shown["sources"] == ["rtsp://host/s"]
    assert shown["output"]["out"] == "r"
    assert shown["labels"]["small_px"] == 9
    assert shown["filter"] == {"filter": "auto", "filter_set": "tuned"}


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("clips/a@b.mp4", "clips/a@b.mp4"),
        ("rtsp://user:pw@host:554/s?x=1", "rtsp://host:554/s?x=1"),
        ("rtsp://user:p@ss/w@rd@host/s", "rtsp://host/s"),
        ("rtsp://user@host/s", "rtsp://host/s"),
        ("tls+RTSP://u:p#w@host/s", "tls+RTSP://host/s"),
        ("https://site/@channel/live", "https://site/@channel/live"),
        ("http://host:80/@channel", "http://host:80/@channel"),
        ("rtsp://[::1]:554/a@b", "rtsp://[::1]:554/a@b"),
        ("http://cam/v?user=a&Pwd=b&size=2", "http://cam/v?user=***&Pwd=***&size=2"),
    ],
)
def test_credentials_leave_a_url(uri, shown):
    assert without_credentials(uri) == shown


def test_existing_outputs_are_refused(tmp_path):
    file = tmp_path / "a.csv"
    refuse_existing([file, Path("/dev/null")], overwrite=False)
    file.touch()
    refuse_existing([file], overwrite=True)
    with pytest.raises(ConfigError, match=r"a\.csv exists; add --overwrite"):
        refuse_existing([file], overwrite=False)
    with pytest.raises(ConfigError, match="is a folder"):
        refuse_existing([tmp_path], overwrite=True)


def test_config_stands_on_the_lowest_layer():
    for file in Path(config_module.__file__).parent.glob("*.py"):
        source = file.read_text(encoding="utf-8")
        found = set(re.findall(r"^(?:from|import) (fervid\.\w+)", source, re.MULTILINE))
        assert found <= {"fervid.errors", "fervid.config", "fervid.nearest"}, file


@pytest.mark.parametrize(
    ("value", "kept", "attempts"),
    [
        ("forever", "forever", math.inf),
        ("Forever", "forever", math.inf),
        ("none", "none", 0),
        (None, "none", 0),
        (0, "none", 0),
        ("3", "3", 3),
        (7, "7", 7),
    ],
)
def test_how_often_a_lost_source_is_opened_again(value, kept, attempts):
    read = ReadConfig(reconnect=value)
    assert (read.reconnect, read.attempts) == (kept, attempts)


@pytest.mark.parametrize("value", ["often", "-1", "1.5", "", True, -2, "1e3"])
def test_reconnect_is_a_word_or_a_number(value):
    with pytest.raises(ConfigError, match="--reconnect must be forever, none or a number"):
        ReadConfig(reconnect=value)
