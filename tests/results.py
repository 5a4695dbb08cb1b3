"""Results and headers made by hand, for what writes them."""

from fractions import Fraction

import numpy as np

from fervid.records import Faces, Frame, FrameResult, Noise, SourceInfo, Timings
from fervid.sinks import RunHeader

CLASSES = ("angry", "happy", "neutral")


def header(uri="a.mp4", rate=25, classes=CLASSES):
    info = SourceInfo(uri, uri, 64, 48, False, rate and Fraction(rate))
    return RunHeader(info, "tiny", "ab12", classes, {"cam": "adaptive"}, "0.1.0")


def face(label="happy", track=0, *, unsure=False, side=20.0):
    """One face for `result`."""
    return label, track, unsure, side


def result(index, *faces, time_s=None, classes=CLASSES, level=0.5):
    """A frame with faces; each has a crop whose grey level is its track."""
    n = len(faces)
    boxes = np.array([(5, 6, 5 + f[3], 6 + f[3]) for f in faces], np.float32).reshape(n, 4)
    shares = np.full((n, len(classes)), 0.25, np.float32)
    for i, f in enumerate(faces):
        shares[i, classes.index(f[0])] = level
    ids = np.array([f[1] for f in faces], np.int64)
    scores, eyes = np.full(n, 0.9, np.float32), np.zeros((n, 2, 2), np.float32)
    return FrameResult(
        index=index,
        time_s=index / 25 if time_s is None else time_s,
        faces=Faces(boxes, scores, eyes, ids),
        noise=Noise.clean(),
        filter_name="none",
        eta=np.zeros(n, np.float32),
        classes=classes,
        probabilities=shares,
        smoothed=shares,
        labels=tuple(f[0] for f in faces),
        uncertain=np.array([f[2] for f in faces], np.bool_),
        reasons=tuple(("small",) if f[2] else () for f in faces),
        heatmaps=np.zeros((n, 3, 3), np.float32),
        crop_boxes=boxes,
        timings=Timings(),
        crops=np.stack([np.full((8, 8), t, np.uint8) for t in ids])
        if n
        else np.zeros((0, 8, 8), np.uint8),
    )


def write(sink, results):
    """A whole run of one sink."""
    for item in results:
        put(sink, item)
    sink.close()
    sink.close()


def put(sink, item):
    sink.write(Frame(item.index, item.time_s, np.zeros((48, 64, 3), np.uint8)), item, None)
