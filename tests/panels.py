"""Snapshots of made-up runs, and panels of them as text."""

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
STAGES = ("decode", "noise", "picture", "detect", "track", "filter", "crop", "model", "draw")


def face(track=0, reasons=(), label="happy", share=0.7):
    others = (1 - share) / 6
    shares = tuple((name, share if name == label else others) for name in CLASSES)
    return FaceView(track, label, shares, bool(reasons), tuple(reasons))


def snapshot(**changes):
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
        "stages": tuple((name, 1.0, 2.0) for name in STAGES),
        "noise_kind": "gaussian",
        "noise_level": 0.12,
        "severity": 0.118,
        "noise_history": tuple(0.15 + 0.15 * math.sin(i / 20) for i in range(240)),
        "filter_name": "gaussian",
        "faces": (face(3), face(4, ("small", "dark"), "sad")),
        "memory_mb": 512.3,
        "faces_total": 2034,
        "tracks_total": 17,
    }
    return Snapshot(**{**values, **changes})


def drawn(shown, width=80, height=24, ascii_only=False):
    console = Console(
        width=width, height=height, file=io.StringIO(), record=True, color_system=None
    )
    console.print(render(shown, width, height, ascii_only))
    return console.export_text()


