"""The table at the end of a run."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from fervid.clips import INTERRUPTED, clip_row, failed_row
from fervid.ending import MOST_ROWS, ending
from tests.archives import write_run


def row(name, happy=0.75, faces=40, uncertain=0.25, **more):
    summary = {
        "source": f"{name}.mp4",
        "frames": 100,
        "dropped": 3,
        "duration_s": 4.0,
        "faces": faces,
        "frames_with_faces": faces,
        "tracks": 1,
        "fps": 31.26,
        "damaged": 0,
        "uncertain": {"share": uncertain},
        "noise": {"clean": 1.0},
        "filters": {"none": 1.0},
        "labels": {"happy": happy, "sad": 1 - happy},
        "classes": ["happy", "sad"],
        "error": None,
        **more,
    }
    return clip_row(name, summary)


def told(rows, places=(), width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(ending(rows, list(places)))
    return console.file.getvalue()


def line_of(text, word):
    return re.split(r"\s{2,}", next(x for x in text.splitlines() if word in x).strip())


def test_one_source_has_a_row_and_its_place():
    text = told([row("clip")], ["results/clip/"])
    assert text.splitlines()[0].strip() == "1 source"
    assert line_of(text, "clip ") == ["clip", "100", "40", "happy 75%", "25%", "31.3", "3"]
    assert "results: results/clip/" in text
    assert not any(line.strip().startswith("all") for line in text.splitlines())


def test_totals_weigh_sources_by_their_faces():
    text = told([row("one", 1.0, 30, 0.0), row("two", 0.0, 90, 0.4), row("none", faces=0)])
    assert line_of(text, "all ") == ["all", "300", "120", "sad 75%", "30%", "9"]


def test_frames_that_outages_cost_are_told_apart_from_late_ones():
    away = row("door", drops={"late": 3, "offline": 1275})
    text = told([row("yard"), away])
    assert "late + offline" in text
    assert line_of(text, "door ")[-1] == "3 + 1,275"
    assert line_of(text, "yard ")[-1] == "3"
    assert line_of(text, "all ")[-1] == "6 + 1,275"
    assert max(map(len, text.splitlines())) <= 80
    assert "late" not in told([row("yard")])


def test_no_number_is_cut_in_80_columns():
    drops = {"late": 1_234_567, "offline": 45_678}
    camera = row("camera-lan-stream-of-the-door", 0.75, 3_456_789, error="interrupted")
    camera |= {"frames": 3_456_789, "dropped": drops["late"], "drops_offline": drops["offline"]}
    text = told([camera])
    assert text.count("3,456,789") == 2
    for part in ("late", "offline", "1,234,567", "45,678", "31.3"):
        assert part in text
    assert "happy 75%" in text
    assert "interrupted" in text.partition("happy")[2]


def test_what_failed_and_what_was_interrupted_is_counted_and_marked():
    rows = [
        row("good"),
        failed_row("bad", "bad.mp4", "it is no film"),
        row("half", error=INTERRUPTED),
    ]
    text = told(rows)
    assert text.splitlines()[0].strip() == "3 sources, 1 failed, 1 interrupted"
    assert line_of(text, "bad ") == ["bad", "failed"]
    assert "happy 75% interrupted" in line_of(text, "half ")


def test_of_many_sources_the_failed_and_the_least_certain_are_shown():
    rows = [row(f"clip{n:02}", uncertain=n / 100) for n in range(50)]
    rows[7] = failed_row("clip07", "clip07.mp4", "gone")
    text = told(rows)
    shown = re.findall(r"clip\d\d", text)
    assert shown == ["clip07", *(f"clip{n:02}" for n in range(49, 50 - MOST_ROWS, -1))]
    assert f"all ({50 - MOST_ROWS} not shown)" in text


def test_a_few_sources_keep_their_order():
    names = ["b", "a", "c"]
    text = told([row(f"clip-{name}") for name in names])
    assert re.findall(r"clip-(\w)", text) == names


@pytest.mark.parametrize("width", [80, 60])
def test_it_fits_its_terminal_whatever_the_names(width):
    rows = [row("顔" * 60), row("a\x1b[2Jb", frames=9_999_999, faces=9_999_999)]
    text = told([*rows, failed_row("x" * 200, "x", "gone")], ["r/" + "y" * 200], width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "\x1b" not in text


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("clips", [{"a.mp4": 2}, {"a.mp4": 2, "b.mp4": 1}])
def test_a_run_shows_it_on_standard_error_unless_it_is_quiet(tmp_path, clips, quiet):
    console = Console(file=io.StringIO(), width=80)
    write_run(tmp_path / "r", clips, console=console, quiet=quiet)
    said = console.file.getvalue()
    assert bool(said) is not quiet
    if not quiet:
        assert "r/a/" in said.replace("\n", "") or len(clips) > 1


def test_one_source_that_never_began_has_no_table(tmp_path):
    console = Console(file=io.StringIO(), width=80)
    write_run(tmp_path / "r", {"a.mp4": 2}, failing=["a.mp4"], console=console)
    assert console.file.getvalue() == ""
