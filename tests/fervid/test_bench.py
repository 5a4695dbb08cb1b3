"""The benchmark: its statistics, its paced camera and its cases, on clocks that tests move."""

import itertools
import json
import platform
import sys
from contextlib import closing
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from fervid.backends import open_backend
from fervid.bench import cases, drawn, machine, scenes
from fervid.bench.cases import chosen, table
from fervid.bench.command import main, run
from fervid.bench.figures import LIMIT, Figures, median, percentiles, record, shares
from fervid.bench.live import WARM_UP, Arrivals, PacedCamera, cameras, latencies_ms
from fervid.bench.material import Size
from fervid.bench.measure import _until_unplugged
from fervid.bench.processes import growth, memory, start_up
from fervid.capture import open_camera
from fervid.config import RunConfig
from fervid.errors import ConfigError, FervidError, SinkError
from fervid.faces import FaceDetector
from fervid.records import Frame
from tests.clips import clip
from tests.places import SAMPLE


def test_percentiles_have_their_unit_in_the_name():
    found = percentiles(list(range(101)), "latency", "ms")
    assert found == {"latency_p50_ms": 50, "latency_p95_ms": 95, "latency_p99_ms": 99}
    with pytest.raises(ConfigError, match="longer clip"):
        percentiles([], "latency", "ms")


def test_the_share_of_the_limit_is_taken_within_a_round():
    rounds = [
        {LIMIT: Figures({"fps": 100}), "video": Figures({"fps": 50}), "start": Figures({"s": 1})},
        {LIMIT: Figures({"fps": 10}), "video": Figures({"fps": 4})},  # a slow moment of the machine
    ]
    first, second = shares(rounds)
    assert first["video"].values == {"fps": 50, "share_of_limit": 0.5}
    assert second["video"].values["share_of_limit"] == 0.4
    assert first["start"].values == {"s": 1}
    assert first[LIMIT].values == {"fps": 100}


def test_medians_are_over_the_rounds_that_have_a_figure():
    made = [
        Figures({"fps": 1.0}, {"noise": {"p50": 3.0}}),
        Figures({"fps": 9.0, "faces": 2.0}, {"noise": {"p50": 5.0}, "show": {"p50": 7.0}}),
        Figures({"fps": 2.0}, {"noise": {"p50": 4.0}}),
    ]
    assert median(made).values == {"fps": 2, "faces": 2}
    assert median(made).stages_ms == {"noise": {"p50": 4}, "show": {"p50": 7}}
    kept = record("words", made)
    assert kept["what"] == "words"
    assert [one["fps"] for one in kept["rounds"]] == [1, 9, 2]


class Clock:
    """Moves only when somebody sleeps or pushes it."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def paced(clock, seconds=10.0, rate=10.0):
    pictures = [np.full((4, 6, 3), k, np.uint8) for k in range(5)]
    return PacedCamera(pictures, rate, seconds, clock, clock.sleep)


def test_a_paced_camera_gives_a_picture_when_it_is_due():
    clock = Clock()
    camera = paced(clock)
    times = []
    for _ in range(3):
        assert camera.read()[0]
        times.append(clock.now)
    assert times == pytest.approx([100.0, 100.1, 100.2])
    assert camera.due_s == pytest.approx(times)
    assert camera.get(cv2.CAP_PROP_FPS) == 10


def test_who_comes_late_gets_the_newest_picture_and_its_time():
    clock = Clock()
    camera = paced(clock)
    camera.read()
    clock.now += 0.35
    _, picture = camera.read()
    assert picture[0, 0, 0] == 3
    assert camera.due_s[-1] == pytest.approx(100.3)
    assert clock.now == pytest.approx(100.35)


def test_a_paced_camera_ends():
    clock = Clock()
    camera = paced(clock, seconds=0.5)
    read = list(itertools.takewhile(lambda ok: ok, (camera.read()[0] for _ in range(20))))
    assert len(read) == 5
    assert camera.ended


def test_cameras_stand_in_for_opencvs_inside_the_block_only():
    before, camera = cv2.VideoCapture, paced(Clock())
    with cameras([camera]) as names:
        assert names == ["camera:0"]
        assert open_camera(0) is camera
    assert cv2.VideoCapture is before


def test_latency_counts_from_when_a_frame_was_due():
    """The camera's first picture is read to learn its size: frame 0 is its second."""
    due_s = [10 + k / 30 for k in range(40)]
    arrivals = [(k, due_s[k + 1] + 0.02) for k in (0, WARM_UP, WARM_UP + 3)]
    assert latencies_ms(arrivals, due_s) == pytest.approx([20, 20])


def test_arrivals_note_the_frame_the_time_and_the_faces():
    class Result:
        faces = (1, 2)

    clock = Clock()
    sink = Arrivals(clock=clock, cpu=lambda: 7.0)
    picture = np.zeros((4, 4, 3), np.uint8)
    for index in (0, 2):
        sink.write(Frame(index, 0.0, picture), Result(), None)
        clock.now += 1
    assert sink.seen == [(0, 100.0), (2, 101.0)]
    assert (sink.faces, sink.first_cpu_s) == (4, 7.0)


