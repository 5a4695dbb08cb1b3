"""What a person names becomes sources; what fervid wrote does not come back as one."""

import os
from pathlib import Path

import cv2
import pytest

from fervid.cli import main
from fervid.config import OutputConfig, RunConfig, SourceConfig
from fervid.errors import ConfigError, SourceOpenError
from fervid.expand import expand
from fervid.outputs import plan
from tests import clips


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def expanded(*sources, **output):
    return expand(RunConfig(tuple(map(str, sources)), output=OutputConfig(**output)))


def below(folder, *sources, **output):
    found = expanded(*(sources or (folder,)), **output)
    return [Path(os.path.relpath(source, folder)).as_posix() for source in found]


def test_a_folder_gives_its_videos_in_natural_order_and_those_below_it(tmp_path):
    touch(tmp_path, "b10.MP4", "b9.mkv", "notes.txt", ".hidden.mp4", ".cache/x.mp4", "x/y/a.avi")
    assert below(tmp_path) == ["b9.mkv", "b10.MP4", "x/y/a.avi"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_that_lead_back_are_followed_once(tmp_path):
    touch(tmp_path, "x/a.mp4")
    (tmp_path / "x" / "up").symlink_to(tmp_path)
    (tmp_path / "again.mp4").symlink_to(tmp_path / "x" / "a.mp4")
    (tmp_path / "other").symlink_to(tmp_path / "x")
    assert len(below(tmp_path)) == 1


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_file_is_called_by_the_first_of_its_names_not_by_a_way_through_links(tmp_path):
    touch(tmp_path, "a.mp4")
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    (tmp_path / "loop").symlink_to(".")
    assert below(tmp_path) == ["a.mp4"]
    assert below(tmp_path, tmp_path / "**" / "*.mp4") == ["a.mp4"]


def test_numbered_images_are_a_sequence_and_photographs_are_not(tmp_path):
    touch(tmp_path, "take/f_2.png", "take/f_10.png", "take/f_1.png")
    touch(tmp_path, "group/anna.jpg", "group/bert.jpg", "one/a_1.jpg")
    assert below(tmp_path) == [
        "group/anna.jpg",
        "group/bert.jpg",
        "one/a_1.jpg",
        "take",
    ]
    assert below(tmp_path, tmp_path / "take") == ["take"]


def test_images_beside_videos_are_passed_over_and_said(tmp_path, caplog):
    touch(tmp_path, "a.mp4", "a_cover.jpg", "b_cover.jpg")
    assert below(tmp_path) == ["a.mp4"]
    assert "images beside videos are passed over (2)" in caplog.text


def test_globs(tmp_path):
    touch(tmp_path, "a_1.mkv", "a_2.mkv", "a_3.txt", "x/y/b.mkv", "pics/p1.png", "pics/p2.png")
    assert below(tmp_path, tmp_path / "*.mkv") == ["a_1.mkv", "a_2.mkv"]
    assert below(tmp_path, tmp_path / "a_*") == ["a_1.mkv", "a_2.mkv"]
    assert below(tmp_path, tmp_path / "*.txt") == ["a_3.txt"]
    assert len(below(tmp_path, tmp_path / "**" / "*.mkv")) == 3
    assert len(below(tmp_path, tmp_path / "**")) == 5
    # By a glob an image is by itself, by its folder one of a sequence.
    assert len(below(tmp_path, tmp_path / "pics" / "*.png")) == 2
    assert below(tmp_path, tmp_path / "p*") == ["pics"]


def test_a_name_with_brackets_is_a_name_if_it_exists(tmp_path):
    touch(tmp_path, "clip[1].mp4", "clip1.mp4")
    assert below(tmp_path, tmp_path / "clip[1].mp4") == ["clip[1].mp4"]


def test_what_is_no_file_stays_as_it_is():
    urls = ("rtsp://host/a*b?x=[1]", "-", "0", "no such.mp4", "x" * 5000, "")
    assert expand(RunConfig(urls, camera=(3,))) == [*urls, "camera:3"]


@pytest.mark.parametrize(
    ("names", "given", "words"),
    [
        ([], ".", "is empty; name"),
        (["a.txt"], ".", "holds no video or image"),
        ([".a.mp4"], ".", "holds no video or image"),
        (["a.mkv"], "*.mvk", r"No file fits .*\*\.mvk; did you mean .*\*\.mkv\?"),
        (["clips/a.mkv"], "clps/*.mkv", r"did you mean .*clips\?"),
        (["a.mkv"], "[0-9]*", "check the folder and the pattern"),
    ],
)
def test_nothing_to_read_is_one_sentence(tmp_path, names, given, words):
    touch(tmp_path, *names)
    with pytest.raises(SourceOpenError, match=words) as caught:
        expanded(tmp_path / given)
    assert str(caught.value).endswith((".", "?"))
    assert "\n" not in str(caught.value)


def test_a_whole_disk_is_refused():
    with pytest.raises(SourceOpenError, match="is a whole disk"):
        expanded(Path.cwd().anchor)


def test_a_missing_file_suggests_the_nearest(tmp_path, capsys):
    touch(tmp_path, "interview.mp4")
    assert main([str(tmp_path / "intervew.mp4"), "-q"]) == 1
    assert "did you mean" in (said := capsys.readouterr().err)
    assert "interview.mp4" in said


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (("a.mp4", "a.mp4"), r"a\.mp4 is named twice; name"),
        (("a.mp4", "x/../a.mp4"), r"named twice, by .*a\.mp4 and by .*x/\.\./a\.mp4"),
        ((".", "a.mp4"), r"named twice, by .* and by "),
        (("*.mp4", "a*"), r"named twice, by .*\*\.mp4 and by .*a\*;"),
    ],
)
def test_a_source_that_is_named_twice(tmp_path, sources, words):
    touch(tmp_path, "a.mp4", "x/b.txt")
    with pytest.raises(ConfigError, match=words):
        expanded(*(tmp_path / source for source in sources))


