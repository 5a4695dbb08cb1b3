"""Faces removed from pictures, before anything is drawn on them.

Nothing of what lies inside a hidden region stays, whatever the method: `blur` and `pixelate` are
made from the colours around it, so no filter and no network can bring a face back (mosaics and
blurs of the face itself do not keep that promise: McPherson, Shokri, Shmatikov 2016, "Defeating
image obfuscation with deep learning").
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.records import F32, Faces

U8 = NDArray[np.uint8]
Method = Literal["blur", "pixelate", "box"]
Region = tuple[int, int, int, int]  # x0 y0 x1 y1, half-open, in the frame

MEMORY_S = 1.0
HEAD = 1.5  # side of the region, as a multiple of the detector's box (brows to chin)
UP = 0.12  # by which the region lies higher than the box, as a share of the box's height
SPREAD_PER_S = 0.6  # by which a region grows while its face is not found: it may be moving
FLAT = 64  # grey level of `box`, and of what has nothing around it
CELLS = 4  # of a mosaic, along a side: finer ones look more like a face to the detector
CELL_STEP = 14  # grey levels by which cells differ, or a mosaic could not be seen
FRINGE = 0.08  # width of what is taken from around a region, as a share of its side


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Where a face was last found."""

    track_id: int
    box: F32
    time_s: float


class Anonymizer:
    """Hides the faces of one source, frame after frame.

    It remembers every face for `memory_s` seconds: one that the detector misses stays hidden at its
    last place, in a region that grows. A face that was never found is not hidden.

    Args:
        method: "blur", "pixelate" or "box".
        memory_s: seconds for which a face that is no longer found stays hidden.
    """

    def __init__(self, method: Method, memory_s: float = MEMORY_S) -> None:
        self.method = method
        self._memory_s = memory_s
        self._seen: list[_Seen] = []
        self._time_s = -np.inf

    def hide(self, bgr: U8, faces: Faces, time_s: float) -> U8:
        """A new picture without the faces.

        Args:
            bgr: uint8 (H, W, 3), the frame; it stays as it is.
            faces: found in it.
            time_s: of the frame. A step back in time forgets nothing that could be in it.
        """
        regions = self.regions((bgr.shape[1], bgr.shape[0]), faces, time_s)
        return cover(bgr, regions, self.method)

    def regions(self, size: tuple[int, int], faces: Faces, time_s: float) -> list[Region]:
        """What `hide` covers in a frame, remembered as there, without a picture.

        Args:
            size: width and height of the frame, in px.
            faces: found in it.
            time_s: of the frame.
        """
        self.notice(faces, time_s)
        return [head_region(s.box, size, time_s - s.time_s) for s in self._seen]

    def notice(self, faces: Faces, time_s: float) -> None:
        """Remember the faces of a frame, as `hide` does, without a picture."""
        if time_s < self._time_s:  # another moment: what was seen after it counts from it
            seen = self._seen
            self._seen = [_Seen(s.track_id, s.box, min(s.time_s, time_s)) for s in seen]
        self._time_s = time_s
        followed = {track for track in faces.track_ids.tolist() if track >= 0}
        self._seen = [
            seen
            for seen in self._seen
            if seen.track_id not in followed and time_s - seen.time_s <= self._memory_s
        ]
        columns = zip(faces.track_ids.tolist(), faces.boxes, strict=True)
        self._seen += [_Seen(track, box, time_s) for track, box in columns]


def head_region(box: F32, size: tuple[int, int], missing_s: float = 0.0) -> Region:
    """The part of a frame that holds the whole head of a face.

    Args:
        box: float32 (4,), the face's box.
        size: width and height of the frame, in px.
        missing_s: seconds since the face was found there.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    width, height = x1 - x0, y1 - y0
    # A head on its side needs the longer side in both directions.
    half = max(width, height) / 2 * (HEAD + SPREAD_PER_S * missing_s)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2 - UP * height
    low = (int(np.floor(x - half)), int(np.floor(y - half)))
    high = (int(np.ceil(x + half)), int(np.ceil(y + half)))
    return max(0, low[0]), max(0, low[1]), min(size[0], high[0]), min(size[1], high[1])


def cover(bgr: U8, regions: list[Region], method: Method) -> U8:
    """A new picture in which nothing of the regions is left.

    Args:
        bgr: uint8 (H, W, 3).
        regions: in the frame.
        method: what lies there instead.
    """
    picture = bgr.copy()
    # All at first: what is taken from around one region must not be the face in another.
    for x0, y0, x1, y1 in regions:
        picture[y0:y1, x0:x1] = FLAT
    if method != "box":
        for region in regions:
            _paint(picture, region, method)
    return picture


def _paint(picture: U8, region: Region, method: Method) -> None:
    """Fill a region from the colours around it."""
    x0, y0, x1, y1 = region
    if x1 <= x0 or y1 <= y0:
        return
    fill = _spread(picture, region)
    if method == "pixelate":
        rows, columns = min(CELLS, y1 - y0), min(CELLS, x1 - x0)
        small = cv2.resize(fill, (columns, rows), interpolation=cv2.INTER_AREA)
        odd = (3 * np.arange(rows)[:, None] + 5 * np.arange(columns)[None]) % 7 - 3  # -3 to 3
        cells = (small + CELL_STEP * odd[..., None] / 3).astype(np.float32)
        fill = np.asarray(
            cv2.resize(cells, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST), np.float32
        )
    picture[y0:y1, x0:x1] = np.clip(fill, 0, 255).round().astype(np.uint8)


def _spread(picture: U8, region: Region) -> F32:
    """A smooth transition between the four sides of a region, float32 (h, w, 3).

    Along each axis the colours of both sides are blended; a side at the picture's border has none.
    """
    x0, y0, x1, y1 = region
    h, w = y1 - y0, x1 - x0
    d = max(1, round(FRINGE * max(h, w)))
    left, right = picture[y0:y1, max(0, x0 - d) : x0], picture[y0:y1, x1 : x1 + d]
    top, bottom = picture[max(0, y0 - d) : y0, x0:x1], picture[y1 : y1 + d, x0:x1]
    across = _blend(_line(left, 1), _line(right, 1), w)  # (h, w, 3)
    down = _blend(_line(top, 0), _line(bottom, 0), h)
    fields = [] if across is None else [across]
    if down is not None:
        fields.append(down.transpose(1, 0, 2))  # (w, h, 3) -> (h, w, 3)
    if not fields:
        return np.full((h, w, 3), FLAT, np.float32)
    return np.asarray(np.mean(fields, axis=0), np.float32)


def _line(side: U8, axis: int) -> F32 | None:
    """The mean colour along one side, smoothed over half its length; None if nothing is there."""
    if side.shape[axis] == 0:
        return None
    line = side.mean(axis, dtype=np.float32)[:, None]  # (n, 1, 3)
    k = max(1, len(line) // 2)
    smooth = cv2.blur(line, (1, k), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float32).reshape(-1, 3)


def _blend(first: F32 | None, last: F32 | None, n: int) -> F32 | None:
    """From one line to another in n steps, float32 (len, n, 3); one alone stays as it is."""
    first, last = (last if first is None else first), (first if last is None else last)
    if first is None or last is None:
        return None
    share = ((np.arange(n, dtype=np.float32) + 0.5) / n)[None, :, None]
    return np.asarray(first[:, None] * (1 - share) + last[:, None] * share, np.float32)
