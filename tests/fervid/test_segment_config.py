"""Lengths of time and sizes of --segment, --keep and --max-disk, and what does not go together."""

import math

import pytest

import fervid
from fervid.config import SegmentConfig
from fervid.config.file import load_config
from fervid.config.segments import disk_size, duration
from fervid.config.writing import to_toml
from fervid.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("2W", 1_209_600),
        ("1.5h", 5400),
    ],
)
def test_lengths_of_time(text, expected_s):
    assert duration(text, "keep") == expected_s


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500MB", 500_000_000),
        ("20gb", 20_000_000_000),
        ("1.5 TB", 1_500_000_000_000),
        ("2GiB", 2 * 1024**3),
        ("4096B", 4096),
    ],
)
def test_sizes(text, expected):
    assert disk_size(text, "max-disk") == expected


@pytest.mark.parametrize(
    "text", ["", "7", "ten", "10 minutes", "-5m", "0s", "m", "1h30", "9" * 400 + "w"]
)
def test_what_is_no_length_of_time(text):
    with pytest.raises(
        ConfigError, match=r"^--keep must be a length of time with its unit, like"
    ) as e:
        duration(text, "keep")
    assert e.value.key == "keep"


@pytest.mark.parametrize(
    "text", ["", "20", "20G", "GB", "-1GB", "0MB", "0.1B", "20 apples", "9" * 400 + "TB"]
)
def test_what_is_no_size(text):
    with pytest.raises(ConfigError, match=r"^--max-disk must be a size with its unit, like") as e:
        disk_size(text, "max-disk")
    assert e.value.key == "max_disk"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"keep": "7d"}, "--keep removes segments, and there are none; add --segment 10m."),
        ({"max_disk": "1GB"}, "--max-disk removes segments, and there are none; add"),
        ({"segment": "0.5s"}, "--segment must be at least 1s, not 0.5s."),
        ({"segment": "10"}, "--segment must be a length of time with its unit"),
        ({"segment": "10m", "max_disk": "20"}, "--max-disk must be a size with its unit"),
        ({"segment": "10m", "keep": "5m"}, "--keep 5m is shorter than a segment of 10m; make it"),
    ],
)
def test_what_does_not_go_together(values, says):
    with pytest.raises(ConfigError) as caught:
        SegmentConfig(**values)
    assert str(caught.value).startswith(says)


def test_without_options_nothing_is_cut():
    config = SegmentConfig()
    assert (config.segment_s, config.keep_s, config.max_bytes) == (math.inf, None, None)


@pytest.mark.parametrize("more", [{"cores": fervid.ThreadConfig(jobs=2)}, {"resume": True}])
def test_one_process_cuts_from_the_start(tmp_path, more):
    resume = more.pop("resume", False)
    output = fervid.OutputConfig(out=tmp_path, resume=resume)
    config = fervid.RunConfig(output=output, segments=SegmentConfig(segment="1m"), **more)
    with pytest.raises(
        ConfigError, match=r"^--segment cuts what one process writes .*; drop --seg"
    ):
        fervid.analyse("a.mp4", config=config)


def test_segments_need_a_folder():
    config = fervid.RunConfig(segments=SegmentConfig(segment="1m"))
    with pytest.raises(ConfigError, match=r"^--segment needs a folder; add --out DIR\.$"):
        fervid.analyse("a.mp4", config=config)


def test_a_configuration_file_holds_them(tmp_path):
    path = tmp_path / "fervid.toml"
    path.write_text('[segments]\nsegment = "10m"\nkeep = "7d"\nmax_disk = "20GB"\n')
    config = load_config(path)
    assert config.segments == SegmentConfig(segment="10m", keep="7d", max_disk="20GB")
    path.write_text(to_toml(config, lambda key: ""))
    assert load_config(path) == config
    path.write_text('[segments]\nsegment = "10m"\nkeep = 7\n')
    with pytest.raises(
        ConfigError,
        match=r"^keep in \[segments\] of .* must be a length of time with its unit, .*, not '7'",
    ):
        load_config(path)
