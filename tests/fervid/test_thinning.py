"""--every, --start and --end: fewer frames, each with its own number, time and pixels."""

import itertools

import numpy as np
import pytest

from fervid.capture import SEEK_FROM_S, open_source
from fervid.config import ReadConfig
from fervid.errors import ConfigError, SourceOpenError
from fervid.sinks.video import VideoSink
from fervid.stats import RunStats
from tests import clips
from tests.fakes import FakeCapture
from tests.sinks import header, listen, result, run, watch


def read(path, **settings):
    with open_source(str(path), ReadConfig(**settings)) as source:
        return source, list(source)


def facts(frames):
    return [(f.index, f.time_s, f.bgr.tobytes()) for f in frames]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"every": 5}, [0, 5, 10]),
        ({"every": 100}, [0]),
        ({"start": 0.2}, [5, 6, 7, 8, 9, 10, 11]),
        ({"start": 0.21}, [6, 7, 8, 9, 10, 11]),
        ({"end": 0.12}, [0, 1, 2]),
        ({"start": 0.2, "end": 0.36, "every": 2}, [5, 7]),
        ({"start": 0.0, "end": 99.0, "every": 6}, [0, 6]),
    ],
)
def test_frames_keep_their_numbers_and_times(tmp_path, settings, wanted):
    path = clips.clip(tmp_path / "a.mp4")
    whole = facts(read(path)[1])
    source, frames = read(path, **settings)
    assert facts(frames) == [whole[n] for n in wanted]
    info = source.info
    assert info.start_s == frames[0].time_s
    assert info.rate == pytest.approx(25 / settings.get("every", 1))
    assert info.n_frames in (None, len(wanted))
    assert (info.n_frames is None) == ("end" in settings)
    end_s = min(settings.get("end", 0.48), 0.48)
    assert info.duration_s == pytest.approx(end_s - info.start_s, abs=0.001)


@pytest.fixture(scope="module")
def pictures():
    """Ten seconds of noise that no two frames share, small and quick to encode."""
    rng = np.random.default_rng(2)
    return list(rng.integers(0, 256, (250, 32, 48, 3), np.uint8))


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"g": "25"}),
        ("a.mkv", "libx264", {"g": "25", "bf": "3"}),
        ("a.mkv", "libx264", {"g": "25", "bf": "3", "x264-params": "open-gop=1"}),
        ("a.ts", "libx264", {"g": "25"}),
        ("a.avi", "mpeg4", {"g": "12"}),
        ("a.mpg", "mpeg1video", {"g": "12", "bf": "2"}),
    ],
)
@pytest.mark.parametrize("offset_s", [0.0, 3.0])
def test_a_far_start_is_exact(tmp_path, pictures, name, codec, options, offset_s):
    times = [offset_s + n / 25 for n in range(250)] if codec == "libx264" else None
    path = clips.clip(
        tmp_path / name, codec, pictures=pictures, size=(48, 32), options=options, times=times
    )
    whole = facts(read(path)[1])
    for wanted in (25, 101, 249):
        source, frames = read(path, start=whole[wanted][1])
        assert facts(frames) == whole[wanted:]
        assert source.damaged == 0


def test_a_far_start_decodes_from_a_key_frame_only(tmp_path, pictures):
    options = {"g": "25", "sc_threshold": "0"}
    path = clips.clip(tmp_path / "a.mp4", pictures=pictures, size=(48, 32), options=options)
    source, frames = read(path, start=8.5)
    assert SEEK_FROM_S < 8.5
    assert source._source._index == 200  # the last of the key frames before
    assert frames[0].index == 213


def test_timestamps_that_start_again_are_decoded_from_the_start(tmp_path, pictures):
    path = clips.clip(tmp_path / "a.ts", pictures=pictures[:100], size=(48, 32))
    path.write_bytes(path.read_bytes() * 2)
    whole = facts(read(path)[1])
    assert len(whole) == 200
    assert facts(read(path, start=5.0)[1]) == [f for f in whole if f[1] >= 5.0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start": 5.0}, r"a\.mp4 ends at 0\.48 s, before --start 5 s; give an earlier time"),
        ({"start": 0.41, "end": 0.43}, r"no picture between --start and --end; .* at 0\.44 s"),
    ],
)
def test_nothing_left_is_said_when_it_is_opened(tmp_path, settings, words):
    path = clips.clip(tmp_path / "a.mp4")
    with pytest.raises(SourceOpenError, match=words):
        open_source(str(path), ReadConfig(**settings))


def test_a_camera_has_no_start_but_can_be_thinned():
    capture = FakeCapture([clips.picture(n) for n in range(8)])
    with pytest.raises(ConfigError, match="camera 0 is live; leave them out"):
        open_source("0", ReadConfig(start=1.0), capture_factory=capture)
    assert capture.released == 1
    capture = FakeCapture([clips.picture(n) for n in range(8)])
    with open_source("0", ReadConfig(every=3), capture_factory=capture) as source:
        frames = list(itertools.islice(source, 2))
    assert [(f.index, clips.number(f.bgr)) for f in frames] == [(0, 1), (3, 4)]


def test_images_are_thinned_too(tmp_path):
    import cv2

    for n in range(8):
        cv2.imwrite(str(tmp_path / f"f_{n}.png"), clips.picture(n))
    _, frames = read(tmp_path, fps=4.0, start=0.5, end=1.75, every=2)
    assert [(f.index, f.time_s, clips.number(f.bgr)) for f in frames] == [
        (2, 0.5, 2),
        (4, 1.0, 4),
        (6, 1.5, 6),
    ]


@pytest.mark.parametrize(
    ("name", "sound", "offset_s"),
    [("a.mp4", "aac", 0.0), ("a.mkv", "pcm_s16le", 0.0), ("a.mkv", "pcm_s16le", 1.5)],
)
def test_sound_stays_in_step_behind_a_start(tmp_path, pictures, name, sound, offset_s):
    path = clips.clip(
        tmp_path / name,
        pictures=pictures[:150],
        size=(48, 32),
        sound=sound,
        tone_from_s=offset_s + 4.5,
        times=[offset_s + n / 25 for n in range(150)],
    )
    source, frames = read(path, start=4.0, end=5.5)
    sink = VideoSink(tmp_path / "out.mp4", header(source.info))
    run(sink, [result(f.index, time_s=f.time_s) for f in frames], (48, 32))
    times = [t for _, t in watch(tmp_path / "out.mp4")[0]]
    assert times == pytest.approx([n / 25 for n in range(38)], abs=2e-3)
    start_s, samples, _ = listen(tmp_path / "out.mp4")
    loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max())[0]
    # The tone begins half a second after the start; a codec's delay is one of its frames.
    assert start_s + loud / 44_100 == pytest.approx(0.5, abs=0.06)
    assert start_s + len(samples) / 44_100 == pytest.approx(1.52, abs=0.08)


def test_progress_counts_from_the_start(tmp_path):
    source, frames = read(clips.clip(tmp_path / "a.mp4"), start=0.2, end=0.4)
    stats = RunStats(lambda: 0.0)
    for frame in frames:
        stats.observe(result(frame.index, time_s=frame.time_s))
    snapshot = stats.snapshot(source.info)
    assert snapshot.position_s == pytest.approx(snapshot.duration_s)
    assert stats.summary()["duration_s"] == pytest.approx(0.16)
