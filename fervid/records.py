"""What flows from a source to the outputs: frozen records of arrays.

Times are seconds from the source's start (media time for files, monotonic for live sources).
Boxes are pixels x0 y0 x1 y1, half-open, in full-frame coordinates. Images are BGR uint8
(H, W, 3). N, the number of faces, may be 0 everywhere.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
NoiseKind = Literal["clean", "gaussian", "salt_pepper", "speckle"]
NOISE_KINDS: tuple[NoiseKind, ...] = ("clean", "gaussian", "salt_pepper", "speckle")
# Why a frame has its filter: "told" by a person, against its "noise", or against the "blocks" of a
# codec; and why it has none: the frame is "clean", none helps the network against its noise
# ("unhelpful"), or its faces are too "large" for blocks to matter.
FilterReason = Literal["told", "noise", "blocks", "clean", "unhelpful", "large"]
CAM_NAMES: tuple[str, ...] = ("gradcam", "adaptive", "gradcam_fused", "adaptive_fused")


def _check(
    name: str, array: NDArray[np.generic], dtype: type, shape: tuple[int | None, ...]
) -> None:
    """Raise ValueError unless `array` has this dtype and shape (None: any length)."""
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=False)
    )
    if array.dtype != np.dtype(dtype) or not fits:
        expected = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise ValueError(
            f"{name}: expected {np.dtype(dtype).name} {expected}, got {array.dtype} {array.shape}"
        )


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its first frame is read.

    `rate` is the nominal frame rate (None: unknown), `n_frames` and `duration_s` are None where
    the container does not say; `uri` carries no credentials. Where only a part is read,
    `start_s` is the time of its first frame, and rate, `n_frames` and `duration_s` are the part's.
    `roi` (x, y, width, height in pixels of the whole picture; None: all of it) and `mirrored` say
    what the frame shows. `place` is where a copy lies that was fetched from `uri`; outputs do not
    tell.
    """

    uri: str
    label: str
    width: int
    height: int
    live: bool
    rate: Fraction | None = None
    n_frames: int | None = None
    duration_s: float | None = None
    has_audio: bool = False
    codec: str = ""
    start_s: float = 0.0
    roi: tuple[int, int, int, int] | None = None
    mirrored: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture: `bgr` uint8 (H, W, 3) at `time_s`; a dropped frame leaves a gap in `index`.

    `connection` counts how often the source was lost and came back before it; nothing that lies
    between two frames of different ones was seen. `read_s` is when it was read, by
    `time.monotonic`; not a number where nobody said.
    """

    index: int
    time_s: float
    bgr: NDArray[np.uint8]
    connection: int = 0
    read_s: float = math.nan

    def __post_init__(self) -> None:
        _check("Frame.bgr", self.bgr, np.uint8, (None, None, 3))


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Detected faces: boxes float32 (N, 4), scores (N,), eyes (N, 2, 2), track_ids int64 (N,).

    `eyes` holds x y of the person's right and left eye in pixels. A track id of -1 means that
    the face is not followed yet.
    """

    boxes: F32
    scores: F32
    eyes: F32
    track_ids: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.boxes)
        _check("Faces.boxes", self.boxes, np.float32, (n, 4))
        _check("Faces.scores", self.scores, np.float32, (n,))
        _check("Faces.eyes", self.eyes, np.float32, (n, 2, 2))
        _check("Faces.track_ids", self.track_ids, np.int64, (n,))

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> "Faces":
        """No faces at all."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 2, 2), np.float32),
            np.zeros(0, np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Noise of one frame, on the 0-1 scale of its green channel at native resolution.

    Attributes:
        kind: the strongest kind.
        levels: float32 (3,): Gaussian sigma, impulse density, speckle sigma (sqrt of the paper's
            variance); 0 where that kind was not found.
        severity: RMS difference from the clean picture.
        quality: float32 (3,), each 0 (good) to 1 (bad): blocking, blur, darkness.
    """

    kind: NoiseKind
    levels: F32
    severity: float
    quality: F32

    def __post_init__(self) -> None:
        if self.kind not in NOISE_KINDS:
            raise ValueError(f"Noise.kind: expected one of {NOISE_KINDS}, got {self.kind!r}")
        _check("Noise.levels", self.levels, np.float32, (3,))
        _check("Noise.quality", self.quality, np.float32, (3,))

    @classmethod
    def clean(cls) -> "Noise":
        """A picture without noise and without other faults."""
        return cls("clean", np.zeros(3, np.float32), 0.0, np.zeros(3, np.float32))

    @property
    def level(self) -> float:
        """The level of the strongest kind, 0 when clean."""
        return 0.0 if self.kind == "clean" else float(self.levels[NOISE_KINDS.index(self.kind) - 1])


