"""What faces are looked for in: group photographs, pasted faces, clips, and what has no face."""

import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.backends import open_backend
from fervid.capture import open_source
from fervid.records import F32
from tests.bench.tracking_clips import SIGNING, WHOLE
from train.in_frame import expected_box, make_frame

U8 = NDArray[np.uint8]
Area = tuple[float, float, float, float]

FACES = 40  # of each size, of PublicTest: constants were chosen on training faces
REAL_EVERY = 2  # photographs of the real-noise set that are taken


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames `first` to `last` of a clip, every `step`-th."""

    clip: str
    first: int = 0
    last: int = 10**9
    step: int = 1

    @property
    def name(self) -> str:
        return self.clip.rsplit(".", 1)[0]


# At 4 to 30 frames a second.
ONE_FACE: dict[Stretch, Area] = {
    Stretch("single_face.mp4", last=47): WHOLE,
    Stretch("emotion_change_occlusion.mp4", last=299, step=6): WHOLE,
    **{
        Stretch(f"hands_{word}.mkv", last=59, step=2): SIGNING[0].area
        for word in ("again", "bird", "eat", "help")
    },
    **{Stretch(f"grid_{n}.mpg", step=3): WHOLE for n in ("bbaf2n", "brbk7n", "lbax4n")},
}
# Nobody is there yet or any more, as seen by looking at the frames; no_face.mp4 is a painted sky.
NO_FACE = (
    Stretch("no_face.mp4", step=4),
    Stretch("face_noface.mov", first=100, step=4),
    Stretch("noface_face.mov", last=70, step=4),
    Stretch("video_call.mp4", last=15),
)


def one_face(data: Path) -> Iterator[tuple[Stretch, Area | None]]:
    """Stretches with one person, and where the face is (shares of the frame)."""
    yield from ONE_FACE.items()


def clip_frames(data: Path, stretch: Stretch) -> Iterator[U8]:
    """The pictures of a stretch."""
    with open_source(str(data / "clips" / stretch.clip)) as source:
        for k, frame in enumerate(source):
            if k > stretch.last:
                return
            if k >= stretch.first and not (k - stretch.first) % stretch.step:
                yield frame.bgr


def groups(data: Path) -> Iterator[tuple[U8, F32]]:
    """The group photographs with their boxes (M, 4)."""
    root = ET.parse(data / "groups" / "boxes.xml").getroot()
    for image in root.iter("image"):
        boxes = [
            [int(box.attrib[key]) for key in ("left", "top", "width", "height")]
            for box in image.iter("box")
        ]
        xywh = np.array(boxes, np.float32)
        bgr = cv2.imread(str(data / "groups" / image.attrib["file"]))
        yield np.asarray(bgr, np.uint8), np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1)


def pasted(data: Path, px: int) -> Iterator[tuple[U8, F32]]:
    """FER2013's pictures, `px` large, in frames as `train/in_frame.py` makes them."""
    backend = open_backend()
    card = backend.card
    backend.close()
    with zipfile.ZipFile(data / "fer2013.zip") as file:
        names = sorted(name for name in file.namelist() if "PublicTest" in name)
        for i in np.random.default_rng(0).choice(len(names), FACES, replace=False):
            coded = np.frombuffer(file.read(names[i]), np.uint8)
            face = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
            bgr, (x, y) = make_frame(face, px, np.random.default_rng((0, int(i), px)))
            yield bgr, expected_box(x, y, px, card)[None]


def face_free(data: Path) -> dict[str, list[U8]]:
    """Pictures without a face: four dogs, and photographs of things (with their camera's noise)."""
    dogs = cv2.imread(str(data / "groups" / "no_face_dogs.jpg"))
    files = sorted((data / "real_noise").glob("*_real.JPG"))[::REAL_EVERY]
    things = [cv2.imread(str(file)) for file in files]
    return {
        "no_face_dogs.jpg": [np.asarray(dogs, np.uint8)],
        "photographs": [np.asarray(bgr, np.uint8) for bgr in things],
    }
