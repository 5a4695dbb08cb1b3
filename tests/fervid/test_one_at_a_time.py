"""Two runs that write to one folder: the second is refused, and harms nothing of the first."""

import io
import os

import pytest
from rich.console import Console
from skimage.data import astronaut

import fervid
from fervid.config import OutputConfig, RunConfig
from fervid.errors import ConfigError
from fervid.lock import FolderLock
from fervid.outputs import plan
from fervid.sinks.jsonl import read_frames
from fervid.writing import RunOutputs
from tests import clips
from tests.archive_runs import states
from tests.backends import FakeBackend
from tests.results import face, header, put, result

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no lock of a folder")


@pytest.fixture
def two(tmp_path):
    pictures = [astronaut()[:240, :320, ::-1].copy()] * 3
    return [clips.clip(tmp_path / f"{name}.mp4", pictures=pictures) for name in "cd"]


def go(sources, out, sinks=()):
    config = RunConfig(output=OutputConfig(out=out, images=False, overwrite=True))
    return fervid.analyse(*sources, config=config, sinks=sinks, backend=FakeBackend())


def is_held(folder):
    with FolderLock(folder) as lock:
        try:
            lock.take()
        except ConfigError:
            return True
    return False


class Looking:
    """A sink that notes which folders are held while it gets a frame."""

    wants_pixels = False

    def __init__(self, *folders):
        self._folders, self.held = folders, []

    def write(self, frame, result, drawn):
        self.held.append([is_held(folder) for folder in self._folders])

    def close(self):
        pass


def test_a_second_run_leaves_the_first_ones_files_as_they_are(two, tmp_path):
    out, source = tmp_path / "r", str(two[0])
    config = RunConfig((source,), output=OutputConfig(out=out, images=False))
    (target,) = plan(config, config.sources)
    with (
        RunOutputs(config, [target], Console(file=io.StringIO()), io.StringIO()) as outputs,
        outputs.sinks(target, header(source)) as sinks,
    ):
        for n in range(4):
            for sink in sinks:
                put(sink, result(n, face()))
            with pytest.raises(ConfigError, match=r"Another fervid is at work in .*c; wait"):
                go([source], out)
    assert [line["frame"] for _, line in read_frames(out / "c/faces.jsonl")] == [0, 1, 2, 3]
    assert len(fervid.read_results(out)) == 4
    assert not (out / "c/summary.json").exists()
    assert go([source], out)[0]["frames"] == 3


def test_each_folder_is_held_as_long_as_it_is_written(two, tmp_path):
    looking = Looking(tmp_path / "r/c", tmp_path / "r/d")
    go(two, tmp_path / "r", [looking])
    assert looking.held == [[True, False]] * 3 + [[False, True]] * 3


def test_a_file_of_an_archive_fails_and_the_others_are_done(two, tmp_path):
    (tmp_path / "r/c").mkdir(parents=True)
    with FolderLock(tmp_path / "r/c") as lock:
        lock.take()
        with pytest.raises(fervid.FervidError, match="1 of 2 sources failed"):
            go(two, tmp_path / "r")
    assert list((tmp_path / "r/c").iterdir()) == []
    assert states(tmp_path / "r") == {"c": "failed", "d": "done"}
