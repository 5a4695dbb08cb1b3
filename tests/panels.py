"""Snapshots of made-up runs, and panels of them as text."""

import io
import math

from rich.console import Console, Group

from fervid.overview import render_all
from fervid.status import FaceView, Snapshot

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
STAGES = ("decode", "noise", "picture", "detect", "track", "filter", "crop", "model", "draw")
POINTS = 60


def face(track=0, reasons=(), label="happy", share=0.7, width_px=96.0):
    """A face whose label has risen to its share, while the other classes wave a little."""
    others = (1 - share) / 6
    shares = tuple((name, share if name == label else others) for name in CLASSES)
    rise = tuple(share * (i + 1) / POINTS for i in range(POINTS))
    waves = [
        tuple(0.25 + 0.2 * math.sin(i / 9 + k) for i in range(POINTS)) for k in range(len(CLASSES))
    ]
    history = tuple(
        rise if name == label else wave for name, wave in zip(CLASSES, waves, strict=True)
    )
    return FaceView(track, label, shares, bool(reasons), tuple(reasons), width_px, history)


def snapshot(**changes):
    """The state of a run over clip.mp4, with changes."""
    values = {
        "source": "clip.mp4",
        "live": False,
        "frames": 1250,
        "n_frames": 5000,
        "position_s": 41.0,
        "duration_s": 164.0,
        "dropped": 0,
        "fps": 29.83,
        "elapsed_s": 40.0,
        "stages": tuple((name, 1.5 + n, 2.5 * (n + 1)) for n, name in enumerate(STAGES)),
        "noise_kind": "gaussian",
        "noise_level": 0.12,
        "severity": 0.118,
        "noise_history": tuple(0.15 + 0.15 * math.sin(i / 20) for i in range(240)),
        "filter_name": "gaussian",
        "filter_reason": "noise",
        "history_s": 8.0,
        "quality": (0.02, 0.31, 0.0),
        "faces": (face(3), face(4, ("small", "dark"), "sad", width_px=28.0)),
        "memory_mb": 512.3,
        "faces_total": 2034,
        "tracks_total": 17,
    }
    return Snapshot(**{**values, **changes})


def live(source, **changes):
    """The state of a camera or stream."""
    return snapshot(source=source, live=True, n_frames=None, duration_s=None, **changes)


def drawn(shown, width=80, height=24, ascii_only=False):
    """The panels of one snapshot, or of several, as text."""
    several = [shown] if isinstance(shown, Snapshot) else shown
    console = Console(
        width=width, height=height, file=io.StringIO(), record=True, color_system=None
    )
    console.print(Group(*render_all(several, width, height, ascii_only)))
    return console.export_text()
