"""The annotated video: its pictures, times and sound, and what is left of it after a kill."""

import itertools
import json
import os
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from fervid.capture import open_source
from fervid.errors import SinkError
from fervid.records import Frame, SourceInfo
from fervid.sinks import Calendar
from fervid.sinks.video import VideoSink
from tests import clips
from tests.sinks import OFFLINE, ONLINE, STARTED, header, listen, live, result, run, watch


def test_names_that_are_not_text_do_not_stop_the_video(tmp_path):
    name = os.fsdecode(b"\xff.mp4")
    clips.clip(tmp_path / name, frames=4, sound="aac")
    with open_source(str(tmp_path / name)) as source:
        head = header(source.info, config={"sources": [name]})
        results = [result(frame.index, time_s=frame.time_s) for frame in source]
    path = tmp_path / os.fsdecode(b"\xfe") / name
    path.parent.mkdir()
    run(VideoSink(path, head), results)
    path.rename(tmp_path / "out.mp4")
    shown, metadata = watch(tmp_path / "out.mp4")
    assert len(shown) == 4
    assert metadata["title"] == r"\udcff.mp4"
    assert json.loads(metadata["comment"])["config"] == {"sources": [name]}
    with pytest.raises(SinkError, match="does not exist"):
        VideoSink(tmp_path / "none" / name, head)


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_video_keeps_pictures_times_and_header(tmp_path, size):
    info = SourceInfo("a.mp4", "a.mp4", *size, False, Fraction(25))
    times = [0, 0.04, 0.3, 0.31, 0.5, 1.25]
    results = [result(n, time_s=t) for n, t in enumerate(times)]
    run(VideoSink(tmp_path / "out.mp4", header(info)), results, size)
    shown, metadata = watch(tmp_path / "out.mp4")
    assert [number for number, _ in shown] == list(range(6))
    assert [time for _, time in shown] == pytest.approx(times, abs=1e-3)
    assert json.loads(metadata["comment"])["model"] == "tiny"
    with open_source(str(tmp_path / "out.mp4")) as source:
        assert (source.info.width, source.info.height) == (64, 48)
        assert source.info.codec == "h264"


def test_video_of_a_live_source(tmp_path):
    run(VideoSink(tmp_path / "out.mp4", live()), [result(n) for n in range(4)])
    assert len(watch(tmp_path / "out.mp4")[0]) == 4


@pytest.mark.parametrize("of", [live, header])
def test_only_a_recording_keeps_a_list_of_fragments_in_memory(tmp_path, of):
    run(VideoSink(tmp_path / "out.mp4", of()), [result(n) for n in range(4)])
    assert (b"mfra" in (tmp_path / "out.mp4").read_bytes()) is (of is header)


def test_two_frames_at_the_same_moment_do_not_break_the_file(tmp_path):
    run(VideoSink(tmp_path / "out.mp4", header()), [result(n, time_s=0.1) for n in range(3)])
    assert len(watch(tmp_path / "out.mp4")[0]) == 3


@pytest.mark.parametrize(
    ("stated", "live", "true"),
    [
        (60, False, 60),
        (25, False, 25),
        (10, False, 10),
        (5, False, 5),
        (25, True, 8),
        (25, True, 3),
    ],
)
def test_a_killed_run_leaves_a_file_that_plays_to_its_last_second(tmp_path, stated, live, true):
    path, done = tmp_path / "out.mp4", 120
    source = SourceInfo("x.mp4", "x.mp4", *clips.SIZE, live=live, rate=Fraction(stated))
    sink = VideoSink(path, header(source, calendar=Calendar(lambda: STARTED)))
    for n in range(done):
        drawn = clips.picture(n % 20)
        sink.write(Frame(n, n / true, drawn), result(n, time_s=n / true), drawn)
    left = tmp_path / "left.mp4"
    left.write_bytes(path.read_bytes())  # what a kill would leave
    sink.close()
    shown, metadata = watch(left)
    assert 0 <= done - len(shown) < true
    assert done - len(shown) <= (1 if live else true / 2)
    assert [number for number, _ in shown] == [n % 20 for n in range(len(shown))]
    assert "comment" in metadata


