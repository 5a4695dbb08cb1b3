"""The figures that a report's page is drawn from, as JSON types; series are packed as base64."""

import base64
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.pen import CLASS_COLOURS, HEAT_COLOURS
from fervid.records import NOISE_KINDS
from fervid.report.moments import Moment
from fervid.report.observer import BINS, Observer
from fervid.report.timeline import FACE_SUMS, FILTER_NAMES, FRAME_SUMS, REASONS, Rows
from fervid.words import chosen_words, map_words

FULL = 250  # what 1 is packed as, in a byte
JPEG_QUALITY = 82
KEPT = (
    *("frames", "dropped", "drops", "duration_s", "elapsed_s", "fps", "faces", "frames_with_faces"),
    *("tracks", "labels", "per_track", "noise", "filters", "uncertain", "stages_ms"),
    *("damaged", "error", "recovered", "fervid", "model", "model_sha256", "device"),
)


def report_data(observer: Observer, summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the page is told.

    Args:
        observer: that has seen every frame.
        summary: as summary.json has it.
    """
    header, timeline = observer.header, observer.timeline
    maps = [which for which, _ in observer.maps.most_common()]
    source = header["source"]
    kept = {name: summary.get(name) for name in KEPT}
    return {
        "summary": {**kept, "per_track": (kept["per_track"] or [])},
        "source": {k: source.get(k) for k in ("label", "width", "height", "live", "rate", "codec")},
        "started": observer.started,
        "config": header["config"],
        "classes": header["classes"],
        "colours": [_hex(CLASS_COLOURS[k % len(CLASS_COLOURS)]) for k in _indices(header)],
        "heat_colours": _heat_colours(),
        "kinds": NOISE_KINDS,
        "filter_names": FILTER_NAMES,
        "reasons": REASONS,
        "full": FULL,
        "width_s": timeline.width_s,
        "begin_s": timeline.begin_s or 0.0,
        "forgotten": timeline.forgotten,
        "frames": _frames(timeline.frames),
        "tracks": [
            {"id": track, **_track(timeline.tracks[track], len(header["classes"]))}
            for track in sorted(timeline.tracks)
        ],
        "attention": observer.attention.record(),
        "confidences": observer.confidences.tolist(),
        "bins": BINS,
        "pictures": observer.pictures,
        "maps": [
            {
                "words": map_words(*which)[0],
                "note": chosen_words(which[1]),
                "n": observer.maps[which],
            }
            for which in maps
        ],
        "changes": [_moment(m, maps) for m in observer.moments.changes],
        "n_changes": observer.moments.n_changes,
        "doubts": [
            _moment(m, maps) for m in sorted(observer.moments.doubts, key=lambda m: m.confidence)
        ],
    }


def _indices(header: Mapping[str, Any]) -> range:
    return range(len(header["classes"]))


def _frames(rows: Rows) -> dict[str, Any]:
    """The frames' series: means, sums of drops, the commonest kind and filter, the worst noise."""
    table = rows.table()
    n = len(table)
    if n == 0:
        return {"n": 0}
    sums, k, f = len(FRAME_SUMS), len(NOISE_KINDS), len(FILTER_NAMES)
    means = table[:, :sums] / table[:, :1]
    series = {name: _floats(means[:, i]) for i, name in enumerate(FRAME_SUMS)}
    series["frames"] = _floats(table[:, 0])
    series["dropped"] = _floats(table[:, FRAME_SUMS.index("dropped")])
    series["worst"] = _floats(table[:, -1])
    series["kind"] = _bytes(table[:, sums : sums + k].argmax(1))
    series["filter"] = _bytes(table[:, sums + k : sums + k + f].argmax(1))
    return {"n": n, **series}


def _track(rows: Rows, k: int) -> dict[str, Any]:
    """A track's series: means of shares, of doubts and their reasons, extremes of confidence."""
    table = rows.table()
    means = table[:, : len(FACE_SUMS) + k] / table[:, :1]
    named = {name: means[:, i] for i, name in enumerate(FACE_SUMS)}
    return {
        "n": len(table),
        "frames": _floats(table[:, 0]),
        "time_s": _floats(named["time_s"]),
        "highest": _shares(table[:, -2]),
        "lowest": _shares(-table[:, -1]),
        "uncertain": _shares(named["uncertain"]),
        "why": [_shares(named[f"why_{reason}"]) for reason in REASONS],
        "p": [_shares(means[:, len(FACE_SUMS) + c]) for c in range(k)],
    }


def _moment(moment: Moment, maps: list[tuple[str, str]]) -> dict[str, Any]:
    """A moment; its map is told by its place among all kinds that the run had."""
    heat = None if moment.heat is None else _shares(moment.heat.reshape(-1))
    return {
        "time_s": round(moment.time_s, 3),
        "track": moment.track,
        "label": moment.label,
        "before": moment.before,
        "confidence": round(moment.confidence, 4),
        "second": moment.second and [moment.second[0], round(moment.second[1], 4)],
        "reasons": list(moment.reasons),
        "picture": None if moment.picture is None else _jpeg(moment.picture),
        "heat": heat,
        "map": None if heat is None else maps.index(moment.map),
    }


def _jpeg(picture: NDArray[np.uint8]) -> str:
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return "data:image/jpeg;base64," + base64.b64encode(content.tobytes()).decode()


def _heat_colours() -> str:
    """The overlay's colours, RGB of 256 steps."""
    steps = np.arange(256, dtype=np.uint8)[None]
    rgb = cv2.applyColorMap(steps, HEAT_COLOURS)[0, :, ::-1]
    return base64.b64encode(rgb.tobytes()).decode()


def _hex(bgr: tuple[int, int, int]) -> str:
    return "#{2:02x}{1:02x}{0:02x}".format(*bgr)


def _floats(values: NDArray[np.floating[Any]]) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def _shares(values: NDArray[np.floating[Any]]) -> str:
    return _bytes(np.rint(np.clip(values, 0, 1) * FULL))


def _bytes(values: NDArray[Any]) -> str:
    return base64.b64encode(np.asarray(values, np.uint8).tobytes()).decode()
