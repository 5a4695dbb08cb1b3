"""Detected faces of real clips, with whose face each one is, as seen by looking at the frames."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fervid.capture import open_source
from fervid.faces import FaceDetector
from fervid.noise import NoiseMeter
from fervid.records import Faces

WHOLE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Here:
    """A person's face is the one whose centre lies in `area` (x0 y0 x1 y1, shares of the frame)
    in frames `first` to `last`."""

    person: str
    first: int = 0
    last: int = 10**9
    area: tuple[float, float, float, float] = WHOLE


# Whatever lies elsewhere is no face: hands and the skull on a pullover (hands_*), the painted sky.
SIGNING = (Here("signer", area=(0, 0, 1, 0.42)),)
TRUTH: dict[str, tuple[Here, ...]] = {
    **{f"hands_{word}.mkv": SIGNING for word in ("again", "bird", "book", "eat", "help", "milk")},
    "emotion_change_occlusion.mp4": (Here("woman"),),
    # Blue wall (A), red collar (B), curtain (C). Frame 28 shows A alone; then the call is laid out
    # anew at 29 (A left, B right), 35 (A left, B above C at the right) and 119 (A left, C right).
    # The detector finds B in 30-34 and 82-83, C in 59-62, 89-118 and 119.
    "video_call.mp4": (
        Here("A", 28, 28),
        Here("A", 29, 34, (0, 0, 0.5, 1)),
        Here("B", 29, 34, (0.5, 0, 1, 1)),
        Here("A", 35, 118, (0, 0, 0.667, 1)),
        Here("B", 35, 118, (0.667, 0, 1, 0.46)),
        Here("C", 35, 118, (0.667, 0.46, 1, 1)),
        Here("A", 119, 119, (0, 0, 0.5, 1)),
        Here("C", 119, 119, (0.5, 0, 1, 1)),
    ),
    "single_face.mp4": (Here("man"),),
    **{f"grid_{name}.mpg": (Here("speaker"),) for name in ("bbaf2n", "brbk7n", "lbax4n")},
    "face_noface.mov": (Here("man", last=75),),
    "noface_face.mov": (Here("man", first=94),),
    "sideways_doorway.mp4": (Here("man"),),
    "no_face.mp4": (),
}
ASKED_FOR = ("hands_", "emotion_change_occlusion", "video_call")


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Detections in a stretch of video: each frame's time, picture, faces, and whose they are."""

    name: str
    group: str
    times_s: list[float]
    pictures: list[np.ndarray]
    faces: list[Faces]
    people: list[list[str | None]]

    @property
    def seconds(self) -> float:
        return self.times_s[-1] - self.times_s[0]


def read_clip(path: Path) -> Sequence:
    """Read a clip of TRUTH and look for faces in each frame, as the pipeline does."""
    times, pictures, faces = [], [], []
    with open_source(str(path)) as source, FaceDetector() as detector:
        meter = NoiseMeter()
        for frame in source:
            times.append(frame.time_s)
            pictures.append(frame.bgr)
            faces.append(detector.detect(frame.bgr, meter.update(frame.bgr)))
    here = TRUTH[path.name]
    h, w = pictures[0].shape[:2]
    people = [
        [whose(here, k, (b[0] + b[2]) / 2 / w, (b[1] + b[3]) / 2 / h) for b in found.boxes]
        for k, found in enumerate(faces)
    ]
    return Sequence(path.stem, path.stem.split("_")[0], times, pictures, faces, people)


def whose(here: tuple[Here, ...], frame: int, x: float, y: float) -> str | None:
    """Whose face lies there, None for nobody's."""
    for h in here:
        inside = h.area[0] <= x < h.area[2] and h.area[1] <= y < h.area[3]
        if h.first <= frame <= h.last and inside:
            return h.person
    return None


def read_clips(folder: Path) -> Iterator[Sequence]:
    """The clips of TRUTH, one after another: their pictures together would fill the memory."""
    for name in TRUTH:
        yield read_clip(folder / name)


def chosen(faces: Faces, kept: np.ndarray) -> Faces:
    """These faces of a frame."""
    return Faces(faces.boxes[kept], faces.scores[kept], faces.eyes[kept], faces.track_ids[kept])


def thinned(
    sequence: Sequence, frames: np.ndarray, missed: float, rng: np.random.Generator
) -> Sequence:
    """Only these frames, with a share of the detections lost."""
    faces, people = [], []
    for k in frames:
        kept = rng.random(len(sequence.faces[k])) >= missed
        faces.append(chosen(sequence.faces[k], kept))
        people.append([p for p, keep in zip(sequence.people[k], kept, strict=True) if keep])
    return replace(
        sequence,
        times_s=[sequence.times_s[k] for k in frames],
        pictures=[sequence.pictures[k] for k in frames],
        faces=faces,
        people=people,
    )
