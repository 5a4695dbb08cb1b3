"""Persons cut out of the clips, to be moved about in generated scenes."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tests.bench.tracking_clips import Sequence, read_clip

SIDE = 112  # px of a face box
ROOM = 1.7  # sides of the picture that is cut out around a face

# One room, one camera, one light: what tells these four apart is only themselves. The others come
# from different cameras, so their colours are brought nearer to each other (`one_light`).
ROOM_CAST = ("hands_again", "hands_eat", "hands_milk", "hands_book")
MIXED_CAST = (
    "face_noface",
    "grid_bbaf2n",
    "grid_brbk7n",
    "emotion_change_occlusion",
    "grid_lbax4n",
)
SUFFIX = {"hands": ".mkv", "grid": ".mpg", "face": ".mov"}


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """Pictures of one person's face, (T, S, S, 3), the face box in the middle and SIDE px."""

    name: str
    pictures: list[np.ndarray]

    def picture(self, time_s: float) -> np.ndarray:
        """The picture at a time, forth and back through all."""
        n, k = len(self.pictures), int(time_s * 25)
        return self.pictures[min(k % (2 * n), 2 * n - 1 - k % (2 * n))]


def actors(folder: Path, names: tuple[str, ...], one_light: bool) -> list[Actor]:
    """Cut the persons out of their clips."""
    cast = []
    for name in names:
        clip = read_clip(folder / (name + SUFFIX.get(name.split("_")[0], ".mp4")))
        cast.append(Actor(name, _cut_out(clip)))
    return _in_one_light(cast) if one_light else cast


def _cut_out(clip: Sequence, most: int = 90) -> list[np.ndarray]:
    found = [
        (picture, faces.boxes[people.index(person)])
        for picture, faces, people in zip(clip.pictures, clip.faces, clip.people, strict=True)
        for person in people
        if person is not None
    ][:most]
    boxes = np.array([box for _, box in found])
    kernel = np.ones(9) / 9  # detections jitter; the cut must not
    smooth = np.stack(
        [np.convolve(np.pad(boxes[:, k], 4, "edge"), kernel, "valid") for k in range(4)], axis=1
    )
    px = round(SIDE * ROOM)
    pictures = []
    for (picture, _), (x0, y0, x1, y1) in zip(found, smooth, strict=True):
        zoom = SIDE / max(x1 - x0, y1 - y0)
        move = np.array([[zoom, 0, px / 2 - zoom * (x0 + x1) / 2]] * 2)
        move[1] = [0, zoom, px / 2 - zoom * (y0 + y1) / 2]
        pictures.append(cv2.warpAffine(picture, move, (px, px), borderMode=cv2.BORDER_REPLICATE))
    return pictures


def _in_one_light(cast: list[Actor]) -> list[Actor]:
    """The same lightness for all, and half of the difference in colour."""
    inner = slice(round(SIDE * (ROOM - 1) / 2), -round(SIDE * (ROOM - 1) / 2))
    labs = [
        np.stack([cv2.cvtColor(p, cv2.COLOR_BGR2LAB) for p in a.pictures]).astype(float)
        for a in cast
    ]
    means = np.array([lab[:, inner, inner].mean((0, 1, 2)) for lab in labs])
    stds = np.array([lab[:, inner, inner].std((0, 1, 2)) for lab in labs])
    out = []
    for actor, lab, mean, std in zip(cast, labs, means, stds, strict=True):
        kept = np.array([0, 0.5, 0.5])  # of the person's own mean
        gain = np.array([stds[:, 0].mean() / std[0], 1, 1])
        lit = (lab - mean) * gain + mean * kept + means.mean(0) * (1 - kept)
        lit = lit.clip(0, 255).astype(np.uint8)
        out.append(Actor(actor.name, [cv2.cvtColor(p, cv2.COLOR_LAB2BGR) for p in lit]))
    return out
