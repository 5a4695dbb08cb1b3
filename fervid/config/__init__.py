"""RunConfig: everything a run can be told, and the only place where defaults are written.

The command line is built from these classes (cli.py): a field `min_face_px` is the option
`--min-face-px`, and the text of its attribute below is the option's help. Names are therefore
distinct over all sections. Values are checked when an object is made; whether files exist is
not looked at here, except in `refuse_existing`.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fervid.config.analysis import (
    CamName,
    Detector,
    Device,
    ExplainConfig,
    FaceConfig,
    FilterChoice,
    FilterConfig,
    FilterSetName,
    LabelConfig,
    ModelConfig,
)
from fervid.config.credentials import without_credentials
from fervid.config.outputs import STDOUT, Anonymize, OutputConfig, refuse_existing
from fervid.config.reading import STDIN, ReadConfig, Roi, RtspTransport, WindowConfig
from fervid.errors import ConfigError

__all__ = [
    "STDIN",
    "STDOUT",
    "Anonymize",
    "CamName",
    "Detector",
    "Device",
    "ExplainConfig",
    "FaceConfig",
    "FilterChoice",
    "FilterConfig",
    "FilterSetName",
    "LabelConfig",
    "ModelConfig",
    "OutputConfig",
    "ReadConfig",
    "Roi",
    "RtspTransport",
    "RunConfig",
    "WindowConfig",
    "refuse_existing",
    "without_credentials",
]


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One run: what is read, how it is analysed, what is written.

    Attributes:
        sources: What is read: files, folders, globs, images, URLs of streams, - for a pipe.
        camera: Number of a camera to read too, from 0; may be given several times.
        list_cameras: Print the cameras that are there, and do nothing else.
        quiet: Print nothing but errors.
        verbose: Print the log too, and a traceback with an error.
        read: How sources are read.
        window: What is shown beside the terminal.
        output: What is written.
        filter: How noise is filtered.
        model: The expression network.
        faces: Which faces are looked for.
        explain: How a label is explained.
        labels: How probabilities become a label.
    """

    sources: tuple[str, ...] = ()
    camera: tuple[int, ...] = field(default=(), kw_only=True)
    list_cameras: bool = field(default=False, kw_only=True)
    quiet: bool = field(default=False, kw_only=True)
    verbose: bool = field(default=False, kw_only=True)
    read: ReadConfig = field(default_factory=ReadConfig, kw_only=True)
    window: WindowConfig = field(default_factory=WindowConfig, kw_only=True)
    output: OutputConfig = field(default_factory=OutputConfig, kw_only=True)
    filter: FilterConfig = field(default_factory=FilterConfig, kw_only=True)
    model: ModelConfig = field(default_factory=ModelConfig, kw_only=True)
    faces: FaceConfig = field(default_factory=FaceConfig, kw_only=True)
    explain: ExplainConfig = field(default_factory=ExplainConfig, kw_only=True)
    labels: LabelConfig = field(default_factory=LabelConfig, kw_only=True)

    def __post_init__(self) -> None:
        if any(number < 0 for number in self.camera):
            raise ConfigError(f"--camera must be at least 0, not {min(self.camera)}.", "camera")

    def all_sources(self) -> tuple[str, ...]:
        """The sources as they were given, cameras last."""
        return (*self.sources, *(f"camera:{number}" for number in self.camera))

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