@pytest.mark.parametrize(("kind", "first"), [("live", 2), ("recording", 3), ("sounding", 4)])
def test_a_killed_run_leaves_something_to_play_after_its_first_pictures(tmp_path, kind, first):
    """However slowly they are analysed: a second may hold no more than these."""
    path, clip = tmp_path / "out.mp4", tmp_path / "a.mp4"
    shown = [clips.picture(n % 20) for n in range(50)]
    clips.clip(clip, pictures=shown, sound="aac" if kind == "sounding" else "")
    with open_source(str(clip)) as source:
        info = replace(source.info, live=kind == "live")
    sink = VideoSink(path, header(info, calendar=Calendar(lambda: STARTED)))
    for n in range(first):
        drawn = clips.picture(n)
        sink.write(Frame(n, n / 25, drawn), result(n, time_s=n / 25), drawn)
    left = tmp_path / "left.mp4"
    left.write_bytes(path.read_bytes())  # what a kill would leave
    sink.close()
    assert [number for number, _ in watch(left)[0]] == [0]
    assert len(watch(path)[0]) == first


class FullForOnce:
    """A video file whose third packets find no place, as FFmpeg tells it: once it took them."""

    def __init__(self, file):
        self._file, self._calls = file, 0

    def mux(self, packets):
        self._calls += 1
        self._file.mux(packets)
        if self._calls == 3:
            raise OSError(28, "No space left on device")

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def test_pictures_that_the_encoder_holds_outlive_an_error(tmp_path):
    sink = VideoSink(tmp_path / "out.mp4", header())
    sink._file = FullForOnce(sink._file)
    with pytest.raises(SinkError, match="No space left"):
        run(sink, [result(n) for n in range(5)])
    sink.close()
    assert [number for number, _ in watch(tmp_path / "out.mp4")[0]] == [0, 1, 2]


@pytest.mark.parametrize("name", ["single_face.mp4", "grid_bbaf2n.mpg", "noface_face.mov"])
def test_real_clips_keep_their_times_and_sound(tmp_path, name):
    with open_source(str(clips.real(name))) as source:
        sink = VideoSink(tmp_path / "out.mp4", header(source.info))
        times = []
        for frame in itertools.islice(source, 15):
            times.append(frame.time_s)
            sink.write(frame, result(frame.index, time_s=frame.time_s), frame.bgr)
    sink.close()
    assert [t for _, t in watch(tmp_path / "out.mp4")[0]] == pytest.approx(times, abs=1e-3)
    assert listen(tmp_path / "out.mp4")[2] in ("aac", "mp3")


@pytest.mark.parametrize("begins_s", [0.0, 600.0])  # a later segment's video begins at 0, too
def test_the_video_shows_that_its_source_is_offline_and_not_its_last_picture(tmp_path, begins_s):
    bright, head = np.full((48, 64, 3), 255, np.uint8), live()
    head = replace(head, source=replace(head.source, start_s=begins_s))
    sink = VideoSink(tmp_path / "a.mp4", head)
    sink.write(Frame(0, begins_s, bright), result(0, time_s=begins_s), bright)
    for event in (OFFLINE, ONLINE):
        sink.note(replace(event, time_s=begins_s + event.time_s))
    again_s = begins_s + 3.5
    sink.write(Frame(1, again_s, bright, 1), result(1, time_s=again_s), bright)
    sink.close()
    with av.open(str(tmp_path / "a.mp4")) as file:
        seen = [(p.time, p.to_ndarray(format="gray").mean()) for p in file.decode(video=0)]
    assert [time_s for time_s, _ in seen] == pytest.approx([0, 0.05, 3.5], abs=1e-3)
    assert [light > 200 for _, light in seen] == [True, False, True]
