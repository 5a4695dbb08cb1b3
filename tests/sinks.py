"""Results to write, and what the written files hold."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import av
import numpy as np

from fervid.link import LinkEvent
from fervid.records import Faces, Frame, FrameResult, Noise, SourceInfo, Timings
from fervid.sinks import Calendar, RunHeader
from tests import clips

CLASSES = ("angry", "happy", "neutral")
STARTED = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
OFFLINE = LinkEvent("offline", 0.05, STARTED, "camera 0 stopped")
ONLINE = LinkEvent("online", 3.5, STARTED + timedelta(seconds=3.5), "camera 0 stopped", 4, 3.45, 86)


def header(source=None, **changes):
    info = source or SourceInfo("a b.mp4", "a b.mp4", 64, 48, False, Fraction(25), 12, 0.48)
    fields = {"model": "tiny", "model_sha256": "ab12", "classes": CLASSES, "version": "0.1.0"}
    fields |= {"config": {"cam": "adaptive"}, "device": "cpu"}
    return RunHeader(source=info, **(fields | changes))


def live(started=STARTED):
    """A camera that was opened at this moment; the results below took no time."""
    info = SourceInfo("camera:0", "camera 0", 64, 48, True)
    return header(info, calendar=Calendar(lambda: started))


def result(index=0, faces=1, time_s=None, reasons=("small", "dark"), took_ms=0.0):
    n, k = faces, len(CLASSES)
    boxes = np.tile(np.array([10, 20, 40.5, 60], np.float32), (n, 1))
    shares = np.tile(np.array([0.1, 0.7, 0.2], np.float32), (n, 1)).reshape(n, k)
    smoothed = np.tile(np.array([0.2, 0.5, 0.3], np.float32), (n, 1)).reshape(n, k)
    ids = np.arange(n, dtype=np.int64)
    return FrameResult(
        index=index,
        time_s=index / 25 if time_s is None else time_s,
        faces=Faces(boxes.reshape(n, 4), np.full(n, 0.9, np.float32), eyes(n), ids),
        noise=Noise(
            "gaussian",
            np.array([0.125, 0, 0], np.float32),
            0.12,
            np.array([0.25, 0.5, 0.75], np.float32),
        ),
        filter_name="gaussian",
        eta=np.full(n, 0.03125, np.float32),
        classes=CLASSES,
        probabilities=shares,
        smoothed=smoothed,
        labels=("happy",) * n,
        uncertain=np.full(n, bool(reasons)),
        reasons=(reasons,) * n,
        heatmaps=np.zeros((n, 3, 3), np.float32),
        crop_boxes=boxes.reshape(n, 4),
        timings=Timings({"detect": took_ms}),
        dropped=3,
    )


def eyes(n):
    return np.zeros((n, 2, 2), np.float32)


def run(sink, results, size=clips.SIZE):
    for item in results:
        drawn = clips.picture(item.index % 20, size)
        sink.write(Frame(item.index, item.time_s, drawn), item, drawn)
    sink.close()
    sink.close()


def watch(path):
    """Every frame's number and time, read by PyAV alone."""
    with av.open(str(path)) as file:
        pictures = list(file.decode(video=0))
        shown = [(clips.number(p.to_ndarray(format="bgr24")), p.time) for p in pictures]
        return shown, dict(file.metadata)


def listen(path):
    """The sound as (time of the first sample, samples, codec)."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        frames = list(file.decode(stream))
        samples = np.concatenate([f.to_ndarray().astype(float)[0] for f in frames])
        return frames[0].time, samples, stream.codec_context.codec.canonical_name
