"""Results as data frames."""

import shutil
import subprocess
import sys

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from fervid.errors import ConfigError, LibraryMissing
from fervid.recover import recover
from fervid.results import read_results
from tests.archives import write_run
from tests.places import ROOT
from tests.results import CLASSES

CLIPS = {"a/x.mp4": 5, "b/x.mp4": 3}


@pytest.fixture
def out(tmp_path):
    return write_run(tmp_path / "r", CLIPS)


def test_three_lines_of_pandas(out):
    counts = read_results(str(out)).groupby("source").label.value_counts()
    assert counts["a/x.mp4", "happy"] == 5
    assert counts["b/x.mp4", "angry"] == 3


def test_pandas_types(out):
    frame = read_results(out)
    assert len(frame) == 2 * sum(CLIPS.values())
    assert list(frame.label.cat.categories) == list(CLASSES)
    assert str(frame.utc.dtype) == "datetime64[ms, UTC]"
    assert frame.utc.isna().all()
    kinds = {"frame": "int64", "uncertain": "bool", "p_happy": "float32", "time_s": "float64"}
    assert {name: str(frame[name].dtype) for name in kinds} == kinds
    assert pd.api.types.is_string_dtype(frame.source)


def test_polars_types(out):
    frame = read_results(out, "polars")
    assert frame.shape[0] == 2 * sum(CLIPS.values())
    schema = frame.schema
    assert schema["label"] == pl.Enum(list(CLASSES))
    assert schema["utc"] == pl.Datetime("ms", "UTC")
    assert schema["source"] == pl.String
    assert (schema["p_happy"], schema["uncertain"]) == (pl.Float32, pl.Boolean)


def test_both_engines_read_the_same(out):
    a, b = read_results(out), read_results(out, "polars")
    assert list(a.columns) == b.columns
    assert a.time_s.tolist() == b["time_s"].to_list()
    assert a.label.tolist() == b["label"].to_list()


def test_clips_without_a_common_table_and_clips_that_crashed(out):
    whole = read_results(out)
    (out / "all.parquet").unlink()
    pd.testing.assert_frame_equal(read_results(out), whole)
    (out / "a" / "x" / "faces.parquet").write_bytes(b"PAR1")
    pd.testing.assert_frame_equal(read_results(out), whole)
    (out / "a" / "x" / "faces.jsonl").write_bytes(b"")
    assert set(read_results(out).source) == {"b/x.mp4"}


def test_a_common_table_that_misses_a_clip_is_not_trusted(out, tmp_path):
    other = write_run(tmp_path / "s", {"c.mp4": 2})
    (other / "c").rename(out / "c")
    assert set(read_results(out).source) == {*CLIPS, "c.mp4"}


def test_a_clip_whose_folder_was_deleted_is_in_no_result(out):
    whole = len(read_results(out))
    shutil.rmtree(out / "a")
    assert set(read_results(out).source) == {"b/x.mp4"}
    recover(out)
    assert pq.read_table(out / "all.parquet").num_rows == 2 * CLIPS["b/x.mp4"]
    assert "a/x" not in (out / "clips.csv").read_text()
    shutil.rmtree(out / "b")  # the table by itself is worth reading
    assert len(read_results(out)) == 2 * CLIPS["b/x.mp4"] < whole


def test_one_file_can_be_read(out):
    for name in ("faces.parquet", "faces.jsonl"):
        assert set(read_results(out / "a" / "x" / name).source) == {"a/x.mp4"}


def test_wrong_folders_and_engines_get_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="There is no folder"):
        read_results(tmp_path / "none")
    with pytest.raises(ConfigError, match="There are no results below"):
        read_results(tmp_path)
    with pytest.raises(ConfigError, match="pandas or polars, not 'R'"):
        read_results(tmp_path, "R")


@pytest.mark.parametrize("engine", ["pandas", "polars"])
def test_a_missing_library_is_named_with_the_way_to_it(out, monkeypatch, engine):
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(LibraryMissing, match=rf"pip install 'fervid\[{engine}\]'") as caught:
        read_results(out, engine)
    assert caught.value.extra == engine


def test_the_module_loads_nothing_heavy():
    code = "import fervid.results, sys; print('pyarrow' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.split() == ["False", "False"]
