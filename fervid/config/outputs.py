"""The section that says what is written, and the guard over files that exist."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fervid import probe
from fervid.config.options import Switch
from fervid.config.section import Section, within
from fervid.errors import ConfigError

Anonymize = Literal["none", "blur", "pixelate", "box"]
STDOUT = Path("-")
SINGLE_FILES = {
    "video": ".mp4",
    "jsonl": ".jsonl",
    "csv": ".csv",
    "parquet": ".parquet",
    "srt": ".srt",
}
OTHER_VIDEOS = (".avi", ".mkv", ".mov", ".webm", ".mpg", ".gif")


def refuse_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Stop before any work if an output would replace a file.

    Devices and pipes may be written to; a folder in a file's place never.

    Raises:
        ConfigError: a file exists and `overwrite` is false, or a folder has an output's name.
    """
    for path in paths:
        if probe.is_folder(path):
            raise ConfigError(f"The output {path} is a folder; name a file.", "output")
        if probe.is_file(path) and not overwrite:
            raise ConfigError(
                f"The output {path} exists; add --overwrite or choose another name.", "overwrite"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig(Section):
    """What is written and where.

    Attributes:
        out: Folder that gets a folder per source with annotated.mp4, faces.jsonl, faces.parquet,
            report.html and summary.json; for several sources all.parquet and clips.csv too.
        video: Annotated video file (H.264 in .mp4) of one source.
        jsonl: Journal file, one line of JSON a frame; - writes it to standard output.
        csv: Table file, one row a face; - writes it to standard output.
        parquet: Table file for pandas, R and the like, one row a face.
        srt: Subtitle file (SubRip) of one source: a label a line, largest face first.
        subtitles: Write subtitles into each source's folder, as faces.srt (needs --out).
        save_crops: Write face crops as the network saw them into each source's folder, at each
            new label of a face and once a second (needs --out).
        stills: Write a still at each change of label: original, filtered, map (needs --out).
        images: Allow outputs that show faces; --no-images forbids them all.
        anonymize: Cover each face in every picture that is written, until 1 second after
            it was last found; one that is never found is not hidden.
        overwrite: Replace outputs that exist.
        resume: Go on where an earlier run ended, with what is not complete yet.
        queue_mb: Memory for frames that wait to be written, in MB a source.
    """

    out: Path | None = None
    video: Path | None = None
    jsonl: Path | None = None
    csv: Path | None = None
    parquet: Path | None = None
    srt: Path | None = None
    subtitles: bool = False
    save_crops: bool = False
    stills: bool = False
    images: Switch = True
    anonymize: Anonymize = "none"
    overwrite: bool = False
    resume: bool = False
    queue_mb: int = within(32, 1, 65_536)

    def __post_init__(self) -> None:
        Section.__post_init__(self)  # a slotted dataclass has no zero-argument super()
        for key in ("out", "video", "parquet", "srt"):
            if getattr(self, key) == STDOUT:
                raise ConfigError(
                    f"--{key} cannot be written to standard output; --jsonl and --csv can.",
                    key,
                )
        if self.jsonl == STDOUT and self.csv == STDOUT:
            raise ConfigError(
                "Only one output can go to standard output, not both --jsonl - and --csv -.", "csv"
            )
        self._refuse_one_file()
        self._refuse_pairs()
        self._refuse_suffixes()

    def _refuse_one_file(self) -> None:
        """Stop where two options name the same file."""
        taken: dict[Path, str] = {}
        for key in SINGLE_FILES:
            path = getattr(self, key)
            if path is None or path == STDOUT:
                continue
            other = taken.setdefault(probe.real(path), key)
            if other != key:
                raise ConfigError(
                    f"--{other} and --{key} both name {path}; give each its own file.", key
                )

    def _refuse_pairs(self) -> None:
        """Stop where one option takes away what another one asks for."""
        for key in ("subtitles", "save_crops", "stills", "resume"):
            if getattr(self, key) and self.out is None:
                raise ConfigError(f"{_option(key)} needs a folder; add --out DIR.", key)
        if self.resume and self.overwrite:
            raise ConfigError(
                "--resume goes on and --overwrite begins again; drop one of them.", "resume"
            )
        for key in ("video", "save_crops", "stills"):
            if getattr(self, key) and not self.images:
                raise ConfigError(
                    f"{_option(key)} shows faces and --no-images forbids that; drop one of them.",
                    key,
                )
        for key in ("save_crops", "stills"):
            if getattr(self, key) and self.anonymize != "none":
                raise ConfigError(
                    f"{_option(key)} writes faces and --anonymize hides them; drop one of them.",
                    key,
                )

    def _refuse_suffixes(self) -> None:
        """Stop where a name promises another kind of file than the one that is written."""
        for key, suffix in SINGLE_FILES.items():
            path = getattr(self, key)
            found = "" if path is None else path.suffix.lower()
            if found != suffix and found in (*SINGLE_FILES.values(), *OTHER_VIDEOS):
                named = path.with_suffix(suffix)
                raise ConfigError(
                    f"--{key} writes a {suffix} file, and {path} promises another kind; name it "
                    f"{named}.",
                    key,
                )

    def files(self) -> tuple[Path, ...]:
        """The single files that were asked for, standard output and `out` left aside."""
        single = (getattr(self, key) for key in SINGLE_FILES)
        return tuple(path for path in single if path is not None and path != STDOUT)

    @property
    def uses_stdout(self) -> bool:
        """Whether standard output carries data."""
        return STDOUT in (self.jsonl, self.csv)


def _option(key: str) -> str:
    return "--" + key.replace("_", "-")
