"""The sound of the annotated video; whatever becomes of it, the pictures go on."""

import logging
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fervid.capture import open_source
from fervid.errors import SinkError, SourceOpenError
from fervid.records import Frame
from fervid.sinks.sound import Sound
from fervid.sinks.video import VideoSink
from tests import clips
from tests.sinks import header, listen, result, run, watch


def sounding(tmp_path, name, codec, sound, offset_s=0.0):
    path = tmp_path / name
    times = [offset_s + n / 25 for n in range(20)]
    clips.clip(path, codec, frames=20, sound=sound, times=times, tone_from_s=offset_s + 0.4)
    return info_and_times(path)


def info_and_times(path):
    with open_source(str(path)) as source:
        return source.info, [frame.time_s for frame in source]


@pytest.mark.parametrize(
    ("name", "codec", "sound", "written"),
    [
        ("a.mp4", "libx264", "aac", "aac"),
        ("a.mkv", "libx264", "libmp3lame", "mp3"),
        ("a.mkv", "libx264", "ac3", "aac"),
        ("a.mkv", "libx264", "flac", "flac"),
        ("a.mkv", "libx264", "pcm_s16le", "aac"),
        ("a.mpg", "mpeg1video", "mp2", "aac"),
        ("a.ts", "libx264", "aac", "aac"),
    ],
)
def test_sound_is_kept_and_stays_in_step(tmp_path, name, codec, sound, written):
    info, times = sounding(tmp_path, name, codec, sound)
    assert info.has_audio
    run(
        VideoSink(tmp_path / "out.mp4", header(info)),
        [result(n, time_s=t) for n, t in enumerate(times)],
    )
    start_s, samples, kept = listen(tmp_path / "out.mp4")
    assert kept == written
    loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max())[0]
    # The tone starts at .4 s; a codec's own delay is at most one of its frames.
    assert start_s + loud / 44_100 == pytest.approx(0.4, abs=0.06)
    assert start_s + len(samples) / 44_100 == pytest.approx(0.8, abs=0.08)
    assert [t for _, t in watch(tmp_path / "out.mp4")[0]] == pytest.approx(times, abs=2e-3)


@pytest.mark.parametrize("offset_s", [1.0, 2.5])
def test_sound_of_a_clip_that_does_not_start_at_zero(tmp_path, offset_s):
    info, times = sounding(tmp_path, "a.mkv", "libx264", "pcm_s16le", offset_s)
    assert times[0] == 0
    run(
        VideoSink(tmp_path / "out.mp4", header(info)),
        [result(n, time_s=t) for n, t in enumerate(times)],
    )
    start_s, samples, _ = listen(tmp_path / "out.mp4")
    loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max())[0]
    assert start_s + loud / 44_100 == pytest.approx(0.4, abs=0.06)


def test_sound_ends_with_a_run_that_was_stopped(tmp_path):
    info, times = sounding(tmp_path, "a.mp4", "libx264", "aac")
    run(
        VideoSink(tmp_path / "out.mp4", header(info)),
        [result(n, time_s=times[n]) for n in range(5)],
    )
    start_s, samples, _ = listen(tmp_path / "out.mp4")
    assert start_s + len(samples) / 44_100 < 0.3


def test_sound_that_ends_early_costs_a_killed_run_no_pictures(tmp_path):
    shown = [clips.picture(n % 20) for n in range(100)]
    clip = clips.clip(tmp_path / "a.mp4", pictures=shown, sound="aac", sound_s=0.5)
    info, times = info_and_times(clip)
    sink = VideoSink(tmp_path / "out.mp4", header(info))
    for n, time_s in enumerate(times):
        drawn = clips.picture(n % 20)
        sink.write(Frame(n, time_s, drawn), result(n, time_s=time_s), drawn)
    left = tmp_path / "left.mp4"
    left.write_bytes((tmp_path / "out.mp4").read_bytes())  # what a kill would leave
    sink.close()
    assert len(times) - len(watch(left)[0]) < 25


# --- sound that changes ---------------------------------------------------------------------