@dataclass(frozen=True, slots=True, eq=False)
class ModelOutput:
    """What a backend returns for N faces and K classes.

    Attributes:
        logits: float32 (N, K), before the card's temperature.
        maps: float32 (N, K, h, w), layer4 class maps with `logits = mean(maps) + bias`.
        cams: float32 (N, 4, h3, w3), the maps of the target class in the order of CAM_NAMES;
            (N, 4, 0, 0) where nobody asked for them.
    """

    logits: F32
    maps: F32
    cams: F32

    def __post_init__(self) -> None:
        n, k = self.logits.shape if self.logits.ndim == 2 else (len(self.logits), None)
        _check("ModelOutput.logits", self.logits, np.float32, (n, k))
        _check("ModelOutput.maps", self.maps, np.float32, (n, k, None, None))
        _check("ModelOutput.cams", self.cams, np.float32, (n, len(CAM_NAMES), None, None))


def no_cams(n: int) -> F32:
    """What `ModelOutput.cams` is for n faces where nobody asked for maps."""
    return np.zeros((n, len(CAM_NAMES), 0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that each stage of one frame took, by stage name, in order of execution."""

    stages_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def total_ms(self) -> float:
        """The sum over all stages."""
        return sum(self.stages_ms.values())


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """Everything that fervid says about one frame; the row schema is written from this.

    Attributes:
        index: frame number in the source, drops counted.
        time_s: seconds from the source's start.
        faces: N faces.
        noise: of the whole frame, smoothed over time.
        filter_name: the filter that was applied to the crops.
        eta: float32 (N,), RMS noise left in each crop on the network's input grid, 0-1 scale.
        classes: K class names, the order of all probabilities.
        probabilities: float32 (N, K), calibrated, of this frame alone.
        smoothed: float32 (N, K), smoothed per track.
        labels: N class names, the most probable of `smoothed`.
        uncertain: bool (N,).
        reasons: N tuples of reasons for `uncertain`: "confidence", "small", "blurred", "dark".
        heatmaps: float32 (N, h, w), 0-1, smoothed per track, of the region `crop_boxes`; 0 where
            none was ever made.
        crop_boxes: float32 (N, 4), the part of the frame that the network saw.
        timings: per stage.
        dropped: frames lost before this one since the last result.
        crops: uint8 (N, S, S), grey, what the network saw before normalisation; none (0, 0, 0) in
            a result that was not made from a picture.
        cam: kind of `heatmaps`, one of CAM_NAMES; empty where nobody said.
        target: class that `heatmaps` are of; empty for each face's most probable one.
        filter_reason: why it was this filter.
    """

    index: int
    time_s: float
    faces: Faces
    noise: Noise
    filter_name: str
    eta: F32
    classes: tuple[str, ...]
    probabilities: F32
    smoothed: F32
    labels: tuple[str, ...]
    uncertain: NDArray[np.bool_]
    reasons: tuple[tuple[str, ...], ...]
    heatmaps: F32
    crop_boxes: F32
    timings: Timings
    dropped: int = 0
    crops: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint8))
    cam: str = ""
    target: str = ""
    filter_reason: FilterReason = "clean"

    def __post_init__(self) -> None:
        n, k = len(self.faces), len(self.classes)
        _check("FrameResult.eta", self.eta, np.float32, (n,))
        _check("FrameResult.probabilities", self.probabilities, np.float32, (n, k))
        _check("FrameResult.smoothed", self.smoothed, np.float32, (n, k))
        _check("FrameResult.uncertain", self.uncertain, np.bool_, (n,))
        _check("FrameResult.heatmaps", self.heatmaps, np.float32, (n, None, None))
        _check("FrameResult.crop_boxes", self.crop_boxes, np.float32, (n, 4))
        if not len(self.labels) == len(self.reasons) == n:
            raise ValueError(f"FrameResult: expected {n} labels and reasons")
