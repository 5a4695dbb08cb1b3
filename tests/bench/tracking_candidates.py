"""The trackers that are compared: fervid's, what it was before, and libraries that are installed.

None of the libraries is a dependency. They were measured in a folder of their own, without what
they drag in: `pip install --no-deps --target DIR norfair filterpy trackers supervision
requests urllib3 idna certifi charset_normalizer pydeprecate defusedxml`, then `PYTHONPATH=DIR`.
"""

import importlib
from collections.abc import Callable
from typing import Protocol

import numpy as np

from fervid.records import Faces
from fervid.tracks import FaceTracker
from tests.bench.tracking_greedy import GreedyTracker


class Tracker(Protocol):
    """Gives each face of a frame an id; -1 is none."""

    def __call__(self, faces: Faces, time_s: float, bgr: np.ndarray) -> list[int]: ...


def greedy(memory_s: float) -> Tracker:
    """What fervid had before: place alone, no motion."""
    tracker = GreedyTracker(memory_s)
    return lambda faces, time_s, bgr: tracker.update(faces, time_s).track_ids.tolist()


def fervid(memory_s: float, looks: bool = True) -> Tracker:
    """fervid's tracker, with or without the picture."""
    tracker = FaceTracker(memory_s)
    return lambda faces, time_s, bgr: tracker.update(
        faces, time_s, bgr if looks else None
    ).track_ids.tolist()


def norfair(memory_s: float, rate: float) -> Tracker:
    """Norfair: Kalman filter and greedy matching, distance in sides of the face."""
    lib = importlib.import_module("norfair")

    def apart(detection, track) -> float:
        size = np.ptp(track.estimate, axis=0).max()
        return float(np.linalg.norm(detection.points - track.estimate, axis=1).mean() / size)

    tracker = lib.Tracker(
        apart, 0.7, hit_counter_max=max(round(memory_s * rate), 2), initialization_delay=0
    )

    def update(faces: Faces, time_s: float, bgr: np.ndarray) -> list[int]:
        found = [lib.Detection(b.reshape(2, 2), data=k) for k, b in enumerate(faces.boxes)]
        ids = [-1] * len(found)
        for track in tracker.update(found):
            if any(track.last_detection is d for d in found):
                ids[track.last_detection.data] = track.id
        return ids

    return update


def roboflow(name: str, memory_s: float, rate: float) -> Tracker:
    """SORT, ByteTrack and OC-SORT of the package `trackers` (supervision's own is gone)."""
    lib, vision = importlib.import_module("trackers"), importlib.import_module("supervision")
    options = {"lost_track_buffer": max(round(memory_s * 30), 1), "frame_rate": rate}
    scores = {
        "SORTTracker": {"track_activation_threshold": 0.0},
        "ByteTrackTracker": {"track_activation_threshold": 0.0, "high_conf_det_threshold": 0.0},
        "OCSORTTracker": {"high_conf_det_threshold": 0.0},
    }
    tracker = getattr(lib, name)(minimum_consecutive_frames=1, **options, **scores[name])

    def update(faces: Faces, time_s: float, bgr: np.ndarray) -> list[int]:
        found = vision.Detections(
            xyxy=faces.boxes.astype(float),
            confidence=faces.scores.astype(float),
            class_id=np.arange(len(faces)),
        )
        out = tracker.update(found, timestamp=time_s)
        ids = [-1] * len(faces)
        if out.tracker_id is not None:
            for k, track_id in zip(out.class_id, out.tracker_id, strict=True):
                ids[int(k)] = int(track_id)
        return ids

    return update


Make = Callable[[float], Tracker]  # from the mean frame rate


def candidates() -> tuple[dict[str, Make], list[str]]:
    """Name -> how to make one, and a line for each library that is missing."""
    made: dict[str, Make] = {
        "before: greedy, 1 s": lambda _: greedy(1.0),
        "greedy, 2 s": lambda _: greedy(2.0),
        "fervid, no looks, 2 s": lambda _: fervid(2.0, looks=False),
        "fervid, 1 s": lambda _: fervid(1.0),
        "fervid, 2 s": lambda _: fervid(2.0),
        "fervid, 3 s": lambda _: fervid(3.0),
    }
    libraries: dict[str, tuple[str, Make]] = {
        "norfair, 2 s": ("norfair", lambda rate: norfair(2.0, rate)),
        "SORT, 2 s": ("trackers", lambda rate: roboflow("SORTTracker", 2.0, rate)),
        "ByteTrack, 2 s": ("trackers", lambda rate: roboflow("ByteTrackTracker", 2.0, rate)),
        "OC-SORT, 2 s": ("trackers", lambda rate: roboflow("OCSORTTracker", 2.0, rate)),
    }
    missing = []
    for name, (module, make) in libraries.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            missing.append(f"{name}: not measured ({error})")
        else:
            made[name] = make
    return made, missing
