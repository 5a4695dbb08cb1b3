"""RunConfig: everything a run can be told, and the only place where defaults are written.

The command line is built from these classes (cli.py): a field `min_face_px` is the option
`--min-face-px`, and the text of its attribute below is the option's help. Names are therefore
distinct over all sections. Values are checked when an object is made; whether files exist is
not looked at here, except in `refuse_existing`.
"""

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from fervid.errors import ConfigError

FilterChoice = Literal["auto", "none", "gaussian", "median", "bilateral"]
FilterSetName = Literal["tuned", "paper-table1", "paper-table3"]
CamName = Literal["gradcam", "adaptive", "gradcam_fused", "adaptive_fused"]
Detector = Literal["short", "full"]
Device = Literal["auto", "cpu"]

T = TypeVar("T")
STDOUT = Path("-")
# "user:anything@" up to the last @ (an unquoted / in a password is no end), or "user@".
_USER = re.compile(r"(?i)([a-z][a-z0-9+.-]*://)(?:[^:/?#\[]*:(?!\d*(?:[/?#]|$)).*@|[^/?#]*@)")
# Parameters that hold a secret, as network cameras name them.
_SECRET = re.compile(
    r"(?i)([?&;](?:user(?:name)?|login|pass(?:word|wd)?|pwd|(?:access_)?token|auth|(?:api_?)?key"
    r"|secret|sig(?:nature)?)=)[^&;#]*"
)


def without_credentials(uri: str) -> str:
    """Return a source's URL without user, password and secret parameters; a file name as it is."""
    return _SECRET.sub(r"\1***", _USER.sub(r"\1", uri)) if "://" in uri else uri


