"""fervid.analyse: the whole run in one call."""

import gc
import json
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

import fervid
from fervid.lane import Lane
from tests import clips
from tests.backends import FakeBackend


class Seen:
    """A sink that keeps what it got."""

    def __init__(self, *, wants_pixels=False, fails_at=None):
        self.wants_pixels, self._fails_at = wants_pixels, fails_at
        self.rows, self.closed = [], 0

    def write(self, frame, result, drawn):
        if len(self.rows) == self._fails_at:
            raise fervid.SinkError("the tape is full", "tape")
        self.rows.append((frame, result, drawn))

    def close(self):
        self.closed += 1


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    portrait = np.ascontiguousarray(astronaut()[:240, :320, ::-1])
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    return clips.clip(path, pictures=[portrait] * 5, size=(320, 240))


def test_it_writes_what_the_command_line_writes_and_prints_nothing(clip, tmp_path, capfd):
    (summary,) = fervid.analyse(clip, out=tmp_path, backend=FakeBackend())
    names = {"annotated.mp4", "faces.jsonl", "faces.parquet", "report.html", "summary.json"}
    assert {p.name for p in (tmp_path / "a").iterdir()} >= names
    assert json.loads(json.dumps(summary)) == json.loads(
        (tmp_path / "a" / "summary.json").read_text()
    )
    assert (summary["source"], summary["frames"], summary["faces"]) == (str(clip), 5, 5)
    assert summary["model"] == "fake"
    assert capfd.readouterr() == ("", "")


def test_several_sources_and_those_of_the_configuration(clip, tmp_path):
    other = clips.clip(tmp_path / "b.mp4", frames=3)
    both = fervid.analyse(clip, other, backend=FakeBackend())
    assert [s["frames"] for s in both] == [5, 3]
    config = fervid.RunConfig((str(other),))
    assert [s["frames"] for s in fervid.analyse(config=config, backend=FakeBackend())] == [3]
    with pytest.raises(fervid.ConfigError, match="no source"):
        fervid.analyse(backend=FakeBackend())


def test_rows_can_go_to_standard_output(clip, tmp_path, capsys):
    config = fervid.RunConfig(output=fervid.OutputConfig(jsonl=Path("-")))
    fervid.analyse(clip, config=config, backend=FakeBackend())
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_own_sinks_get_every_frame_and_pixels_if_they_want(clip):
    plain, painter = Seen(), Seen(wants_pixels=True)
    backend = FakeBackend()
    fervid.analyse(clip, sinks=[plain], backend=backend)
    fervid.analyse(clip, sinks=[painter], backend=backend)
    assert [result.index for _, result, _ in plain.rows] == list(range(5))
    assert all(drawn is None for _, _, drawn in plain.rows)
    frame, _, drawn = painter.rows[0]
    assert drawn.shape == frame.bgr.shape
    assert (drawn != frame.bgr).any()
    assert (plain.closed, painter.closed, backend.closed) == (1, 1, 0)


def remembered():
    return [x for x in gc.get_objects() if type(x) in (Lane, fervid.Pipeline)]


def test_a_source_that_has_ended_is_let_go_at_once(clip):
    """A cycle of references would keep its pictures until the collector comes by."""
    fervid.analyse(clip, backend=FakeBackend())  # what is imported now may keep a traceback
    gc.collect()
    before = remembered()
    gc.disable()
    try:
        fervid.analyse(clip, backend=FakeBackend())
        assert [x for x in remembered() if x not in before] == []
    finally:
        gc.enable()


def test_own_sinks_are_closed_after_every_kind_of_failure(clip, tmp_path):
    full, other = Seen(fails_at=2), Seen()
    with pytest.raises(fervid.SinkError, match="tape is full"):
        fervid.analyse(clip, out=tmp_path / "out", sinks=[other, full], backend=FakeBackend())
    assert (full.closed, other.closed) == (1, 1)
    # The files hold what was written until then, and are readable.
    summary = json.loads((tmp_path / "out" / "a" / "summary.json").read_text())
    assert summary["frames"] == 2
    early = Seen()
    with pytest.raises(fervid.ConfigError, match="overwrite"):
        fervid.analyse(clip, out=tmp_path / "out", sinks=[early], backend=FakeBackend())
    with pytest.raises(fervid.SourceError, match="gone"):
        fervid.analyse(tmp_path / "gone.mp4", sinks=[early], backend=FakeBackend())
    assert early.closed == 2


def test_without_a_backend_the_model_of_fervid_runs_and_is_named(clip):
    (summary,) = fervid.analyse(clip)
    assert len(summary["model_sha256"]) == 64


def test_a_list_of_sources_is_told_from_a_file_of_that_name(clip):
    with pytest.raises(TypeError, match=r"got list; write analyse\(\*sources\)"):
        fervid.analyse([clip], backend=FakeBackend())
