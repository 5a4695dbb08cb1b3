"""What the commands that measure models can be told; imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fervid.config import Detector, FilterChoice, FilterSetName
from fervid.errors import ConfigError

RESULTS = Path(__file__).parents[1] / "docs" / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """What is measured, and how.

    Attributes:
        in_frame: Put the faces into video frames and measure the whole pipeline.
        faults: Measure under the faults of poor video instead of the paper's noises.
        maps: Measure how good the heatmaps are: deletion, insertion, response, sanity checks.
        extra: Folder with real_noise/, the PolyU pictures; the folder that the data lie in by
            default.
        split: Test images; in frames "both" means PrivateTest.
        limit: Measure a seeded choice of so many images of a split; in frames 300 by default, of
            heatmaps 400.
        out: Folder of the results.
        seed: Seed of the noise and of every choice.
        filter: Filter; auto chooses by the kind of noise.
        filter_set: Strength of the filters.
        detector: Face detector of the frames.
        torch_model: The .safetensors of the same weights, for the SNR of an ONNX model's features.
        snr_images: Images for the SNR, a seeded choice.
    """

    in_frame: bool = False
    faults: bool = False
    maps: bool = False
    extra: Path | None = None
    split: Literal["public", "private", "both"] = "both"
    limit: int | None = None
    out: Path = RESULTS
    seed: int = 0
    filter: FilterChoice = "auto"
    filter_set: FilterSetName = "tuned"
    detector: Detector = "auto"
    torch_model: Path | None = None
    snr_images: int = 500

    def __post_init__(self) -> None:
        asked = [name for name in ("in_frame", "faults", "maps") if getattr(self, name)]
        if len(asked) > 1:
            flags = " and ".join("--" + name.replace("_", "-") for name in asked)
            raise ConfigError(f"{flags} are different measurements; give one.", asked[-1])
        _at_least_1(self, "limit", "snr_images")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What the report is of.

    Attributes:
        baseline: The clean-trained network of the same budget; without it the baseline's files are
            used where they are.
        out: Folder of the results.
        fresh: Measure again what is measured already.
    """

    baseline: Path | None = None
    out: Path = RESULTS
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions:
    """Which of FER2013-C's pictures are made or measured.

    Attributes:
        split: Test images.
        limit: A seeded choice of so many images.
        seed: Seed of the corruptions and of the choice; 0 is what is compared.
    """

    split: Literal["public", "private"] = "private"
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least_1(self, "limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkMeasure(BenchmarkOptions):
    """How a model is measured on FER2013-C.

    Attributes:
        reference: JSON of the reference model, as this command writes it; by default
            fer2013c-reference.json of docs/results, where there is one of the same pictures.
        out: Folder of the results.
    """

    reference: Path | None = None
    out: Path = RESULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """How a folder of labelled faces is measured.

    Attributes:
        crops: The pictures are framed as faces already, as FER2013's are; no face is looked for.
        limit: Measure a seeded choice of so many pictures.
        seed: Seed of that choice.
        detector: Face detector.
        out: Folder of the results.
    """

    crops: bool = False
    limit: int | None = None
    seed: int = 0
    detector: Detector = "auto"
    out: Path = RESULTS

    def __post_init__(self) -> None:
        _at_least_1(self, "limit")


def _at_least_1(options: object, *names: str) -> None:
    for name in names:
        at_least_1(name, getattr(options, name))


def at_least_1(name: str, value: int | None) -> None:
    """Refuse a number of pictures below 1; None is all.

    Raises:
        ConfigError: so it is.
    """
    if value is not None and value < 1:
        option = "--" + name.replace("_", "-")
        raise ConfigError(f"{option} must be at least 1, not {value}.", name)