def refuse_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Stop before any work if an output would replace a file.

    Devices and pipes may be written to; a folder in a file's place never.

    Raises:
        ConfigError: a file exists and `overwrite` is false, or a folder has an output's name.
    """
    for path in paths:
        if path.is_dir():
            raise ConfigError(f"The output {path} is a folder; name a file.", "output")
        if path.is_file() and not overwrite:
            raise ConfigError(
                f"The output {path} exists; add --overwrite or choose another name.", "overwrite"
            )


def _within(default: T, low: float, high: float = math.inf) -> T:
    """A field whose value, unless None, lies between two limits."""
    limited: T = field(default=default, metadata={"limits": (low, high)})
    return limited


class _Section:
    """A section of the configuration: checks its limits and closed sets when it is made."""

    __slots__ = ()

    def __post_init__(self: Any) -> None:
        """Check every field.

        Raises:
            ConfigError: a value is out of its limits, or none of the known ones.
        """
        hints = get_type_hints(type(self))
        for item in dataclasses.fields(self):
            value, hint = getattr(self, item.name), hints[item.name]
            option = "--" + item.name.replace("_", "-")
            if get_origin(hint) is Literal and value not in get_args(hint):
                known = ", ".join(get_args(hint))
                raise ConfigError(f"{option} must be one of {known}, not {value!r}.", item.name)
            if value is None or "limits" not in item.metadata:
                continue
            low, high = item.metadata["limits"]
            if not (low <= value <= high and math.isfinite(value)):
                bounds = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
                raise ConfigError(f"{option} must be {bounds}, not {value:g}.", item.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """What is written and where.

    Attributes:
        out: Folder that gets a folder per source with annotated.mp4, faces.jsonl, faces.parquet
            and summary.json.
        video: Annotated video file (H.264 in .mp4).
        jsonl: Journal file, one line of JSON a frame; - writes it to standard output.
        csv: Table file, one row a face; - writes it to standard output.
        parquet: Table file for pandas, R and the like, one row a face.
        overwrite: Replace outputs that exist.
    """

    out: Path | None = None
    video: Path | None = None
    jsonl: Path | None = None
    csv: Path | None = None
    parquet: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        for key in ("out", "video", "parquet"):
            if getattr(self, key) == STDOUT:
                raise ConfigError(
                    f"--{key} cannot be written to standard output; --jsonl and --csv can.",
                    key,
                )
        if self.jsonl == STDOUT and self.csv == STDOUT:
            raise ConfigError(
                "Only one output can go to standard output, not both --jsonl - and --csv -.", "csv"
            )
        files = self.files()
        if len({path.resolve() for path in files}) < len(files):
            raise ConfigError("Two outputs have the same name; give each its own file.", "output")

    def files(self) -> tuple[Path, ...]:
        """The single files that were asked for, standard output and `out` left aside."""
        single = (self.video, self.jsonl, self.csv, self.parquet)
        return tuple(path for path in single if path is not None and path != STDOUT)

    @property
    def single(self) -> bool:
        """Whether an output was asked for that can hold one source only."""
        return bool(self.files()) or self.uses_stdout

    @property
    def uses_stdout(self) -> bool:
        """Whether standard output carries data."""
        return STDOUT in (self.jsonl, self.csv)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterConfig(_Section):
    """How noise is filtered.

    Attributes:
        filter: Filter for the face crops; auto chooses by the kind of noise, frame by frame.
        filter_set: Strength of the filters: tuned to the measured level, or as in either table of
            the paper.
    """

    filter: FilterChoice = "auto"
    filter_set: FilterSetName = "tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig(_Section):
    """The expression network and what runs it.

    Attributes:
        model: Model file (.onnx or .safetensors) instead of the one that comes with fervid.
        device: Where the network runs; auto is the CPU for .onnx files, and CUDA where PyTorch has
            it for .safetensors.
        threads: Threads of the network; 0 leaves the number to the library.
    """

    model: Path | None = None
    device: Device = "auto"
    threads: int = _within(0, 0, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceConfig(_Section):
    """Which faces are looked for.

    Attributes:
        detector: Detector model: short for faces near the camera (also the better one in noise),
            full for small ones.
        min_score: Score from which a detection counts as a face, 0-1.
        min_face_px: Width under which a face is left out, in pixels of the frame.
        max_faces: Most faces in a frame; the largest are kept.
    """

    detector: Detector = "short"
    min_score: float = _within(0.5, 0, 1)
    min_face_px: int = _within(20, 1)
    max_faces: int = _within(16, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainConfig(_Section):
    """How a label is explained.

    Attributes:
        cam: Kind of heatmap: Grad-CAM or adaptive CAM, of the last layer or fused over two.
        heatmap: Draw the heatmap into the video.
        heatmap_smooth_s: Time constant over which a face's heatmap is smoothed, in seconds; 0 is
            not at all.
    """

    cam: CamName = "adaptive_fused"
    heatmap: bool = True
    heatmap_smooth_s: float = _within(0.3, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig(_Section):
    """How probabilities become a label, and when a label is called uncertain.

    Attributes:
        smooth_s: Time constant over which a face's probabilities are smoothed, in seconds; 0 is
            not at all.
        confident_from: Confidence under which a label is uncertain, 0-1; by default the model's
            own.
        small_px: Face width under which a label is uncertain, in pixels of the frame.
        blurred_from: Blur from which a label is uncertain, 0 (sharp) to 1.
        dark_from: Darkness from which a label is uncertain, 0 (bright) to 1.
    """

    smooth_s: float = _within(0.5, 0)
    confident_from: float | None = _within(None, 0, 1)
    small_px: int = _within(32, 0)
    blurred_from: float = _within(0.7, 0, 1)
    dark_from: float = _within(0.7, 0, 1)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One run: what is read, how it is analysed, what is written.

    Attributes:
        sources: Video files to read.
        camera: Number of a camera to read instead, from 0.
        quiet: Print nothing but errors.
        verbose: Print the log too, and a traceback with an error.
        output: What is written.
        filter: How noise is filtered.
        model: The expression network.
        faces: Which faces are looked for.
        explain: How a label is explained.
        labels: How probabilities become a label.
    """

    sources: tuple[str, ...] = ()
    camera: int | None = field(default=None, kw_only=True)
    quiet: bool = field(default=False, kw_only=True)
    verbose: bool = field(default=False, kw_only=True)
    output: OutputConfig = field(default_factory=OutputConfig, kw_only=True)
    filter: FilterConfig = field(default_factory=FilterConfig, kw_only=True)
    model: ModelConfig = field(default_factory=ModelConfig, kw_only=True)
    faces: FaceConfig = field(default_factory=FaceConfig, kw_only=True)
    explain: ExplainConfig = field(default_factory=ExplainConfig, kw_only=True)
    labels: LabelConfig = field(default_factory=LabelConfig, kw_only=True)

    def __post_init__(self) -> None:
        if self.camera is not None and self.camera < 0:
            raise ConfigError(f"--camera must be at least 0, not {self.camera}.", "camera")
        if self.camera is not None and self.sources:
            raise ConfigError("Give files or --camera, not both at once.", "camera")
        if len(self.sources) > 1 and self.output.single:
            raise ConfigError(
                "--video, --jsonl, --csv and --parquet take one source; use -o DIR for several.",
                "sources",
            )
        taken = {path.resolve() for path in self.output.files()}
        for source in self.sources:
            if Path(source).resolve() in taken:
                raise ConfigError(f"The output {source} is the source itself.", "output")

    def as_dict(self) -> dict[str, Any]:
        """The effective configuration for an output's header: JSON types only, no credentials."""
        values: dict[str, Any] = dataclasses.asdict(self)
        values["sources"] = [without_credentials(source) for source in self.sources]
        return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    """Turn paths into text, all through a dictionary."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value
