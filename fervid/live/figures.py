"""What the page is told, as JSON types: the state of each source, and what holds for all."""

from collections.abc import Sequence
from typing import Any

from fervid import __version__
from fervid.legend import heat_bar
from fervid.live.feed import Feed
from fervid.live.history import STEP_S
from fervid.pen import CLASS_COLOURS
from fervid.records import NOISE_KINDS, FrameResult
from fervid.stats import face_views
from fervid.status import Snapshot
from fervid.words import chosen_words, filter_why, map_words

HEAT_STEPS = 17  # colours of the map's legend
GREY = 128  # what they lie on, as on a face


def greeting(anonymize: str) -> dict[str, Any]:
    """What a viewer is told first: what does not change.

    Args:
        anonymize: how faces are hidden; "none" if they are not.
    """
    colours = heat_bar(HEAT_STEPS, 1, GREY)[0].tolist()
    return {
        "type": "hello",
        "version": __version__,
        "anonymize": anonymize,
        "colours": [_hex(colour) for colour in CLASS_COLOURS],
        "heat": [_hex(colour) for colour in colours],
        "kinds": NOISE_KINDS,
        "step_s": STEP_S,
    }


def figures(feed: Feed) -> dict[str, Any]:
    """The state of one source, as far as it is known."""
    shown, snapshot = feed.newest, feed.snapshot
    told = {
        "id": feed.number,
        "label": _text(feed.info.label),
        "live": feed.info.live,
        "size": [feed.info.width, feed.info.height],
        "pictures": feed.pictures,
        "state": _state(feed),
    }
    if snapshot is not None:
        told |= _run(snapshot)
    if shown is not None:
        told |= _scene(feed, shown.result)
    return told


def _state(feed: Feed) -> str:
    if feed.over:
        return "gave up" if feed.gave_up else "ended"
    if feed.snapshot is not None and feed.snapshot.offline is not None:
        return "offline"
    if feed.newest is None:
        return "opening"
    return "live" if feed.info.live else "reading"


def _run(snapshot: Snapshot) -> dict[str, Any]:
    """Progress, rate, drops and latencies."""
    outage = snapshot.offline
    return {
        "frames": snapshot.frames,
        "n_frames": snapshot.n_frames,
        "position_s": round(snapshot.position_s, 2),
        "duration_s": snapshot.duration_s,
        "elapsed_s": round(snapshot.elapsed_s, 1),
        "fps": round(snapshot.fps, 1),
        "dropped": snapshot.dropped,
        "missed": snapshot.missed,
        "memory_mb": round(snapshot.memory_mb),
        "faces_total": snapshot.faces_total,
        "tracks_total": snapshot.tracks_total,
        "stages": [[name, round(p50, 2), round(p95, 2)] for name, p50, p95 in snapshot.stages],
        "offline": outage
        and {
            "since": outage.since.isoformat(timespec="seconds"),
            "seconds": round(outage.seconds),
            "attempts": outage.attempts,
            "cause": _text(outage.cause),
        },
    }


def _scene(feed: Feed, result: FrameResult) -> dict[str, Any]:
    """What was found in the newest frame; faces of a source that is offline are old."""
    noise = result.noise
    there = not feed.over and (feed.snapshot is None or feed.snapshot.offline is None)
    return {
        "time_s": round(result.time_s, 2),
        "classes": result.classes,
        "noise": {
            "kind": noise.kind,
            "level": round(noise.level, 4),
            "severity": round(noise.severity, 4),
        },
        "quality": dict(
            zip(("blocking", "blur", "darkness"), map(_share, noise.quality), strict=True)
        ),
        "filter": {"name": result.filter_name, "why": _why(result)},
        "map": {
            "drawn": feed.heatmap,
            "words": map_words(result.cam, result.target)[0],
            "note": chosen_words(result.target),
        },
        "faces": [
            {
                "track": face.track_id,
                "label": face.label,
                "p": [_share(p) for _, p in face.probabilities],
                "uncertain": face.uncertain,
                "reasons": face.reasons,
            }
            for face in (face_views(result) if there else ())
        ],
    }


def _why(result: FrameResult) -> str:
    noise = result.noise
    blocking = float(noise.quality[0])
    return filter_why(result.filter_reason, noise.kind, noise.level, blocking)


def _share(value: float) -> float:
    return round(float(value), 3)


def _text(text: str) -> str:
    """Text that is text; a byte of a file's name that is none is shown as that byte."""
    return text.encode("utf-8", "backslashreplace").decode()


def _hex(bgr: Sequence[int]) -> str:
    return "#{2:02x}{1:02x}{0:02x}".format(*bgr)
