"""Results of a run that is over, from its journal: what was written, without any picture."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fervid.records import Faces, FrameResult, Noise, Timings
from fervid.sinks.jsonl import read_events, read_frames, read_headers
from fervid.sinks.rows import recorded_event
from fervid.stats import RunStats


def replay(journal: Path) -> Iterator[FrameResult]:
    """Yield the results of all frames of a journal; heatmaps, crops and eyes are empty or 0.

    Raises:
        SinkError: the journal cannot be read.
    """
    for header, line in read_frames(journal):
        yield _result(header, line)


def replayed_summary(journal: Path) -> dict[str, Any]:
    """The summary of a run over one source, as far as its journal knows; "recovered" is true.

    Raises:
        SinkError: the journal cannot be read.
    """
    header = read_headers(journal)[0]
    stats = RunStats(lambda: 0.0, lambda: 0.0)
    for result in replay(journal):
        stats.observe(result)
    for line in read_events(journal):
        stats.note(recorded_event(line))
    figures = stats.summary()
    # Nobody wrote down how long the run took.
    figures |= {"elapsed_s": None, "fps": None, "stages_ms": {}, "damaged": None}
    return {
        "fervid": header["fervid"],
        "source": header["source"]["uri"],
        **{key: header[key] for key in ("model", "model_sha256")},
        "device": header.get("device", ""),  # older journals lack it
        "classes": header["classes"],
        **figures,
        "error": "the run ended early; recovered from its journal",
        "recovered": True,
        "config": header["config"],
    }


def _result(header: Mapping[str, Any], line: Mapping[str, Any]) -> FrameResult:
    """One line of a journal as the result that it was written from."""
    faces, classes = line["faces"], tuple(header["classes"])
    n = len(faces)
    boxes = _floats([[face[k] for k in ("x0", "y0", "x1", "y1")] for face in faces], n, 4)
    levels = [line[k] for k in ("noise_sigma", "noise_impulse", "noise_speckle")]
    quality = [line[k] for k in ("blocking", "blur", "darkness")]
    return FrameResult(
        index=line["frame"],
        time_s=line["time_s"],
        faces=Faces(
            boxes,
            _floats([face["score"] for face in faces], n),
            np.zeros((n, 2, 2), np.float32),
            np.array([face["track"] for face in faces], np.int64),
        ),
        noise=Noise(
            line["noise_kind"], _floats(levels, 3), line["severity"] or 0.0, _floats(quality, 3)
        ),
        filter_name=line["filter"],
        eta=_floats([face["eta"] for face in faces], n),
        classes=classes,
        probabilities=_floats([[f["p"][c] for c in classes] for f in faces], n, len(classes)),
        smoothed=_floats([[f["s"][c] for c in classes] for f in faces], n, len(classes)),
        labels=tuple(face["label"] for face in faces),
        uncertain=np.array([face["uncertain"] for face in faces], np.bool_),
        reasons=tuple(tuple(face["reasons"]) for face in faces),
        heatmaps=np.zeros((n, 1, 1), np.float32),
        crop_boxes=boxes,
        timings=Timings(),
        dropped=line["dropped"],
    )


def _floats(values: list[Any], *shape: int) -> Any:
    """Numbers as float32 of a shape; what was undefined is NaN."""
    return np.array(values, np.float64).astype(np.float32).reshape(shape)
