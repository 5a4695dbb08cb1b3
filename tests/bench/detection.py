"""How well faces are found: `python -m tests.bench.detection --data DATA [--out DIR]`.

All detectors look at the same pictures and frames, in one run. DATA is the folder that holds
fer2013.zip, clips/, groups/ and real_noise/. Writes detection.json and detection.md.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fervid.corruptions import CORRUPTIONS
from fervid.faces import DetectorName, FaceDetector
from fervid.looks import overlaps
from fervid.noise import NoiseMeter, estimate_noise
from fervid.records import F32, Noise
from fervid.search import FaceSearch
from tests.bench.detection_material import (
    NO_FACE,
    U8,
    Area,
    clip_frames,
    face_free,
    groups,
    one_face,
    pasted,
)
from tests.bench.detection_report import markdown

DETECTORS: tuple[DetectorName, ...] = ("short", "full", "auto")
NOISES = {
    "clean": ("", 0.0),
    "Gaussian .3": ("gaussian", 0.3),
    "salt-and-pepper 8 %": ("salt_pepper", 0.08),
    "speckle .08": ("speckle", 0.08),
}
SIZES_PX = (48, 96, 160, 240)
FOUND_FROM = 0.3  # IoU with the true box


@dataclass
class Count:
    """Faces there, of them found, other boxes; first frames, later ones, and their CPU ms."""

    faces: int = 0
    found: int = 0
    false_alarms: int = 0
    firsts: int = 0
    first_ms: float = 0.0
    laters: int = 0
    later_ms: float = 0.0

    def __iadd__(self, other: "Count") -> "Count":
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


class Watch:
    """Counts what one detector finds in a sequence of frames, or in pictures on their own."""

    def __init__(self, detector: FaceDetector, sequence: bool) -> None:
        self._detector = detector
        self._search = FaceSearch() if sequence else None
        self.count = Count()

    def look(self, bgr: U8, true_boxes: F32, noise: Noise) -> None:
        """Detect in a frame and count; true boxes (M, 4)."""
        boxes, ms = self.boxes(bgr, noise)
        hits = overlaps(true_boxes, boxes) >= FOUND_FROM  # (M, N)
        self._add(len(true_boxes), int(hits.any(1).sum()), int((~hits.any(0)).sum()), ms)

    def look_in(self, bgr: U8, area: Area | None, noise: Noise) -> None:
        """The same where a face lies somewhere in `area` (shares of the frame); None: none."""
        boxes, ms = self.boxes(bgr, noise)
        inside = np.zeros(len(boxes), np.bool_)
        if area is not None:
            size = np.array(bgr.shape[1::-1], np.float32)
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / size
            inside = ((centres >= area[:2]) & (centres < area[2:])).all(1)
        found = int(inside.any())
        self._add(int(area is not None), found, len(boxes) - found, ms)

    def boxes(self, bgr: U8, noise: Noise) -> tuple[F32, float]:
        """Boxes (N, 4), and milliseconds of CPU time, which load from outside leaves alone."""
        start = time.process_time()
        found = self._detector.detect(bgr, noise, self._search).boxes
        return found, 1000 * (time.process_time() - start)

    def _add(self, faces: int, found: int, false_alarms: int, ms: float) -> None:
        first = self._search is None or not self.count.firsts
        times = (1, ms, 0, 0.0) if first else (0, 0.0, 1, ms)
        self.count += Count(faces, found, false_alarms, *times)


def spoiled(pictures: Iterable[U8], noise: str, seed: int) -> Iterator[U8]:
    """The pictures with whole-frame noise, fresh in each."""
    kind, level = NOISES[noise]
    rng = np.random.default_rng(seed)
    for picture in pictures:
        yield CORRUPTIONS[kind](picture, level, rng) if kind else picture


def still(detectors: dict[str, FaceDetector], data: Path) -> dict[str, dict[str, Count]]:
    """Pictures, each on its own: groups, faces pasted into frames, and pictures without faces."""
    out: dict[str, dict[str, Count]] = {name: {} for name in detectors}
    parts: dict[str, list[tuple[U8, F32]]] = {"groups": list(groups(data))}
    parts |= {f"pasted {px} px": list(pasted(data, px)) for px in SIZES_PX}
    nothing = np.zeros((0, 4), np.float32)
    free = face_free(data)
    parts |= {f"no face: {name}": [(p, nothing) for p in free[name]] for name in free}
    for seed, noise in enumerate(n for n in NOISES if n != "clean"):
        noisy = spoiled(free["photographs"], noise, seed)
        parts[f"no face: photographs, {noise}"] = [(p, nothing) for p in noisy]
    for part, pictures in parts.items():
        watches = {name: Watch(detector, sequence=False) for name, detector in detectors.items()}
        for bgr, boxes in pictures:
            noise_of = estimate_noise(bgr)
            for watch in watches.values():
                watch.look(bgr, boxes, noise_of)
        for name, watch in watches.items():
            out[name][part] = watch.count
    return out


def moving(detectors: dict[str, FaceDetector], data: Path) -> dict[str, dict[str, Count]]:
    """Clips as sequences: of one person, and stretches without a face, clean and with noise."""
    out: dict[str, dict[str, Count]] = {name: {} for name in detectors}
    clips = [*one_face(data), *((clip, None) for clip in NO_FACE)]
    for seed, (clip, area) in enumerate(clips):
        pictures = list(clip_frames(data, clip))
        for noise in NOISES:
            watches = {name: Watch(d, sequence=True) for name, d in detectors.items()}
            meter = NoiseMeter()
            for bgr in spoiled(pictures, noise, seed):
                said = meter.update(bgr)
                for watch in watches.values():
                    watch.look_in(bgr, area, said)
            for name, watch in watches.items():
                group = "no face" if area is None else "one face"
                for part in (f"{group}: {noise}", f"{clip.name}: {noise}"):
                    out[name].setdefault(part, Count())
                    out[name][part] += watch.count
    return out


def measure(data: Path) -> dict[str, dict[str, Count]]:
    """Every detector's counts by part of the test."""
    cv2.setNumThreads(1)
    detectors = {name: FaceDetector(name) for name in DETECTORS}
    try:
        first, second = still(detectors, data), moving(detectors, data)
    finally:
        for detector in detectors.values():
            detector.close()
    return {name: first[name] | second[name] for name in detectors}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the test data")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    options = parser.parse_args()
    counts = measure(options.data)
    out: dict[str, Any] = {
        name: {part: asdict(count) for part, count in parts.items()}
        for name, parts in counts.items()
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "detection.json").write_text(json.dumps(out, indent=1) + "\n")
    (options.out / "detection.md").write_text(markdown(out))


if __name__ == "__main__":
    main()
