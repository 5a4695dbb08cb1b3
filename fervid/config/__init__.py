"""RunConfig: everything a run can be told, and the only place where defaults are written.

The command line is built from these classes (cli.py): a field `min_face_px` is the option
`--min-face-px`, and the text of its attribute below is the option's help. Names are therefore
distinct over all sections. Values are checked when an object is made; whether files exist is
not looked at here, except in `refuse_existing`.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

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
from fervid.config.section import refuse_text
from fervid.config.segments import SegmentConfig
from fervid.config.serving import ServeConfig
from fervid.config.source import SourceConfig
from fervid.config.threads import ThreadConfig
from fervid.config.watching import WatchConfig
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
    "SegmentConfig",
    "ServeConfig",
    "SourceConfig",
    "ThreadConfig",
    "WatchConfig",
    "WindowConfig",
    "refuse_existing",
    "without_credentials",
]


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One run: what is read, how it is analysed, what is written.

    Attributes:
        sources: Files, folders, globs, images, URLs of these or of streams; - is a pipe.
        camera: Number of a camera to read too, from 0; may be given several times.
        quiet: Print nothing but errors.
        verbose: Print the log too, and a traceback with an error.
        read: How sources are read.
        window: What is shown beside the terminal.
        serving: The live page.
        output: What is written.
        watch: Who is told while it goes on.
        segments: How it is cut into segments.
        filter: How noise is filtered.
        model: The expression network.
        faces: Which faces are looked for.
        explain: How a label is explained.
        labels: How probabilities become a label.
        cores: How the processor's cores are shared out.
        per_source: What holds for single sources; it goes before `read`.
    """

    sources: tuple[str, ...] = ()
    camera: tuple[int, ...] = field(default=(), kw_only=True)
    quiet: bool = field(default=False, kw_only=True)
    verbose: bool = field(default=False, kw_only=True)
    read: ReadConfig = field(default_factory=ReadConfig, kw_only=True)
    window: WindowConfig = field(default_factory=WindowConfig, kw_only=True)
    serving: ServeConfig = field(default_factory=ServeConfig, kw_only=True)
    output: OutputConfig = field(default_factory=OutputConfig, kw_only=True)
    watch: WatchConfig = field(default_factory=WatchConfig, kw_only=True)
    segments: SegmentConfig = field(default_factory=SegmentConfig, kw_only=True)
    filter: FilterConfig = field(default_factory=FilterConfig, kw_only=True)
    model: ModelConfig = field(default_factory=ModelConfig, kw_only=True)
    faces: FaceConfig = field(default_factory=FaceConfig, kw_only=True)
    explain: ExplainConfig = field(default_factory=ExplainConfig, kw_only=True)
    labels: LabelConfig = field(default_factory=LabelConfig, kw_only=True)
    cores: ThreadConfig = field(default_factory=ThreadConfig, kw_only=True)
    per_source: Annotated[tuple[SourceConfig, ...], Parameter(parse=False)] = field(
        default=(), kw_only=True
    )

    def __post_init__(self) -> None:
        refuse_text("sources", self.sources)
        if any(number < 0 for number in self.camera):
            raise ConfigError(f"--camera must be at least 0, not {min(self.camera)}.", "camera")
        if self.watch.events == STDOUT and self.output.uses_stdout:
            raise ConfigError(
                "Only one output can go to standard output; give --events or the other one a file.",
                "events",
            )
        uris = [settings.uri for settings in self.per_source]
        if twice := {uri for uri in uris if uris.count(uri) > 1}:
            raise ConfigError(
                f"{without_credentials(min(twice))} has two [[source]] tables; make them one.",
                "source",
            )
        for uri in uris:
            try:
                self.read_for(uri)
            except ConfigError as error:
                named = without_credentials(uri)
                raise ConfigError(f"The settings of {named}: {error}", error.key) from error

    @property
    def uses_stdout(self) -> bool:
        """Whether standard output carries data."""
        return self.output.uses_stdout or self.watch.events == STDOUT

    def all_sources(self) -> tuple[str, ...]:
        """The sources as they were given, cameras last."""
        return (*self.sources, *(f"camera:{number}" for number in self.camera))

    def settings_for(self, source: str) -> SourceConfig:
        """The settings of one source; of several that apply to it, the first."""
        for settings in self.per_source:
            if settings.applies_to(source):
                return settings
        return SourceConfig(source)

    def read_for(self, source: str) -> ReadConfig:
        """How one source is read.

        Raises:
            ConfigError: its own settings have a value out of its limits.
        """
        return dataclasses.replace(self.read, **self.settings_for(source).read)

    def as_dict(self) -> dict[str, Any]:
        """The effective configuration for an output's header: JSON types only, no credentials."""
        values: dict[str, Any] = dataclasses.asdict(self)
        values["sources"] = [without_credentials(source) for source in self.sources]
        values["watch"] = self.watch.shown()
        for settings in values["per_source"]:
            settings["uri"] = without_credentials(settings["uri"])
        return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    """Turn paths into text, all through dictionaries and lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