def part(path, codec, sound, layout="mono", rate=44_100, loud=True):
    """Write 1.6 s of pictures with a tone from .4 s on; no sound at all if it isn't loud."""
    wave = (np.sin(np.arange(round(1.6 * rate)) * 2 * np.pi * 440 / rate) * 12_000).astype(np.int16)
    wave[: round(0.4 * rate)] = 0
    channels = np.repeat(wave, 2 if layout == "stereo" else 1)[None]
    frame = av.AudioFrame.from_ndarray(channels, format="s16", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    with av.open(str(path), "w") as file:
        video, audio = file.add_stream(codec, rate=25), file.add_stream(sound, rate=rate)
        video.width, video.height, video.pix_fmt = *clips.SIZE, "yuv420p"
        audio.codec_context.layout = layout
        for n in range(40):
            picture = av.VideoFrame.from_ndarray(clips.picture(n % 20), format="bgr24")
            picture.pts, picture.time_base = n, Fraction(1, 25)
            file.mux(video.encode(picture))
        file.mux(video.encode(None))
        file.mux([*audio.encode(frame), *audio.encode(None)] if loud else [])
    return path.read_bytes()


def annotate(tmp_path, path):
    """Run over every picture of a clip and return the times of pictures in and out."""
    info, times = info_and_times(path)
    assert info.has_audio
    results = [result(n, time_s=t) for n, t in enumerate(times)]
    run(VideoSink(tmp_path / "out.mp4", header(info)), results)
    return times, [t for _, t in watch(tmp_path / "out.mp4")[0]]


def level(samples, from_s, to_s, rate=44_100):
    """How loud the sound is from one moment to another, where 1 is the loudest."""
    piece = np.abs(samples[round(from_s * rate) : round(to_s * rate)])
    return piece.max(initial=0) / np.abs(samples).max()


@pytest.mark.parametrize(
    ("name", "codec", "sound", "written"),
    [("a.mpg", "mpeg1video", "mp2", "aac"), ("a.ts", "libx264", "libmp3lame", "mp3")],
)
def test_sound_that_starts_again_goes_on_with_the_pictures(
    tmp_path, caplog, name, codec, sound, written
):
    once = part(tmp_path / name, codec, sound)
    (tmp_path / f"both{name}").write_bytes(once + once)
    times, shown = annotate(tmp_path, tmp_path / f"both{name}")
    assert len(times) == 80
    assert shown == pytest.approx(times, abs=2e-3)
    start_s, samples, kept = listen(tmp_path / "out.mp4")
    assert kept == written
    second = times[40] - start_s
    assert level(samples, second - 0.4, second - 0.1) > 0.5
    assert level(samples, second + 0.1, second + 0.3) < 0.1
    assert level(samples, second + 0.5, second + 0.7) > 0.5
    assert start_s + len(samples) / 44_100 == pytest.approx(3.2, abs=0.1)
    assert not caplog.records


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("mono", 44_100), ("stereo", 44_100)),
        (("stereo", 44_100), ("mono", 44_100)),
        (("stereo", 44_100), ("stereo", 22_050)),
    ],
)
def test_sound_that_changes_its_kind_is_kept(tmp_path, caplog, before, after):
    halves = [part(tmp_path / "half.ts", "libx264", "aac", *kind) for kind in (before, after)]
    (tmp_path / "a.ts").write_bytes(b"".join(halves))
    times, shown = annotate(tmp_path, tmp_path / "a.ts")
    assert len(shown) == len(times) == 80
    start_s, samples, _ = listen(tmp_path / "out.mp4")
    second = times[40] - start_s
    assert level(samples, 0.6, 1.4) > 0.5
    assert level(samples, second + 0.15, second + 0.25) < 0.1
    assert level(samples, second + 0.6, second + 1.4) > 0.5
    assert start_s + len(samples) / 44_100 == pytest.approx(3.2, abs=0.1)
    assert not caplog.records


# --- sound that fails -----------------------------------------------------------------------


def breaks(error):
    """A Sound.until that breaks after .3 s."""
    until = Sound.until

    def broken(self, time_s):
        yield from until(self, min(time_s, 0.3))
        if time_s > 0.3:
            raise error

    return broken


@pytest.mark.parametrize(
    "error", [ValueError("no such layout"), av.error.ArgumentError(22, "Invalid argument")]
)
def test_sound_that_fails_does_not_stop_the_pictures(tmp_path, caplog, monkeypatch, error):
    sounding(tmp_path, "a.mp4", "libx264", "aac")
    monkeypatch.setattr(Sound, "until", breaks(error))
    _, shown = annotate(tmp_path, tmp_path / "a.mp4")
    assert len(shown) == 20
    start_s, samples, _ = listen(tmp_path / "out.mp4")
    assert 0.2 < start_s + len(samples) / 44_100 < 0.4
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert "a.mp4 is left out from 0.3 s" in warning.getMessage()


def test_sound_that_the_video_does_not_take_is_left_out(tmp_path, caplog, monkeypatch):
    def refused(self, file):
        file.add_stream("aac", rate=44_100)
        raise av.error.ArgumentError(22, "Invalid argument")

    sounding(tmp_path, "a.mp4", "libx264", "aac")
    monkeypatch.setattr(Sound, "attach", refused)
    _, shown = annotate(tmp_path, tmp_path / "a.mp4")
    assert len(shown) == 20
    (warning,) = caplog.records
    assert "a.mp4 is left out from 0.0 s" in warning.getMessage()
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert not file.streams.audio


def test_a_source_that_cannot_be_opened_again_gives_no_sound(tmp_path, caplog, monkeypatch):
    def gone(uri, shown):
        raise SourceOpenError("There is no file a.mp4.", uri)

    sounding(tmp_path, "a.mp4", "libx264", "aac")
    monkeypatch.setattr("fervid.sinks.sound.open_container", gone)
    assert len(annotate(tmp_path, tmp_path / "a.mp4")[1]) == 20
    assert "is left out: There is no file" in caplog.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_a_pipe_is_not_opened_a_second_time(tmp_path, caplog, monkeypatch):
    info, _ = sounding(tmp_path, "a.mp4", "libx264", "aac")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(
        "fervid.sinks.sound.open_container", lambda *_: pytest.fail("it would wait for ever")
    )
    assert Sound.of(header(replace(info, uri=str(tmp_path / "pipe")))) is None
    assert "is no regular file" in caplog.text


def test_slow_mp3_is_not_copied_since_mp4_refuses_it(tmp_path, caplog):
    part(tmp_path / "a.mkv", "libx264", "libmp3lame", rate=11_025)
    assert len(annotate(tmp_path, tmp_path / "a.mkv")[1]) == 40
    assert listen(tmp_path / "out.mp4")[2] == "aac"
    assert not caplog.records


@pytest.mark.parametrize("sound", ["ac3", "aac"])
def test_sound_without_a_single_packet_does_not_spoil_the_video(tmp_path, sound):
    part(tmp_path / "a.mkv", "libx264", sound, loud=False)
    assert len(annotate(tmp_path, tmp_path / "a.mkv")[1]) == 40


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_no_failure_of_the_sound(tmp_path, caplog):
    info, _ = sounding(tmp_path, "a.mp4", "libx264", "aac")
    with pytest.raises(SinkError, match="No space left"):
        run(VideoSink(Path("/dev/full"), header(info)), [result(n) for n in range(20)])
    assert not caplog.records
