"""--jobs: files in processes of their own; one that dies costs its file only."""

import os
import signal

import pytest

from fervid.config import ModelConfig, OutputConfig, RunConfig, ThreadConfig
from fervid.errors import FervidError
from fervid.outputs import plan
from fervid.sharing import n_jobs, threads_a_job
from fervid.workers import Workers, ending
from tests.archive_runs import (
    archive,
    begin,
    finish,
    frames_written,
    kill,
    n_done,
    picture_difference,
    results,
    states,
    until,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals work otherwise on Windows")
MOMENTS = (  # when a run is killed: options, and what is true of its folder then
    ((), lambda out: frames_written(out) > 2),  # in the middle of the first file
    (("--jobs", "2"), lambda out: n_done(out) >= 2),
    (("--jobs", "2"), lambda out: n_done(out) >= 3 and "planned" in states(out).values()),
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return archive(tmp_path_factory.mktemp("archive"), n_clips=6, frames=8, broken=2)


@pytest.fixture(scope="module")
def clean(source, tmp_path_factory):
    """What one run in one process leaves."""
    out = tmp_path_factory.mktemp("clean") / "r"
    code, said = finish(source, out)
    assert code == 1
    assert "2 of 8 sources failed; the others are done." in said
    return out


def test_killed_three_times_and_resumed_nothing_is_lost_or_done_twice(source, clean, tmp_path):
    out, done = tmp_path / "r", 0
    for options, moment in MOMENTS:
        process = begin(source, out, *options, *(["--resume"] if done or out.exists() else []))
        until(lambda moment=moment: moment(out), process)
        kill(process)
        assert n_done(out) >= done
        done = n_done(out)
    finished = {
        folder: (out / folder / "summary.json").stat().st_mtime_ns
        for folder, state in states(out).items()
        if state == "done"
    }
    code, said = finish(source, out, "--jobs", "2", "--resume")
    assert code == 1
    assert f"{done} of 8 files are done; {8 - done} to go." in said
    assert "2 of 8 sources failed; the others are done." in said
    assert results(out) == results(clean)
    assert picture_difference(out, clean) < 3
    for folder, written in finished.items():
        assert (out / folder / "summary.json").stat().st_mtime_ns == written


def test_a_process_that_dies_costs_its_file_only(source, tmp_path):
    config = RunConfig(output=OutputConfig(out=tmp_path / "r"))
    sources = sorted(str(path) for path in source.rglob("clip*.mp4"))
    outcomes, deaths = {}, [signal.SIGSEGV, signal.SIGKILL]
    struck = []

    def take(target, outcome):
        outcomes[target.source] = outcome

    def strike(_):
        """Let a process die while it works, as soon as a file is complete."""
        busy = [worker for worker in workers._workers if worker.target is not None]
        if deaths and busy and len(outcomes) > len(struck) and not recent(busy[-1]):
            struck.append(busy[-1].target.source)
            os.kill(busy[-1].process.pid, deaths.pop())

    def recent(worker):
        return worker.target.source in struck

    with Workers(config, 2, 1) as workers:
        workers.run(plan(config, sources), take, strike)
        pids = [worker.process.pid for worker in workers._workers]
    assert sorted(outcomes) == sources
    lost = {s: str(o.error) for s, o in outcomes.items() if o.error}
    assert set(lost) <= set(struck)
    assert len(lost) >= 1
    for source_, error in lost.items():
        assert error.startswith(f"{source_} failed, as the process that analysed it was ended by ")
    whole = [o for o in outcomes.values() if o.complete]
    assert all(o.summary["frames"] == 8 for o in whole)
    assert len(whole) == len(sources) - len(lost)
    assert not [pid for pid in pids if alive(pid)]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_model_that_cannot_be_opened_there_ends_the_run(source, tmp_path):
    model = ModelConfig(model=tmp_path / "no.onnx")
    config = RunConfig(output=OutputConfig(out=tmp_path / "r"), model=model)
    sources = sorted(str(path) for path in source.rglob("clip*.mp4"))
    with Workers(config, 1, 1) as workers, pytest.raises(FervidError, match="does not exist"):
        workers.run(plan(config, sources), lambda *_: None, lambda _: None)


def test_a_process_that_cannot_begin_ends_the_run(source, tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "onnxruntime.py").write_text("import os; os._exit(7)")
    monkeypatch.syspath_prepend(broken)
    config = RunConfig(output=OutputConfig(out=tmp_path / "r"))
    sources = [str(path) for path in source.rglob("clip*.mp4")]
    with (
        Workers(config, 1, 1) as workers,
        pytest.raises(FervidError, match="ended with code 7 before it could begin"),
    ):
        workers.run(plan(config, sources), lambda *_: None, lambda _: None)


PATIENT = """import sys
from fervid import __main__, workers
workers.STOP_S = 60
sys.exit(__main__.entry())
"""


def test_ctrl_c_ends_all_at_once_and_finished_files_are_intact(tmp_path):
    """How many seconds an end takes is measured by `python -m tests.bench.stop`.

    On a loaded machine closing a file may take longer than it is given.
    """
    source = archive(tmp_path / "in", n_clips=4, frames=8, broken=0)
    long = archive(tmp_path / "long", n_clips=1, frames=8, broken=0, again=80)
    (long / "a/clip0.mp4").rename(source / "b/long.mp4")
    out = tmp_path / "r"
    process = begin(source, out, "--jobs", "2", program=("-c", PATIENT))
    journal = out / "b/long/faces.jsonl"
    until(lambda: n_done(out) == 4 and journal.is_file() and journal.stat().st_size > 9000, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "interrupted; the outputs are finished." in said
    assert n_done(out) == 4
    left = results(out)
    assert [row["error"] for row in left["clips.csv"]] == ["", "", "", "", "interrupted"]
    assert left["b/long/summary.json"]["error"] == "interrupted"
    assert left["b/long/annotated.mp4"]


def test_the_processes_end_with_the_run_however_it_ends(source, tmp_path):
    import psutil

    out = tmp_path / "r"
    process = begin(source, out, "--jobs", "2")
    until(lambda: frames_written(out) > 0, process)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    os.kill(process.pid, signal.SIGKILL)  # the run's own process alone
    process.communicate(timeout=60)
    _, left = psutil.wait_procs(workers, timeout=20)
    assert not left


@pytest.mark.parametrize(
    ("jobs", "n_files", "expected"), [(1, 9, 1), (4, 9, 4), (4, 3, 3), (4, 0, 1)]
)
def test_no_more_processes_than_files(jobs, n_files, expected):
    assert n_jobs(ThreadConfig(jobs=jobs), n_files) == expected


@pytest.mark.parametrize(
    ("there", "jobs", "threads"), [(1, 2, 1), (2, 2, 1), (8, 2, 4), (8, 3, 2), (8, 16, 1)]
)
def test_the_cores_are_divided(monkeypatch, there, jobs, threads):
    monkeypatch.setattr("fervid.sharing.cores", lambda: there)
    assert threads_a_job(jobs) == threads
    assert n_jobs(ThreadConfig(jobs=0), 99) == max(1, there // 2)


def test_how_a_process_ended_is_said_in_words():
    assert ending(-signal.SIGSEGV) == "was ended by SIGSEGV"
    assert ending(3) == "ended with code 3"
