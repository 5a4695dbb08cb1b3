"""The parts of the soak that need no hours: the plan, what is read, and the figures."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from tests.bench import soak_faults, soak_report
from tests.bench.soak_journal import Tail, parse
from tests.bench.soak_page import markdown
from tests.bench.soak_record import Record, anonymous_mb

START = {"kind": "start", "at_s": 0, "date": "now", "fervid": "1", "machine": "m", "hours": 1}
START |= {"fps": 10, "seed": 0, "clip": "c.mp4", "size": [640, 360]}


def sample(at_s, rss_mb=100.0, latency_ms=(20, 30), **other):
    fields = {"kind": "sample", "at_s": at_s, "disturbed": False, "frames": 100, "dropped": 0}
    fields |= {"rss_mb": rss_mb, "anonymous_mb": 50.0, "threads": 9, "descriptors": 7}
    fields |= {"cpu_s": at_s / 2, "load": 1.0, "harness": {}, "latency_ms": list(latency_ms)}
    return fields | {"events": []} | other


END = {"kind": "end", "at_s": 3601, "ended_early": False, "exit_code": 130, "took_s": 1.0}
END |= {"rows": 9, "summary": 9, "video": 9}


def hour(**change):
    """A record of one hour without a fault; each change is a function of the seconds."""
    times = range(10, 3601, 10)
    samples = [sample(t, **{name: of(t) for name, of in change.items()}) for t in times]
    return [START, *samples, END]


def test_the_slope_is_that_of_a_line_whatever_its_offset():
    times = [0, 1800, 3600, 7200]
    assert soak_report.slope(times, [200 + 3 * t / 3600 for t in times]) == pytest.approx(3.0)
    assert soak_report.slope([0, 10], [1, 2]) is None


def test_the_error_of_a_slope_is_that_of_independent_blocks():
    rng = np.random.default_rng(0)
    times_s = np.arange(0, 7200, 10.0)
    found = []
    for _ in range(200):
        steps = np.repeat(rng.normal(0, 3, 24), 30)  # as alike within five minutes as can be
        found.append((soak_report.slope(times_s, steps), soak_report.slope_error(times_s, steps)))
    slopes, errors = np.transpose(found)
    assert np.mean(errors) == pytest.approx(slopes.std(), rel=0.15)
    assert soak_report.slope_error([0, 10, 20], [1, 2, 3]) is None


def test_quarters_of_the_time_with_its_end_in_the_last():
    parts = soak_report.quarters([sample(t) for t in (10, 99, 100, 250, 399, 400)], 400)
    assert [[s["at_s"] for s in part] for part in parts] == [[10, 99], [100], [250], [399, 400]]


def test_a_percentile_counts_rows_and_not_samples():
    samples = [sample(10, latency_ms=[1] * 98), sample(20, latency_ms=[500, 500])]
    assert soak_report.latency(samples, 95) == 1.0
    assert soak_report.latency([sample(10, latency_ms=())], 95) is None


def test_losses_tell_what_is_missing_in_all_latencies():
    lines = hour(latency_ms=lambda t: [-300])
    told = ((40, 345), (80, 350), (120, 900))
    for n, ms in told:
        lines[n]["events"] = [{"event": "offline", "missing_ms": ms}]
    lines[41]["events"] = [{"event": "online", "missing_ms": None}]
    done = soak_report.figures(lines)
    assert {q["latency_ms"]["p95"] for q in done["quarters"]} == {50.0}
    assert soak_report.figures(hour())["latency_missing_ms"] is None


def test_a_flat_hour_meets_every_bar():
    done = soak_report.figures(hour())
    assert all(done["bars"].values())
    assert done["slope_mb_h"]["rss_mb"] == pytest.approx(0.0, abs=1e-6)
    assert [q["fps_undisturbed"] for q in done["quarters"]] == [10.0] * 4
    assert "**missed**" not in markdown(done)


@pytest.mark.parametrize(
    ("bar", "change"),
    [
        ("memory", {"rss_mb": lambda t: 100 + 1.5 * t / 3600}),
        ("threads", {"threads": lambda t: 9 + t // 1200}),
        ("descriptors", {"descriptors": lambda t: 7 + t // 1200}),
        ("latency_p95", {"latency_ms": lambda t: [20 + t // 100] * 9}),
    ],
)
def test_what_grows_misses_its_bar_alone(bar, change):
    done = soak_report.figures(hour(**change))
    assert [name for name, met in done["bars"].items() if not met] == [bar]
    assert "**missed**" in markdown(done)


def test_growth_while_warming_up_is_no_leak():
    grown = hour(rss_mb=lambda t: min(t, 600), threads=lambda t: 5 + (t > 300))
    assert all(soak_report.figures(grown)["bars"].values())


def test_a_fault_that_was_not_recovered_is_missed_and_its_frames_are_in_no_rate():
    lines = hour()
    lines[100] |= {"disturbed": True, "frames": 3}
    lost = {"how": "kill", "noticed": True, "recovered": False, "first_result_s": None}
    lines[100:100] = [
        {"kind": "fault", "at_s": 985, "how": "kill"},
        {"kind": "recovery", "at_s": 999, **lost},
    ]
    done = soak_report.figures(lines)
    assert not done["bars"]["recovered"]
    assert done["quarters"][1]["fps_undisturbed"] == 10.0
    assert done["frames"] == 360 * 100 - 97


def test_a_record_that_was_broken_off_is_read_up_to_there(tmp_path):
    path = tmp_path / "soak.jsonl"
    text = "\n".join(map(json.dumps, hour()[:200]))
    path.write_text(text + '\n{"kind":"sam')
    page = soak_report.write(path, tmp_path)
    assert "the record was broken off" in page
    assert json.loads((tmp_path / "results" / "soak.json").read_text())["duration_s"] == 1990
    assert (tmp_path / "soak.png").stat().st_size > 10_000


def test_a_record_is_on_the_disk_line_by_line_and_overwrites_none(tmp_path):
    record = Record(tmp_path / "soak.jsonl")
    record.add("sample", frames=3)
    (line,) = soak_report.read(tmp_path / "soak.jsonl")
    assert (line["kind"], line["frames"]) == ("sample", 3)
    record.close()
    with pytest.raises(FileExistsError):
        Record(tmp_path / "soak.jsonl")


def test_half_a_line_waits_for_its_rest():
    lines, rest = parse(b'{"a":1}\n{"b":')
    assert (lines, rest) == ([{"a": 1}], b'{"b":')
    assert parse(rest + b"2}\n") == ([{"b": 2}], b"")


def test_the_tail_counts_frames_losses_and_latency(tmp_path):
    (tmp_path / "cam").mkdir()
    journal = tmp_path / "cam" / "faces.jsonl"
    tail = Tail(tmp_path, clock=lambda: 7.5, now=lambda: 1007.5)
    tail.look()  # there is no journal yet
    with journal.open("w") as file:
        file.write('{"schema":1,"source":{"uri":"rtsp://h/"}}\n')
        file.write('{"faces":[],"dropped":2,"time_s":1.1,"utc":"1970-01-01T00:16:47.480Z"}\n')
        file.write('{"event":"offline","time_s":1.2,"utc":"1970-01-01T00:16:47.490Z"}\n')
    tail.look()
    assert (tail.frames, tail.dropped, tail.losses, tail.offline) == (1, 2, 1, True)
    latency_ms, (event,) = tail.taken()
    assert latency_ms == [20]
    assert (event["event"], event["missing_ms"]) == ("offline", 90)
    assert tail.taken() == ([], [])
    tail.close()


def test_memory_that_no_file_is_behind():
    assert anonymous_mb("Name:\tpython\nVmRSS:\t  900 kB\nRssAnon:\t  2048 kB\n") == pytest.approx(
        2.097152
    )
    assert anonymous_mb("Name:\tpython\n") is None


def test_the_plan_is_seeded_and_leaves_the_end_alone():
    plan = soak_faults.plan(7200, 0)
    assert plan == soak_faults.plan(7200, 0) != soak_faults.plan(7200, 1)
    assert 30 <= len(plan) <= 70
    assert {fault.how for fault in plan} == {"kill", "stop", "freeze"}
    assert plan[0].at_s > 60
    assert plan[-1].at_s < 7140


def test_a_fault_is_recovered_by_a_frame_after_its_return_over_a_new_connection():
    sent, now = [], [0.0]
    server = SimpleNamespace(down=lambda how: sent.append("down"), up=lambda how: sent.append("up"))
    tail = SimpleNamespace(losses=0, offline=False, last_frame_s=0.0)
    steps = soak_faults.inject(
        server, tail, soak_faults.Planned(0, "kill", 2.0), clock=lambda: now[0]
    )
    next(steps)
    now[0], tail.last_frame_s = 3.0, 2.9  # frames that were under way, the loss not yet noticed
    next(steps)
    assert sent == ["down", "up"]
    now[0], tail.losses, tail.offline = 4.0, 1, True
    next(steps)
    now[0], tail.offline, tail.last_frame_s = 5.0, False, 4.5
    with pytest.raises(StopIteration) as done:
        next(steps)
    assert done.value.value == {
        "how": "kill",
        "away_s": 3.0,
        "noticed": True,
        "recovered": True,
        "first_result_s": 1.5,
    }
