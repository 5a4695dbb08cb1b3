"""Where results go: folders of sources, and what is refused before any work."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fervid.config import STDOUT, OutputConfig, RunConfig
from fervid.config.source import identity
from fervid.errors import ConfigError
from fervid.folders import RESERVED, folder_names
from fervid.outputs import plan


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a.mp4"], ["a"]),
        (["x/a.mp4", "x/b.mp4"], ["a", "b"]),
        (["x/a.mp4", "y/a.mp4"], ["x/a", "y/a"]),
        (["a.mp4", "a.mkv"], ["a.mp4", "a.mkv"]),
        (["A.mp4", "a.mkv", "b.mp4"], ["A.mp4", "a.mkv", "b"]),
        (["a.mp4", "a"], ["a.mp4", "a"]),
        ([".mp4", "..mp4"], [".mp4", "..mp4"]),
        (["camera:0", "a.mp4", "-"], ["camera-0", "a", "stdin"]),
        (["rtsp://u:secret@host:554/s?pwd=x"], ["host-554-s-pwd"]),
        (["rtsp://host/s", "http://host/s"], ["host-s", "host-s-2"]),
        (["http://h/a", "http://h/a/", "http://h/a-2"], ["h-a", "h-a-3", "h-a-2"]),
        (["://"], ["stream"]),
        (["clips.csv.mp4", "all.parquet.mp4"], ["clips.csv.mp4", "all.parquet.mp4"]),
        (["all.parquet", "camera:1"], ["all", "camera-1"]),
        (["/x/a/b.mp4", "/dev/video0", "1"], ["b", "camera-0", "camera-1"]),
        (["../x/a.mp4", "../b.mp4"], ["x/a", "b"]),
        (["/"], ["root"]),
    ],
)
def test_folders_of_sources(sources, names):
    assert [name.as_posix() for name in folder_names(sources)] == names


def test_a_folder_keeps_its_dots_and_a_long_address_is_cut(tmp_path):
    (tmp_path / "v1.2").mkdir()
    assert folder_names([str(tmp_path / "v1.2")]) == [Path("v1.2")]
    one, two = (folder_names([f"http://h/{'x' * 300}{n}"])[0].name for n in (1, 2))
    assert len(one) < 120
    assert one != two


NAME = st.text(st.sampled_from("aA.-/:?@"), min_size=1, max_size=6)
SOURCE = st.one_of(NAME, NAME.map("rtsp://{}".format), NAME.map("{}.mp4".format))


@given(st.lists(SOURCE, min_size=1, max_size=6, unique=True))
def test_folders_are_distinct_and_stay_below_the_results(sources):
    names = folder_names(sources)
    keys = [name.as_posix().casefold() for name in names]
    assert not set(keys) & set(RESERVED)
    spelled = {identity(s) for s in sources}
    if len(spelled) == len(sources):
        assert len(set(keys)) == len(keys)
    for name in names:
        assert not name.is_absolute()
        assert ".." not in name.parts


def output(tmp_path, *sources, **options):
    return plan(RunConfig(sources, output=OutputConfig(**options)), sources)


def test_the_folder_holds_what_was_asked_for(tmp_path):
    def names(**options):
        (target,) = output(tmp_path, "a.mp4", out=tmp_path, **options)
        return {path.relative_to(tmp_path / "a").as_posix() for _, path in target.sinks}

    plain = {"annotated.mp4", "faces.jsonl", "faces.parquet"}
    assert names() == plain
    assert names(subtitles=True, save_crops=True) == plain | {"faces.srt", "crops"}
    assert names(images=False) == plain - {"annotated.mp4"}


def test_shared_outputs_take_several_sources_and_single_ones_do_not(tmp_path):
    rows = {kind: tmp_path / kind for kind in ("csv", "parquet")}
    a, b = output(tmp_path, "a.mp4", "b.mp4", jsonl=STDOUT, **rows)
    wanted = (("jsonl", None), ("csv", tmp_path / "csv"), ("parquet", tmp_path / "parquet"))
    assert a.shared == b.shared == wanted
    assert a.sinks == ()
    for kind in ("video", "srt"):
        with pytest.raises(ConfigError, match=f"--{kind} takes one source, not 2; use --out DIR"):
            output(tmp_path, "a.mp4", "b.mp4", **{kind: tmp_path / "x"})


def test_no_output_is_a_source_or_wanted_twice(tmp_path):
    source = tmp_path / "a.csv"
    source.touch()
    for overwrite in (False, True):  # the advice to overwrite would destroy the source
        with pytest.raises(ConfigError, match="is a source itself"):
            output(tmp_path, str(source), csv=tmp_path / "x" / ".." / "a.csv", overwrite=overwrite)
    with pytest.raises(ConfigError, match=r"wanted twice, for all sources and b\.mp4"):
        output(tmp_path, "b.mp4", out=tmp_path, jsonl=tmp_path / "b" / "faces.jsonl")
    for kind, name in (
        ("csv", "clips.csv"),
        ("parquet", "all.parquet"),
        ("jsonl", "manifest.json"),
    ):
        with pytest.raises(ConfigError, match=r"wanted twice, for the folder's own file and all"):
            output(tmp_path, "b.mp4", out=tmp_path, **{kind: tmp_path / name})
    with pytest.raises(ConfigError, match="is given twice"):
        output(tmp_path, "a.mp4", "x/../a.mp4", out=tmp_path)
    with pytest.raises(ConfigError, match="is given twice") as caught:
        output(tmp_path, *["rtsp://u:secret@h/s"] * 2, out=tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["annotated.mp4", "faces.srt", "crops/track_001/frame_000002.png"])
def test_what_exists_is_not_replaced_unasked(tmp_path, name):
    path = tmp_path / "a" / name
    path.parent.mkdir(parents=True)
    path.touch()
    options = {"out": tmp_path, "subtitles": True, "save_crops": True}
    with pytest.raises(ConfigError, match="exists; add --overwrite"):
        output(tmp_path, "a.mp4", **options)
    output(tmp_path, "a.mp4", **options, overwrite=True)


@pytest.mark.parametrize("options", [{"images": False}, {"anonymize": "box"}])
def test_pictures_of_an_earlier_run_are_told(tmp_path, caplog, options):
    for name in ("annotated.mp4", "crops/track_001/frame_000002.png"):
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).touch()
    with caplog.at_level(logging.WARNING):
        output(tmp_path, "a.mp4", out=tmp_path, overwrite=True, **options)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (1 if options.get("anonymize") else 2)
    assert all("earlier run" in message for message in told)
