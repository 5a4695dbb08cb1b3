"""Subtitles as a player reads them: PyAV decodes what the sink wrote."""

import itertools
from dataclasses import replace

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.records import Frame
from fervid.sinks.srt import MIN_CUE_S, SrtSink
from tests.results import face, header, put, result, write


def cues(path, results, rate=25):
    """The cues (start, end, lines), read by ffmpeg's own parser."""
    write(SrtSink(path, header(rate=rate)), results)
    return watch(path)


def watch(path):
    if not path.stat().st_size:
        return []
    with av.open(str(path), format="srt") as file:
        stream = file.streams.subtitles[0]
        packets = [p for p in file.demux(stream) if p.pts is not None]
        return [
            (
                round(float(p.pts * p.time_base), 3),
                round(float((p.pts + p.duration) * p.time_base), 3),
                bytes(p).decode(),
            )
            for p in packets
        ]


def frames(*spans, rate=25):
    """Results of a constant frame rate: (seconds, faces)."""
    index = itertools.count()
    return [
        result(i := next(index), *faces, time_s=i / rate)
        for seconds, faces in spans
        for _ in range(round(seconds * rate))
    ]


def test_a_cue_lasts_as_long_as_its_label(tmp_path):
    shown = frames((2, [face("happy")]), (1, []), (3, [face("angry", unsure=True)]))
    assert cues(tmp_path / "a.srt", shown) == [(0, 2, "happy"), (3, 6, "angry?")]


def test_times_of_a_part_count_from_its_first_frame(tmp_path):
    shown = frames((2, [face("happy")]), (3, [face("angry")]))
    about = header()
    part = replace(about, source=replace(about.source, start_s=1.0))
    write(SrtSink(tmp_path / "a.srt", part), [r for r in shown if r.time_s >= 1])
    assert watch(tmp_path / "a.srt") == [(0, 1, "happy"), (1, 4, "angry")]


def test_the_largest_face_stands_first_and_each_has_its_line(tmp_path):
    both = [face("happy", 0, side=20), face("neutral", 1, side=30, unsure=True)]
    found = cues(tmp_path / "a.srt", frames((2, both), (2, both[:1])))
    assert found == [(0, 2, "#1 neutral?\n#0 happy"), (2, 4, "happy")]


def test_faces_that_take_turns_at_being_largest_make_one_cue(tmp_path):
    shown = [result(n, face("happy", 0, side=20 + n % 2), face("angry", 1)) for n in range(50)]
    assert len(cues(tmp_path / "a.srt", shown)) == 1


def test_flicker_is_not_shown(tmp_path):
    for odd in ([face("angry")], [face("happy", unsure=True)], []):
        shown = frames((2, [face()]), (0.2, odd), (2, [face()]))
        assert cues(tmp_path / "a.srt", shown) == [(0, 4.2, "happy")]


def test_the_frames_own_times_count(tmp_path):
    times = [0, 0.1, 3.0, 3.02, 7.5]  # a frame is seen until the next one
    labels = ["happy", "happy", "angry", "angry", "angry"]
    shown = [
        result(n, face(k), time_s=t) for n, (t, k) in enumerate(zip(times, labels, strict=True))
    ]
    assert cues(tmp_path / "a.srt", shown, rate=10) == [(0, 3, "happy"), (3, 7.6, "angry")]


def test_a_short_end_belongs_to_the_cue_before_and_a_short_clip_is_readable(tmp_path):
    shown = frames((2, [face()]), (0.2, [face("angry")]))
    assert cues(tmp_path / "a.srt", shown) == [(0, 2.2, "happy")]
    ((start, end, text),) = cues(tmp_path / "b.srt", [result(0, face())])
    assert (start, text) == (0, "happy")
    assert end == pytest.approx(MIN_CUE_S, abs=1e-3)


def test_no_face_at_all_is_an_empty_file(tmp_path):
    assert cues(tmp_path / "a.srt", frames((2, []))) == []
    assert cues(tmp_path / "b.srt", []) == []


def test_hours_are_written_as_players_read_them(tmp_path):
    shown = [result(n, face(), time_s=359_990 + n) for n in range(12)]
    ((_, end, _),) = cues(tmp_path / "a.srt", shown, rate=1)
    assert end == 360_002
    assert "--> 100:00:02,000" in (tmp_path / "a.srt").read_text()


def test_what_was_said_is_on_disk_before_the_end(tmp_path):
    sink = SrtSink(tmp_path / "a.srt", header())
    for item in frames((2, [face()]), (2, [face("angry")])):
        put(sink, item)
    assert watch(tmp_path / "a.srt") == [(0, 2, "happy")]
    sink.close()


SEEN = st.lists(
    st.tuples(
        st.floats(0.001, 0.7),
        st.dictionaries(st.integers(0, 2), st.sampled_from(("angry", "happy")), max_size=3),
    ),
    min_size=1,
    max_size=60,
)


@given(SEEN)
@settings(max_examples=60, deadline=None)
def test_cues_never_overlap_and_can_always_be_read(tmp_path_factory, seen):
    times = [0.0, *itertools.accumulate(step for step, _ in seen)]
    shown = [
        result(n, *(face(label, track) for track, label in faces.items()), time_s=times[n])
        for n, (_, faces) in enumerate(seen)
    ]
    found = cues(tmp_path_factory.mktemp("srt") / "a.srt", shown)
    for start, end, _ in found:
        assert end - start >= MIN_CUE_S - 0.002
    for (_, end, _), (start, _, _) in itertools.pairwise(found):
        assert end <= start


def test_a_face_is_not_said_to_be_there_while_its_source_is_offline(tmp_path):
    sink = SrtSink(tmp_path / "a.srt", header())
    for item in frames((2, [face("happy")])):
        put(sink, item)
    for item in (result(50, face("happy"), time_s=7.0), result(51, face("happy"), time_s=9.0)):
        sink.write(Frame(item.index, item.time_s, np.zeros((48, 64, 3), np.uint8), 1), item, None)
    sink.close()
    assert watch(tmp_path / "a.srt") == [(0, 2, "happy"), (7, 9.04, "happy")]
