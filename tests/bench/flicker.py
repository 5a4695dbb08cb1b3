"""Heatmaps that stay still and follow: `python -m tests.bench.flicker --data SHARED [--out DIR]`.

SHARED is the folder with fer2013.zip and clips/. Each frame goes through fervid's pipeline; the
class activation maps are recorded as the network gives them and then smoothed by `HeatmapStream`
with several time constants. Writes flicker.json and flicker.md.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

import fervid
from fervid import corruptions
from fervid.backends import Backend
from fervid.records import CAM_NAMES, F32, Faces, Frame, ModelOutput, Noise
from fervid.search import FaceSearch
from tests.bench.flicker_metrics import Maps, flicker, lag_s, settled, shown
from tests.bench.flicker_report import markdown
from train import in_frame
from train.data import load_fer2013

RATE = 30
STRETCH_S = 2.0
SIGMA = 0.1
PAIRS = 8
SIZES_PX = (80, 160)  # of the face in the frame
SMOOTH_S = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
CAM = CAM_NAMES.index(fervid.ExplainConfig().cam)
STILLS = ("single_face.mp4", "emotion_change_occlusion.mp4", "hands_book.mkv")
FILMED = ("single_face.mp4", "hands_book.mkv", "grid_bbaf2n.mpg")
CLIP_FRAMES = 60
AROUND_PX = 40  # of the frame that is kept around a face: noise is drawn there alone


class Recorded:
    """A backend that keeps what the network said; see `fervid.Backend`."""

    def __init__(self, backend: Backend) -> None:
        self._backend, self.card = backend, backend.card
        self.cams: list[F32] = []

    def run(self, images: F32, eta: F32, target: np.ndarray) -> ModelOutput:
        output = self._backend.run(images, eta, target)
        self.cams.append(output.cams[:, CAM])
        return output

    def close(self) -> None:
        """The backend is the caller's."""


class Known:
    """A detector that knows where the one face is: for truth without a detector's errors."""

    def __init__(self, box: F32) -> None:
        eyes = box[:2] + (box[2:] - box[:2]) * np.array([[0.3, 0.4], [0.7, 0.4]], np.float32)
        self._faces = Faces(box[None], np.ones(1, np.float32), eyes[None], np.array([-1]))

    def detect(
        self, bgr: np.ndarray, noise: Noise | None = None, search: FaceSearch | None = None
    ) -> Faces:
        return self._faces

    def close(self) -> None:
        """Nothing is open."""


def record(backend: Backend, frames: Iterable[Frame], detector: Known | None = None) -> Maps:
    """The maps of the largest face of each frame that has one."""
    recorded, ids, times_s = Recorded(backend), [], []
    config = fervid.RunConfig(faces=fervid.FaceConfig(max_faces=1))
    with fervid.Pipeline(config, recorded, detector) as pipeline:  # type: ignore[arg-type]
        for result in pipeline.run(frames):
            if len(result.faces):
                ids.append(int(result.faces.track_ids[0]))
                times_s.append(result.time_s)
    return Maps(np.concatenate(recorded.cams), np.array(times_s), np.array(ids))


def noisy(stills: Iterable[np.ndarray], seed: tuple[int, ...]) -> Iterator[Frame]:
    """Each picture for STRETCH_S, with fresh noise in every frame."""
    rng, index = np.random.default_rng(seed), 0
    for still in stills:
        for _ in range(round(STRETCH_S * RATE)):
            yield Frame(index, index / RATE, corruptions.gaussian(still, SIGMA, rng))
            index += 1


def with_cut(backend: Backend, faces: np.ndarray, px: int, seed: int) -> tuple[Maps, bool]:
    """Two faces, one after the other in the same place, and whether the tracker saw the change.

    The maps are under one id throughout: the worst case, since a new id begins a new average.
    """
    stills = []
    for face in faces:
        bgr, (x, y) = in_frame.make_frame(face, px, np.random.default_rng((seed, px)))
        x0, y0 = max(x - AROUND_PX, 0), max(y - AROUND_PX, 0)
        stills.append(bgr[y0 : y + px + AROUND_PX, x0 : x + px + AROUND_PX])
    box = in_frame.expected_box(x - x0, y - y0, px, backend.card)
    made = record(backend, noisy(stills, (seed, px)), Known(box))
    cut = round(STRETCH_S * RATE)
    seen = bool(made.ids[cut] != made.ids[cut - 1])
    return Maps(made.cams, made.times_s, np.zeros_like(made.ids), cut), seen


def generated(backend: Backend, data: Path) -> Iterator[dict[str, object]]:
    """Rows for still faces with a cut, by size in the frame and by frame rate."""
    images, labels = load_fer2013(data)["public"]
    chosen = np.random.default_rng(0).choice(len(labels), (PAIRS, 2), replace=False)
    for px in SIZES_PX:
        made = [with_cut(backend, images[pair], px, seed) for seed, pair in enumerate(chosen)]
        seen = sum(seen for _, seen in made) / len(made)
        for step in (1, 3):
            maps = [m.every(step) for m, _ in made]
            for smooth_s in SMOOTH_S:
                heats = [shown(m, smooth_s, backend.card.input_px) for m in maps]
                flickers = [flicker(h, settled(m)) for h, m in zip(heats, maps, strict=True)]
                lags = [lag_s(h, m) for h, m in zip(heats, maps, strict=True)]
                yield {
                    "face_px": px,
                    "fps": RATE / step,
                    "heatmap_smooth_s": smooth_s,
                    "flicker": float(np.mean(flickers)),
                    "flicker_worst": float(np.max(flickers)),
                    "lag_s": float(np.mean(lags)),
                    "lag_worst_s": float(np.max(lags)),
                    "tracker_saw_the_cut": seen,
                }


def real(backend: Backend, clips: Path) -> Iterator[dict[str, object]]:
    """Rows for real clips, detector and tracker included: a still with fresh noise, and filmed."""
    runs: list[tuple[str, Maps, bool]] = []
    for name in STILLS:
        with fervid.open_source(str(clips / name)) as source:
            still = next(iter(source)).bgr
        maps = record(backend, noisy([still], (len(name),)))
        runs.append((f"{name}, first frame, Gaussian {SIGMA}", maps, True))
    for name in FILMED:
        with fervid.open_source(str(clips / name)) as source:
            frames = [frame for frame, _ in zip(source, range(CLIP_FRAMES), strict=False)]
        runs.append((f"{name}, as filmed", record(backend, frames), False))
    for name, maps, still_face in runs:
        parts = settled(maps) if still_face else [slice(0, len(maps.cams))]
        for smooth_s in SMOOTH_S:
            heat = shown(maps, smooth_s, backend.card.input_px)
            yield {"clip": name, "heatmap_smooth_s": smooth_s, "flicker": flicker(heat, parts)}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="with fer2013.zip and clips/")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    options = parser.parse_args()
    backend = fervid.open_backend()
    filmed = list(real(backend, options.data / "clips"))
    out = {
        "model": backend.card.name,
        "sigma": SIGMA,
        "pairs": PAIRS,
        "stretch_s": STRETCH_S,
        "generated": list(generated(backend, options.data / "fer2013.zip")),
        "real": filmed,
    }
    backend.close()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "flicker.json").write_text(json.dumps(out, indent=1) + "\n")
    (options.out / "flicker.md").write_text(markdown(out))


if __name__ == "__main__":
    main()
