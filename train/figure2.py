"""The paper's Figure 2 with our four maps: the same face clean and under the three noises.

The face is that of scikit-image's `astronaut` (Eileen Collins, NASA, public domain): FER2013's may
not be handed on.
"""

from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")

from matplotlib import pyplot as plt
from skimage.data import astronaut

from fervid.backends import Backend
from fervid.explain import HeatmapStream, aligned
from fervid.records import CAM_NAMES, F32
from train.bars import MIDDLE
from train.metrics import drift
from train.robustness import SETTINGS, Plan, corrupt, prepare, run_model

FACE = slice(62, 192), slice(160, 290)  # rows and columns of the portrait, framed as FER2013 is
U8 = NDArray[np.uint8]

SHOWN = ("clean", *MIDDLE.values())
DPI = 110


def figure2(backend: Backend, plan: Plan, path: Path) -> Path:
    """Draw it: a row for each setting with the picture, what the network sees, and the maps.

    Args:
        backend: the model.
        plan: how pictures reach the network.
        path: of the PNG file.
    """
    face = portrait()
    settings = [setting for setting in SETTINGS if setting.name in SHOWN]
    figure, axes = plt.subplots(
        len(settings), 2 + len(CAM_NAMES), figsize=(10, 7.4), layout="constrained"
    )
    target, first = -1, np.zeros(0, np.float32)
    for row, setting in zip(axes, settings, strict=True):
        seen = prepare(face[None], np.zeros(1, np.int64), setting, plan)
        said = run_model(backend, seen, np.array([target]), lambda _, __: None)
        label = backend.card.classes[int(said.logits[0].argmax())]
        if target < 0:
            target, first = int(said.logits[0].argmax()), said.cams
        pictures = corrupt(face, setting, plan.seed, 0), seen.crops[0]
        for ax, picture in zip(row, pictures, strict=False):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
        row[0].set_title(setting.name, fontsize=9)
        row[1].set_title(f"read as {seen.kinds[0]}: {label}", fontsize=9)
        for number, name in enumerate(CAM_NAMES):
            moved = drift(first[:, number], said.cams[:, number])[0][0]
            note = "" if setting.name == "clean" else f", DC {moved:.2f}"
            row[2 + number].imshow(seen.crops[0], cmap="gray", vmin=0, vmax=255)
            row[2 + number].imshow(_heat(said.cams[:, number], len(face)), cmap="jet", alpha=0.5)
            row[2 + number].set_title(f"{name}{note}", fontsize=8)
        for ax in row:
            ax.axis("off")
    figure.savefig(path, dpi=DPI, metadata={"Software": ""})
    plt.close(figure)
    return path


def portrait() -> U8:
    """The face, uint8 (48, 48)."""
    rgb = np.ascontiguousarray(astronaut()[FACE])  # type: ignore[no-untyped-call]
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray, (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


def _heat(cams: F32, px: int) -> F32:
    """Maps (1, h, w) as fervid shows them, (px, px)."""
    heat = HeatmapStream(0.0).update(cams, np.array([-1]), 0.0)
    return np.asarray(aligned(heat, px)[0], np.float32)
