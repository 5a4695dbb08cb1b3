"""--chunk: a long file in parts, and their results joined, are those of one run over all of it."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from fervid.assembly import Assembly
from fervid.capture import open_source
from fervid.chunks import cut, open_part, overlap_s
from fervid.config import LabelConfig, OutputConfig, ReadConfig, RunConfig, ThreadConfig
from fervid.durable import PARTS
from fervid.errors import ConfigError, FervidError, SinkError
from fervid.joining import joined
from fervid.logins import Logins
from fervid.outputs import plan
from fervid.progress import Progress
from fervid.records import Faces
from fervid.search import FaceSearch, Terms
from fervid.task import Outcome
from tests import clips
from tests.archive_runs import begin, finish, kill, until
from tests.chunked import same
from tests.people import two_people


def config(out="r", length="10s", **more):
    return RunConfig(
        output=OutputConfig(out=out, images=False, **more.pop("output", {})),
        cores=ThreadConfig(jobs=2, chunk=length),
        **more,
    )


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """60 s, 5 frames a second, with a key frame every 2 s."""
    times = [n / 5 for n in range(300)]
    pictures = [clips.picture(n % 20) for n in range(300)]
    path = tmp_path_factory.mktemp("clip") / "long.mp4"
    return clips.clip(path, pictures=pictures, times=times, options={"g": "10"})


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals work otherwise on Windows")
def test_killed_and_resumed_it_is_what_one_run_over_all_of_it_makes(tmp_path):
    source, how = two_people(tmp_path / "two.mp4"), ("--no-images", "--smooth-s", "0.4")
    code, said = finish(source, tmp_path / "whole", *how)
    assert code == 0, said
    chunked = (*how, "--chunk", "10s", "--jobs", "2")
    process = begin(source, tmp_path / "split", *chunked)
    place = tmp_path / "split" / "two" / PARTS
    until((place / "0000-10s.json").exists, process)
    kill(process)
    os.link(place / "0000-10s.part", tmp_path / "kept")
    written = (tmp_path / "kept").stat().st_mtime_ns
    assert not (tmp_path / "split/two/faces.jsonl").exists()
    code, said = finish(source, tmp_path / "split", *chunked, "--resume")
    assert code == 0, said
    assert (tmp_path / "kept").stat().st_mtime_ns == written  # it was not analysed again
    assert not place.exists()
    same(tmp_path / "whole/two", tmp_path / "split/two")
    code, said = finish(source, tmp_path / "split", *chunked, "--resume")
    assert "1 of 1 files are done; nothing is left." in said


@pytest.mark.parametrize(
    ("read", "n_chunks"),
    [({}, 6), ({"every": 2}, 5), ({"every": 3, "start": 3.3, "end": 58.0}, 4)],
)
def test_a_chunk_has_the_frames_of_the_whole_file(long_clip, read, n_chunks):
    told = config(read=ReadConfig(**read))
    with open_source(str(long_clip), told.read) as source:
        info, wanted = source.info, [(f.index, f.time_s, clips.number(f.bgr)) for f in source]
    chunks = cut(told, str(long_clip))
    assert len(chunks) == n_chunks
    found = []
    for chunk in chunks:
        with open_part(str(long_clip), chunk, told.read, logins=Logins(), threads=1) as source:
            frames = [(f.index, f.time_s, clips.number(f.bgr)) for f in source]
            assert source.info == info
            assert frames == wanted[source.before : source.before + len(frames)]
        early = [f for f in frames if f[1] < chunk.from_s]
        found += frames[len(early) :]
        if chunk.begin_s is not None:
            assert chunk.from_s - early[0][1] >= 8.5 - (1 / 5) * told.read.every
    assert found == wanted
    assert chunks[-1].begin_s is not None


def test_the_overlap_covers_every_memory():
    with_rate = replace(clips_info(), rate=25)
    assert overlap_s(LabelConfig(), with_rate) == 8.5
    assert overlap_s(LabelConfig(smooth_s=0), with_rate) == 8.0
    assert overlap_s(LabelConfig(smooth_s=2), with_rate) == 34.0
    assert overlap_s(LabelConfig(), replace(with_rate, rate=1)) == 30.0
    assert np.exp(np.float32(-8.5 / 0.5)) < np.finfo(np.float32).eps


def clips_info():
    from tests.results import header

    return header("x.mp4").source


def test_a_short_file_is_one_task(long_clip):
    assert cut(config(length="60s"), str(long_clip)) == []
    assert cut(config(length="52s"), str(long_clip)) == []  # 8 s are left, as much as an overlap
    assert len(cut(config(length="50s"), str(long_clip))) == 2


def test_sound_that_goes_on_after_the_pictures_makes_no_chunk(tmp_path):
    times = [n / 5 for n in range(100)]
    pictures = [clips.picture(n % 20) for n in range(100)]
    options = {"pictures": pictures, "times": times, "options": {"g": "10"}}
    path = str(clips.clip(tmp_path / "a.mkv", **options, sound="aac", sound_s=45.0))
    chunks = cut(config(), path)
    assert [chunk.from_s for chunk in chunks] == [0, 10, 20]
    for chunk in chunks:
        with open_part(path, chunk, ReadConfig(), logins=Logins(), threads=1) as source:
            assert list(source)
    assert cut(config(length="30s"), path) == []


def test_looks_have_their_turn_as_in_the_whole_file():
    def looks(search, n):
        taken = []
        for _ in range(n):
            seen = []
            search.faces(
                lambda look, seen=seen: seen.append(look) or Faces.empty(), (480, 640), TERMS
            )
            taken.append(seen)
        return taken

    whole = looks(FaceSearch(), 100)
    for before in (31, 32, 33, 40):
        assert looks(FaceSearch(before), 60)[20:] == whole[before + 20 : before + 60]


TERMS = Terms(score=0.5, frame_score=0.5, min_px=20, clear=True, deep=False)


def face(track, x, y=0):
    return {"track": track, "x0": x, "y0": y, "x1": x + 10, "y1": y + 10}


def journal(path, frames):
    """A journal of frames: {number: faces}."""
    about = {"schema": 1, "source": {"uri": "x"}}
    rows = [{"source": "x", "frame": n, "faces": faces} for n, faces in frames.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in (about, *rows)))
    return path


def ids(parts):
    return {line["frame"]: [f["track"] for f in line["faces"]] for line in joined(parts)}


def test_a_face_keeps_its_id_over_the_cut_and_new_ones_follow_in_order(tmp_path):
    parts = [
        journal(tmp_path / "0", {0: [face(0, 0)], 1: [face(0, 0), face(1, 50)]}),
        # In the first common frame the faces lie as if they were the others.
        journal(
            tmp_path / "1",
            {
                0: [face(1, 0)],
                1: [face(0, 1), face(1, 50)],
                2: [face(2, 90), face(1, 50), face(0, 0)],
                3: [face(3, 20), face(2, 90)],
            },
        ),
        journal(
            tmp_path / "2",
            {1: [face(5, 50)], 3: [face(0, 90), face(1, 20)], 4: [face(1, 20), face(5, 50)]},
        ),
    ]
    assert ids(parts) == {0: [0], 1: [0, 1], 2: [2, 1, 0], 3: [3, 2], 4: [3, 1]}


def test_a_chunk_that_is_no_journal_is_said(tmp_path):
    (tmp_path / "0").write_text("{}\n")
    with pytest.raises(SinkError, match="no complete journal"):
        ids([tmp_path / "0"])


@pytest.fixture
def begun(long_clip, tmp_path):
    """A run over one long file of three chunks: its target, and what becomes of it."""
    told = config(tmp_path / "r", read=ReadConfig(end=30))
    (file,) = plan(told, [str(long_clip)])
    ended = []
    progress = Progress({file.source: 300}, 0, iter(range(99)).__next__)
    assembly = Assembly(told, "d", lambda *item: ended.append(item), progress)
    return told, file, ended, progress, assembly


def outcome(task, **more):
    return Outcome(task.source, {}, **more)


def test_joining_comes_when_all_chunks_are_there(begun):
    _, file, ended, progress, assembly = begun
    tasks = assembly.tasks([file], ())
    assert [t.chunk.number for t in tasks] == [0, 1, 2]
    assert tasks[1].label == f"{file.source} from 10 s"
    assert [list(assembly.take(t, outcome(t))) for t in tasks[:2]] == [[], []]
    assert progress.line().startswith("0 of 1 files, 2 of 3 chunks, about ")
    (whole,) = assembly.take(tasks[2], outcome(tasks[2]))
    assert whole.parts == tuple(tasks)
    assert not ended
    assert not assembly.take(whole, outcome(whole))
    assert [target for target, _ in ended] == [whole]


def test_a_chunk_that_fails_fails_its_file_once_and_the_others_go_on(begun):
    _, file, ended, _, assembly = begun
    tasks, error = assembly.tasks([file], ()), FervidError("broken")
    for task, how in zip(tasks, ({"error": error}, {}, {"error": error}), strict=True):
        assert not assembly.take(task, outcome(task, **how))
    ((target, what),) = ended
    assert target.source == file.source
    assert what.error is error
    assert what.row["error"] == "broken"
    assert what.row["folder"] == "long"


def put(task, told, frames=3, **summary):
    """What a run before has left of a chunk."""
    path = task.sinks[0][1]
    path.parent.mkdir(parents=True, exist_ok=True)
    journal(path, {n: [] for n in range(frames)})
    made = {"fervid": "", "model_sha256": "d", "config": told.as_dict(), "frames": 3, "error": None}
    from fervid import __version__

    task.summary.write_text(json.dumps(made | {"fervid": __version__} | summary, default=list))


def test_resume_leaves_chunks_that_are_complete_and_of_a_file_that_has_not_changed(begun):
    told, file, _, _, assembly = begun
    tasks = assembly.tasks([file], ())
    put(tasks[0], told)
    put(tasks[1], told, frames=2)  # the summary is older than the journal
    put(tasks[2], told, error="interrupted")
    assert assembly.tasks([file], [file.source]) == tasks[1:]
    put(tasks[1], told)
    put(tasks[2], told)
    (whole,) = assembly.tasks([file], [file.source])
    assert whole.parts == tuple(tasks)
    put(tasks[2], told, model_sha256="another")
    with pytest.raises(ConfigError, match="was made with another model"):
        assembly.tasks([file], [file.source])
    assert assembly.tasks([file], ()) == tasks
    assert not tasks[0].folder.exists()


def test_a_file_that_cannot_be_opened_tells_so_where_it_is_analysed(begun, tmp_path):
    told, _, _, _, assembly = begun
    (tmp_path / "bad.mp4").write_bytes(b"nothing of a video" * 20)
    (file,) = plan(told, [str(tmp_path / "bad.mp4")])
    assert assembly.tasks([file], ()) == [file]
