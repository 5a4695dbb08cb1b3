"""Which pictures a model is wrong about: accuracy by the look of the clean picture.

FER2013 says nothing of the people in it, so this is what can be said: by brightness, contrast and
sharpness, each in quarters of the set. How errors spread over age, sex or skin colour stays
unknown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.records import F32
from train.metrics import Bools, accuracy_interval
from train.tables import Table, percent

NAMES = ("lowest quarter", "second", "third", "highest quarter")
LOOKS: Mapping[str, str] = {
    "brightness": "mean grey level",
    "contrast": "standard deviation of the grey levels",
    "sharpness": "mean absolute Laplacian over the contrast",
}


def looks(images: NDArray[np.uint8]) -> dict[str, F32]:
    """The looks of pictures uint8 (N, H, W), by name, float32 (N,)."""
    mean = images.mean((1, 2), dtype=np.float32)
    spread = images.astype(np.float32).std((1, 2))
    edges = [np.abs(cv2.Laplacian(image, cv2.CV_32F)).mean() for image in images]
    sharp = np.array(edges, np.float32) / np.maximum(spread, 1)
    return {"brightness": mean, "contrast": spread, "sharpness": sharp}


def quarter_figures(images: NDArray[np.uint8], right: Bools) -> dict[str, list[dict[str, Any]]]:
    """Accuracy in each quarter of the pictures, by every look, from the lowest quarter up.

    Args:
        images: uint8 (N, H, W), clean.
        right: bool (N,), whether the model was.

    Returns:
        By look, for each quarter that holds a picture: "images", "from" and "to", the look's range,
        "accuracy" and "accuracy_95".
    """
    figures: dict[str, list[dict[str, Any]]] = {}
    for name, values in looks(images).items():
        parts = np.array_split(np.argsort(values, kind="stable"), len(NAMES))
        figures[name] = [
            {
                "images": len(part),
                "from": float(values[part[0]]),
                "to": float(values[part[-1]]),
                "accuracy": float(right[part].mean()),
                "accuracy_95": accuracy_interval(right[part]),
            }
            for part in parts
            if len(part)
        ]
    return figures


def quarters_table(title: str, figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """Accuracy by look and quarter, with its interval."""
    rows = []
    for name, parts in figures.items():
        cells = []
        for part in parts:
            low, high = part["accuracy_95"]
            cells.append(f"{percent(part['accuracy'])} ({percent(low)} - {percent(high)})")
        rows.append((name, *cells, *["-"] * (len(NAMES) - len(cells))))
    note = "Clean pictures, accuracy % and 95 % interval; "
    note += "; ".join(f"{name}: {what}" for name, what in LOOKS.items()) + "."
    return Table(title, ("", *NAMES), tuple(rows), note)