def test_growth_compares_the_last_quarter_with_the_second():
    assert growth([50, 60, 100, 110, 120, 130, 200, 200]) == pytest.approx(95)
    assert growth([80.0]) == 0


CPUINFO = """processor\t: 0
cpu family\t: 6
model\t\t: 85
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu avx2 fma avx512f avx512_vnni
"""


def test_the_machine_is_described_without_naming_it(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO)
    found = machine.describe(path)
    assert found["cpu"] == "Some CPU @ 2.00GHz, family 6, model 85"
    assert found["flags"] == ["avx2", "fma", "avx512f", "avx512_vnni"]
    assert found["cores"] >= 1
    assert {"numpy", "onnxruntime", "av"} <= set(found["libraries"])
    said = json.dumps(found)
    assert str(tmp_path) not in said
    assert platform.node() not in said


def test_a_machine_that_says_nothing_has_no_known_instructions(tmp_path):
    assert machine.describe(tmp_path / "nothing")["flags"] is None


def test_the_drawn_person_is_taken_for_a_face():
    pictures = list(drawn.frames(drawn.PERIOD))[::12]
    assert len(scenes.heads(pictures, "drawn")) == len(pictures)
    assert pictures[0].shape == (360, 640, 3)
    assert not np.array_equal(pictures[0], pictures[1])


def test_a_clip_without_a_face_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"sky\.mp4"):
        scenes.heads([np.full((90, 160, 3), 200, np.uint8)], "sky.mp4")


