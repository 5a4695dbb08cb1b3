"""Where a face's heatmap lies: shares of brows, eyes, nose and mouth, by a fixed template.

The template is four rectangles in the box that the detector draws round a face, whose key points
were looked up on 41 faces of 7 of our pictures and clips (short-range model, faces of 60 px or
more): eyes at x .28 and .70, y .28, the tip of the nose at .46 .52, the mouth at .46 .72, each
within .06 (one standard deviation). It knows nothing of a head that is tilted or turned.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.records import F32, FrameResult

F64 = NDArray[np.float64]
Rect = tuple[float, float, float, float]  # x0 y0 x1 y1, 0-1 of the box's longer side

TEMPLATE: Mapping[str, Rect] = {
    "brows": (0.10, 0.08, 0.90, 0.20),
    "eyes": (0.10, 0.20, 0.90, 0.36),
    "nose": (0.34, 0.36, 0.66, 0.60),
    "mouth": (0.26, 0.62, 0.74, 0.84),
}
ELSEWHERE = "elsewhere"
REGIONS = (*TEMPLATE, ELSEWHERE)
MEAN_PX = 24  # side of a mean map


def in_crop(box: F32, crop: F32) -> tuple[Rect, ...]:
    """The template's rectangles as parts of the crop, 0-1, in its order.

    Args:
        box: float32 (4,), the face's box in frame pixels.
        crop: float32 (4,), the region that the network saw, in the same pixels.
    """
    side = float(crop[2] - crop[0])
    face = float(max(box[2] - box[0], box[3] - box[1]))
    if side <= 0 or face <= 0:
        return ()
    # Rounded, so that all faces of one model share a template.
    scale = round(face / side, 3)
    left, top = (
        round((float(box[i] + box[i + 2]) / 2 - face / 2 - float(crop[i])) / side, 2)
        for i in (0, 1)
    )
    return tuple(
        (left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale)
        for x0, y0, x1, y1 in TEMPLATE.values()
    )


@lru_cache(maxsize=64)
def weights(template: tuple[Rect, ...], height: int, width: int) -> F64:
    """How much of each cell of a map lies in each region, float64 (R, height * width).

    Args:
        template: as `in_crop` gives it.
        height: of the map, in cells.
        width: of the map, in cells.

    Returns:
        In the order of REGIONS; the last is what no other region has, so that a cell's sum is 1.
    """
    parts = [np.outer(_cover(r[1], r[3], height), _cover(r[0], r[2], width)) for r in template]
    inner = np.stack(parts).reshape(len(parts), -1)
    return np.concatenate([inner, 1 - inner.sum(0, keepdims=True)])


def _cover(low: float, high: float, cells: int) -> F64:
    """The share of each of so many equal cells of 0-1 that lies between two places."""
    edges = np.arange(cells + 1) / cells
    inside = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    return np.asarray(np.clip(inside * cells, 0, 1), np.float64)


class Attention:
    """Sums up heatmaps by class: their mean, and their shares by region.

    Each face of each frame counts the same, however warm its map; a map without any heat, such as
    that of a result which was read from a file, does not count.

    Args:
        classes: K names.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        k = len(classes)
        self._classes = tuple(classes)
        self.counts = np.zeros(k, np.int64)
        self.shares = np.zeros((k, len(REGIONS)))
        self.area = np.zeros(len(REGIONS))
        self.maps = np.zeros((k, MEAN_PX, MEAN_PX))
        self.template: tuple[Rect, ...] = ()

    def observe(self, result: FrameResult) -> None:
        """Take the maps of one frame."""
        height, width = result.heatmaps.shape[1:]
        for i, heat in enumerate(result.heatmaps):
            total = float(heat.sum())
            template = in_crop(result.faces.boxes[i], result.crop_boxes[i])
            if not total > 0 or not template:
                continue
            k = self._classes.index(result.labels[i])
            parts = weights(template, height, width)
            self.counts[k] += 1
            self.shares[k] += parts @ heat.reshape(-1) / total
            self.area += parts.mean(1)
            self.maps[k] += small(heat)
            self.template = self.template or template

    def record(self) -> dict[str, Any] | None:
        """What the report shows, as JSON types; None without any map."""
        n = int(self.counts.sum())
        if n == 0:
            return None
        return {
            "regions": list(REGIONS),
            "template": [[round(v, 3) for v in rect] for rect in self.template],
            "area": _rounded(self.area / n),
            "all": {
                "n": n,
                "shares": _rounded(self.shares.sum(0) / n),
                "map": self._map(slice(None)),
            },
            "classes": {
                name: {
                    "n": int(self.counts[k]),
                    "shares": _rounded(self.shares[k] / self.counts[k]),
                    "map": self._map(slice(k, k + 1)),
                }
                for k, name in enumerate(self._classes)
                if self.counts[k]
            },
        }

    def _map(self, which: slice) -> list[int]:
        """The mean map of some classes, in per cent."""
        mean = self.maps[which].sum(0) / self.counts[which].sum()
        return [round(v * 100) for v in mean.reshape(-1).tolist()]


def small(heat: F32) -> F32:
    """A heatmap (h, w) at the size that is kept of it, float32 (MEAN_PX, MEAN_PX), 0-1."""
    how = cv2.INTER_AREA if min(heat.shape) >= MEAN_PX else cv2.INTER_LINEAR
    kept = cv2.resize(heat, (MEAN_PX, MEAN_PX), interpolation=how)
    return np.asarray(kept, np.float32).clip(0, 1)


def _rounded(values: F64) -> list[float]:
    return [round(v, 4) for v in values.tolist()]