def test_cameras_pipes_and_streams_are_known_by_any_name():
    for names in (("0", "camera:0"), ("camera:1", "/dev/video1"), ("-", "-")):
        with pytest.raises(ConfigError, match="is named twice"):
            expand(RunConfig(names))
    with pytest.raises(ConfigError, match="is named twice") as caught:
        expand(RunConfig(("rtsp://me:pw@host/s", "rtsp://me:pw@host/s")))
    assert "pw" not in str(caught.value)


def results(folder):
    touch(folder, "annotated.mp4", "faces.jsonl", "summary.json", "crops/0_1.png", "crops/0_2.png")


def test_results_are_never_sources(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4", "elsewhere/c.mp4")
    results(tmp_path / "results" / "a")
    results(tmp_path / "a")  # as with -o into the folder of the clips itself
    touch(tmp_path, "half/annotated.mp4", "half/faces.jsonl")  # killed before its summary
    wanted = ["a.mp4", "b.mp4", "elsewhere/c.mp4"]
    out = tmp_path / "results"
    assert below(tmp_path, out=out) == wanted
    assert below(tmp_path, tmp_path / "**" / "*.mp4", out=out) == wanted
    assert below(tmp_path, tmp_path / "*", out=out) == wanted
    assert below(tmp_path, out=tmp_path) == wanted
    assert below(tmp_path, tmp_path / "half" / "annotated.mp4") == ["half/annotated.mp4"]
    with pytest.raises(SourceOpenError, match="holds results of fervid"):
        expanded(tmp_path / "results" / "a")


def test_a_single_output_in_the_folder_is_no_source(tmp_path):
    touch(tmp_path, "a.mp4", "seen.mp4")
    assert below(tmp_path, video=tmp_path / "seen.mp4", overwrite=True) == ["a.mp4"]


def test_two_runs_over_a_folder_analyse_the_same(tmp_path):
    cv2.imwrite(str(tmp_path / "face.png"), clips.picture(5))
    out = tmp_path / "results"
    for _ in range(2):
        assert main([str(tmp_path), "-o", str(out), "--overwrite", "-q"]) == 0
    assert [p.name for p in out.iterdir()] == ["face"]
    assert (out / "face" / "annotated.mp4").is_file()


def test_names_of_results(tmp_path, monkeypatch):
    touch(tmp_path, "take/1.png", "take/2.png", "take/b_1.png")
    monkeypatch.chdir(tmp_path)
    config = RunConfig(output=OutputConfig(out=tmp_path / "r"))

    def names(*sources):
        return [t.summary.parent.name for t in plan(config, sources)]

    assert names("-") == ["stdin"]
    assert names("take/%d.png") == ["take"]
    assert names("take/%d.png", "take/b_%d.png", "-")[1:] == ["b", "stdin"]


def test_the_real_clips_are_17():
    folder = clips.real("single_face.mp4").parent
    assert len(expanded(folder)) == 17
    assert len(expanded(folder / "hands_*.mkv")) == 6


def test_settings_that_no_source_has_are_told_without_their_password(tmp_path, caplog):
    touch(tmp_path, "in/a.mp4")
    uris = (str(tmp_path / "in"), str(tmp_path / "on/a.mp4"), "rtsp://me:s3cret@host/door")
    own = tuple(SourceConfig(uri, read={"every": 2}) for uri in uris)
    expand(RunConfig((str(tmp_path / "in"),), per_source=own))
    unused = [f"The [[source]] settings of {uri} apply to no source" for uri in uris]
    assert unused[0] not in caplog.text
    assert unused[1] in caplog.text
    assert "settings of rtsp://host/door apply to no source of this run." in caplog.text
    assert "s3cret" not in caplog.text