@pytest.mark.parametrize("faces", scenes.GRIDS)
@pytest.mark.parametrize("size", scenes.SIZES.values(), ids=scenes.SIZES)
def test_a_scene_shows_each_head_whole(faces, size):
    heads = [np.full((30, 30, 3), (0, 0, 255), np.uint8)]
    picture = scenes.scene(heads, faces, size, 0)
    assert picture.shape == (size[1], size[0], 3)
    red = (picture == (0, 0, 255)).all(2).astype(np.uint8)
    side = (
        round(scenes.ALONE * size[1])
        if faces == 1
        else min(size[0] // scenes.GRIDS[faces][0], size[1] // scenes.GRIDS[faces][1])
    )
    assert red.sum() == faces * side**2


def test_the_faces_of_a_scene_are_found():
    heads = scenes.heads(list(drawn.frames(12)), "drawn")
    with FaceDetector() as detector:
        found = detector.detect(scenes.scene(heads, 1, scenes.SIZES["360p"], 3))
    assert len(found) == 1


@pytest.mark.parametrize("count", [5, 12, 31])
def test_a_repeated_clip_has_as_many_pictures_as_asked_for(tmp_path, count):
    made = clip(tmp_path / "a.mp4", frames=12, options={"bf": "2"})
    copy = scenes.repeated(made, tmp_path / "b.mkv", count)
    levels = [round(float(bgr.mean())) for bgr in scenes.read(copy, 100)]
    assert len(levels) == count
    once = [round(float(bgr.mean())) for bgr in scenes.read(made, 100)]
    if count > 12:
        np.testing.assert_allclose(
            levels, list(itertools.islice(itertools.cycle(once), count)), atol=2
        )


def test_what_cannot_be_repeated_is_named(tmp_path):
    (tmp_path / "letter.mp4").write_text("Dear all")
    with pytest.raises(ConfigError, match=r"letter\.mp4"):
        scenes.repeated(tmp_path / "letter.mp4", tmp_path / "b.mkv", 5)


def test_written_clips_can_be_read(tmp_path):
    pictures = [np.full((48, 64, 3), 40 * k, np.uint8) for k in range(5)]
    read = scenes.read(scenes.write_clip(tmp_path / "a.mp4", pictures), 9)
    assert [round(float(bgr.mean()) / 40) for bgr in read] == [0, 1, 2, 3, 4]


def test_cases_have_names_of_their_own_and_other_models_their_lines():
    names = [case.name for case in table(["other"])]
    assert len(set(names)) == len(names)
    assert {"limit", "video", "12x1080p", "sources-4", "live", "start", "memory"} <= set(names)
    assert {"limit:other", "analysis:other"} <= set(names)


def test_cases_are_chosen_by_name_or_pattern_with_the_limit():
    cases = table([])
    names = [case.name for case in chosen(cases, ["12x*"], quick=False)]
    assert names == ["limit", "12x360p", "12x720p", "12x1080p", "12x720p-analysis"]
    quick = {case.name for case in chosen(cases, [], quick=True)}
    assert {"limit", "video", "live", "start"} <= quick < {case.name for case in cases}
    assert chosen(cases, [], quick=False) == cases
    with pytest.raises(ConfigError, match="did you mean video"):
        chosen(cases, ["vidoe"], quick=False)


def test_cases_take_turns_and_every_second_round_goes_backwards():
    order = []

    def case(name, **more):
        made = table([])[0]
        note = lambda _: order.append(name) or Figures({})  # noqa: E731
        return type(made)(name, name, note, **more)

    cases = [case("a"), case("b", once=True), case("c")]
    made = run(None, cases, 3, lambda _: None)
    assert order == ["a", "b", "c", "c", "a", "a", "c"]
    assert [sorted(found) for found in made] == [["a", "b", "c"], ["a", "c"], ["a", "c"]]


def test_a_run_that_fails_before_its_cameras_end_is_no_result():
    class Full(Arrivals):
        def write(self, *_):
            raise SinkError("The disk is full; make room.", "rows")

    pictures = list(drawn.frames(3))
    with closing(open_backend()) as backend, pytest.raises(SinkError, match="disk is full"):
        _until_unplugged([PacedCamera(pictures, 30, 60)], backend, RunConfig(), Full())


PRINTS = "print('header', flush=True); print('row', flush=True); import time; time.sleep(60)"


def test_start_up_ends_with_the_first_row(tmp_path):
    made = start_up(tmp_path / "any.mp4", [sys.executable, "-c", PRINTS])
    assert 0 < made.values["first_result_s"] < 30


def test_a_command_without_a_row_is_an_error_with_what_it_said(tmp_path):
    with pytest.raises(FervidError, match="broken"):
        start_up(tmp_path / "a.mp4", [sys.executable, "-c", "raise SystemExit('it is broken')"])
    with pytest.raises(FervidError, match="broken"):
        memory(tmp_path / "a.mp4", tmp_path, [sys.executable, "-c", "raise SystemExit('broken')"])


def test_memory_is_that_of_the_other_process(tmp_path):
    code = "import time; held = bytearray(b'x') * 150_000_000; time.sleep(.8)"
    made = memory(tmp_path / "a.mp4", tmp_path, [sys.executable, "-c", code])
    assert 150 < made.values["memory_peak_mb"] < 400


@pytest.mark.parametrize("frames", [0, 20_000])
def test_the_memory_case_repeats_its_scene(monkeypatch, tmp_path, frames):
    made = SimpleNamespace(
        scene=lambda faces, size: tmp_path / f"{faces}x{size}.mp4",
        folder=tmp_path,
        new_folder=lambda: tmp_path / "out-0",
        size=Size(60, 40, 2.5, frames),
    )
    monkeypatch.setattr(cases, "repeated", lambda clip, path, count: (clip.name, count))
    monkeypatch.setattr(cases, "memory", lambda clip, out: clip)
    wanted = ("1x1080p.mp4", frames) if frames else tmp_path / "1x1080p.mp4"
    assert cases._memory(made) == wanted


def test_wrong_options_say_what_is_wrong(capsys, tmp_path):
    for tokens, words in (
        (["--rounds", "0"], "--rounds must be at least 1"),
        (["--frames", "3"], "--frames must be at least 30"),
        (["--memory-frames", "3"], "--memory-frames must be at least 30"),
        (["--only", "vidoe"], "did you mean video?"),
        (["--json", str(tmp_path / "no" / "x.json")], "needs a folder"),
        (["--rouns", "2"], "--rouns"),
    ):
        assert main(tokens) == 2
        assert words in " ".join(capsys.readouterr().err.split())
    assert main([str(tmp_path / "gone.mp4")]) == 1
    assert "gone.mp4" in capsys.readouterr().err


def test_cases_are_listed_without_running_any(capsys):
    assert main(["--list"]) == 0
    assert "12x720p" in capsys.readouterr().out


@pytest.mark.slow
def test_a_benchmark_of_a_clip_prints_and_writes(tmp_path, capsys):
    path = tmp_path / "speed.json"
    only = ["--only", "video", "--only", "live", "--only", "sources-4"]
    options = ["--frames", "30", "--quick", "--json", str(path)]
    assert main([str(SAMPLE), *only, *options]) == 0
    made = json.loads(path.read_text())
    assert list(made["cases"]) == ["limit", "video", "sources-4", "live"]
    video, alive = made["cases"]["video"], made["cases"]["live"]
    assert video["faces"] == 1
    assert video["share_of_limit"] == pytest.approx(
        video["fps"] / made["cases"]["limit"]["fps"], abs=0.01
    )
    assert set(video["stages_ms"]["network"]) == {"p50", "p95", "p99"}
    assert 0 < alive["latency_p50_ms"] <= alive["latency_p95_ms"] <= alive["latency_p99_ms"]
    assert 0 <= alive["dropped_share"] < 1
    assert made["cases"]["sources-4"]["fps_slowest_source"] > 0
    assert made["clip"] == {"label": SAMPLE.name, "width": 480, "height": 270, "frames": 30}
    assert str(tmp_path) not in path.read_text()
    said = capsys.readouterr().out
    assert "latency p95" in said
    assert "Stages of video" in said
