"""Runs for reports, drawn at random: people whose expressions change, noise that comes and goes."""

import dataclasses

import numpy as np

from fervid.records import Faces, Frame, FrameResult, Noise, Timings
from fervid.report import Observer
from fervid.sinks.rows import header_record
from fervid.stats import RunStats
from tests.results import header

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FILTERS = {"clean": "none", "gaussian": "gaussian", "salt_pepper": "median", "speckle": "bilateral"}
SIZE = (270, 480)  # of the frames, height and width
HELD_S = 4.0  # an expression, a kind of noise


def label_at(person, time_s):
    """The class that a person shows."""
    return int(time_s / HELD_S + person * 2) % len(CLASSES)


def drawn_results(seconds, people=1, rate=25.0, lasting_s=None, target=""):
    """Yield (frame, result); a person's track ends and a new one begins every `lasting_s`.

    `target` is the class that was chosen for all heatmaps.
    """
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, *SIZE, 3), np.uint8)
    n, k = people, len(CLASSES)
    boxes = np.array([(20 + 40 * p % 300, 60, 120 + 40 * p % 300, 160) for p in range(n)]).reshape(
        n, 4
    )
    crops = np.stack([boxes[:, 0] - 8, boxes[:, 1] - 17, boxes[:, 2] + 8, boxes[:, 3] - 1], 1)
    heat = rng.random((n, 48, 48), np.float32)
    for index in range(round(seconds * rate)):
        t = index / rate
        p = np.full((n, k), 0.02) + rng.random((n, k)) * 0.02
        for i in range(n):
            p[i, label_at(i, t)] += 0.3 + 0.5 * rng.random()
        p = (p / p.sum(1, keepdims=True)).astype(np.float32)
        unsure = p.max(1) < 0.7
        life = 0 if lasting_s is None else int(t / lasting_s)
        ids = np.arange(n, dtype=np.int64) + life * n
        kind = tuple(FILTERS)[int(t / HELD_S) % 4]
        yield (
            Frame(index, t, pictures[index % 4]),
            FrameResult(
                index=index,
                time_s=t,
                faces=Faces(
                    boxes.astype(np.float32),
                    np.full(n, 0.9, np.float32),
                    np.zeros((n, 2, 2), np.float32),
                    ids,
                ),
                noise=Noise(kind, np.full(3, 0.1, np.float32), 0.1, np.zeros(3, np.float32)),
                filter_name=FILTERS[kind],
                eta=np.zeros(n, np.float32),
                classes=CLASSES,
                probabilities=p,
                smoothed=p,
                labels=tuple(CLASSES[j] for j in p.argmax(1)),
                uncertain=unsure,
                reasons=tuple(
                    ("confidence", "small")[: 1 + i % 2] if u else () for i, u in enumerate(unsure)
                ),
                heatmaps=heat,
                crop_boxes=crops.astype(np.float32),
                timings=Timings({"network": 4.0}),
                cam="adaptive",
                target=target,
            ),
        )


def about(label="clip.mp4"):
    """The header of a run, as a journal has it."""
    head = header(classes=CLASSES)
    return header_record(
        dataclasses.replace(head, source=dataclasses.replace(head.source, label=label))
    )


def observed(results, *, pictures=True, label="clip.mp4"):
    """An observer that has seen results, and their summary."""
    observer = Observer(about(label), pictures=pictures)
    stats = RunStats(iter(np.arange(0, 1e6, 0.01).tolist()).__next__, lambda: 1.0)
    for frame, result in results:
        observer.write(frame, result, None)
        stats.observe(result)
    summary = {"model": "tiny", "fervid": "0", "model_sha256": "ab", "device": "cpu"}
    return observer, {**stats.summary(), **summary, "damaged": 0, "error": None}
