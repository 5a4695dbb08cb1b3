"""The section that says what is written, and the guard over files that exist."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fervid.config.options import Switch
from fervid.config.section import Section
from fervid.errors import ConfigError

Anonymize = Literal["none", "blur", "pixelate", "box"]
STDOUT = Path("-")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig(Section):
    """What is written and where.

    Attributes:
        out: Folder that gets a folder per source with annotated.mp4, faces.jsonl, faces.parquet
            and summary.json.
        video: Annotated video file (H.264 in .mp4).
        jsonl: Journal file, one line of JSON a frame; - writes it to standard output.
        csv: Table file, one row a face; - writes it to standard output.
        parquet: Table file for pandas, R and the like, one row a face.
        srt: Subtitle file (SubRip) with the label of the largest face.
        save_crops: Write the crop of each face as the network saw it, into the source's folder.
        images: Allow outputs that show faces; --no-images forbids them all.
        anonymize: Hide the faces in every picture that is written; the heatmaps stay.
        overwrite: Replace outputs that exist.
    """

    out: Path | None = None
    video: Path | None = None
    jsonl: Path | None = None
    csv: Path | None = None
    parquet: Path | None = None
    srt: Path | None = None
    save_crops: bool = False
    images: Switch = True
    anonymize: Anonymize = "none"
    overwrite: bool = False

    def __post_init__(self) -> None:
        Section.__post_init__(self)  # a slotted dataclass has no zero-argument super()
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
