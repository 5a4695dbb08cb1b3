"""The sections that say how frames are analysed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fervid.config.options import Switch
from fervid.config.section import Section, within

FilterChoice = Literal["auto", "none", "gaussian", "median", "bilateral", "deblock"]
FilterSetName = Literal["tuned", "paper-table1", "paper-table3"]
CamName = Literal["gradcam", "adaptive", "gradcam_fused", "adaptive_fused"]
Detector = Literal["auto", "short", "full"]
Device = Literal["auto", "cpu", "cuda", "tensorrt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterConfig(Section):
    """How noise is filtered.

    Attributes:
        filter: Filter for face crops; auto goes by noise and blocks.
        filter_set: Strength of the filters: tuned to the measured level, or as in either table of
            the paper.
    """

    filter: FilterChoice = "auto"
    filter_set: FilterSetName = "tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig(Section):
    """The expression network and what runs it.

    Attributes:
        model: Model file (.onnx or .safetensors) instead of the one that comes with fervid.
        device: Where the network runs; auto is CUDA where it starts, but the CPU for int8 models.
    """

    model: Path | None = None
    device: Device = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceConfig(Section):
    """Which faces are looked for.

    Attributes:
        detector: Which faces are found: short near ones, also in noise, full small clear ones,
            auto both.
        min_score: Score from which a near face in a clear frame counts, 0-1; small ones need 0.6 of
            it, and in noise 0.3 is enough.
        min_face_px: Width under which a face is left out, in pixels of the frame.
        max_faces: Most faces in a frame; the largest are kept.
    """

    detector: Detector = "auto"
    min_score: float = within(0.5, 0, 1)
    min_face_px: int = within(20, 1)
    max_faces: int = within(16, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainConfig(Section):
    """How a label is explained.

    Attributes:
        explain: Class whose heatmaps are shown, as happy; else each face's most probable one.
        cam: Kind of heatmap, of the last layer or fused over two.
        heatmap: Draw the heatmap into the video.
        map_every: Frames a heatmap lasts; 0: until face or label changes.
        heatmap_smooth_s: Seconds over which a heatmap is smoothed; 0 is none.
    """

    explain: str | None = None
    cam: CamName = "adaptive"
    heatmap: Switch = True
    map_every: int = within(1, 0)
    # The longest of those tried at which a map follows another face within .25 s at 30 frames a
    # second, the worst pair of faces included (docs/results/flicker.md).
    heatmap_smooth_s: float = within(0.2, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig(Section):
    """How probabilities become a label, and when a label is called uncertain.

    Attributes:
        smooth_s: Seconds over which probabilities are smoothed; 0 is none.
        confident_from: Confidence under which a label is uncertain, 0-1; else the model's own.
        small_px: Face width under which a label is uncertain, in pixels.
        blurred_from: Blur from which a label is uncertain, 0 (sharp) to 1.
        dark_from: Darkness from which a label is uncertain, 0 (light) to 1.
    """

    smooth_s: float = within(0.5, 0)
    confident_from: float | None = within(None, 0, 1)
    small_px: int = within(32, 0)
    blurred_from: float = within(0.7, 0, 1)
    dark_from: float = within(0.7, 0, 1)
