"""Which files the results of each source go to: decided, and refused, before anything is read."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fervid import probe
from fervid.chunks import Chunk
from fervid.config import STDOUT, OutputConfig, RunConfig, refuse_existing, without_credentials
from fervid.config.source import identity
from fervid.errors import ConfigError
from fervid.folders import RESERVED, folder_names
from fervid.sinks import RunHeader
from fervid.sinks.crops import saved_crops
from fervid.sinks.rows import header_record
from fervid.sinks.stills import saved_stills
from fervid.sinks.text import write_whole

JOURNAL, TABLE, SUMMARY = "faces.jsonl", "faces.parquet", "summary.json"
VIDEO, SUBTITLES, REPORT = "annotated.mp4", "faces.srt", "report.html"
SEGMENT = "segment.json"  # the manifest of a segment, in its folder
FOLDERS: dict[str, Callable[[Path], Iterator[Path]]] = {  # of pictures, and what lists those
    "crops": saved_crops,
    "stills": saved_stills,
}
IN_FOLDER = (VIDEO, JOURNAL, TABLE, SUMMARY, SUBTITLES, REPORT)
SHARED = ("jsonl", "csv", "parquet")  # files that rows of several sources may go to
EVENTS = "events"  # the sink whose file `watch.hub` writes to
SINGLE = ("video", "srt")  # files that hold one source

_log = logging.getLogger(__name__)

Output = tuple[str, Path | None]  # name of a sink, and its file; None: standard output


@dataclass(frozen=True, slots=True)
class Target:
    """Where one source's results go.

    Attributes:
        source: as it was given.
        sinks: outputs of this source alone.
        shared: outputs that all sources of the run write to.
        folder: of this source, below `--out`.
        renewed: an earlier attempt may have left files there, which are removed first.
        segmented: its folder gets a folder for each segment, and no file of its own.
        chunk: the part of the source that this is about; None for all of it.
        parts: its chunks, which are to be joined; none where it is to be analysed.
    """

    source: str
    sinks: tuple[Output, ...] = ()
    shared: tuple[Output, ...] = ()
    folder: Path | None = None
    renewed: bool = False
    segmented: bool = False
    chunk: Chunk | None = None
    parts: tuple["Target", ...] = ()

    @property
    def summary(self) -> Path | None:
        """The file with the figures of the whole run over this source."""
        if self.chunk is not None and self.sinks[0][1] is not None:
            return self.sinks[0][1].with_suffix(".json")
        return self._file(SUMMARY)

    @property
    def report(self) -> Path | None:
        """The page that shows the whole run over this source."""
        return None if self.chunk is not None else self._file(REPORT)

    @property
    def own_folder(self) -> Path | None:
        """The folder that only this target writes to; chunks share theirs, segments have others."""
        return None if self.segmented or self.chunk is not None else self.folder

    @property
    def label(self) -> str:
        """The source without credentials; of a chunk, where it begins too."""
        name = without_credentials(self.source)
        return name if self.chunk is None else f"{name} from {self.chunk.from_s:.0f} s"

    def files(self) -> list[Path]:
        """Every file that is this source's alone; of folders of pictures none."""
        paths = [path for kind, path in self.sinks if path is not None and kind not in FOLDERS]
        return paths + [path for path in (self.summary, self.report) if path is not None]

    def _file(self, name: str) -> Path | None:
        return None if self.folder is None or self.segmented else self.folder / name


def plan(
    config: RunConfig, sources: Sequence[str], begun: Mapping[str, Path] | None = None
) -> list[Target]:
    """Decide on every output before anything is read.

    With `-o DIR` each source has a folder of its own below DIR (`folders.folder_names`).

    Args:
        config: of the run.
        sources: every single one, after folders and patterns were resolved.
        begun: sources that an earlier run has taken in hand, and their folders below DIR. They
            keep those, and with --resume what lies there is no obstacle.

    Raises:
        ConfigError: an output exists and may not be overwritten, is a source, is wanted twice, or
            holds one source and there are several.
    """
    output, begun = config.output, begun or {}
    _refuse_repeated(output, sources)
    shared = (*_outputs(output, SHARED), *_events(config))
    own = tuple(_outputs(output, SINGLE))
    if output.out is None:
        targets = [Target(source, own, shared) for source in sources]
    else:
        folders = [output.out / name for name in folder_names(sources, begun)]
        cut = config.segments.segment is not None
        targets = [
            Target(
                source,
                own if cut else (*own, *in_folder(output, folder)),
                shared,
                folder,
                renewed=output.resume and source in begun,
                segmented=cut,
            )
            for source, folder in zip(sources, folders, strict=True)
        ]
    _refuse_clashes(targets, output.out)
    refuse_existing((path for _, path in shared if path is not None), output.overwrite)
    for target in targets:
        if target.source in begun:
            _refuse_begun(target, output)
        refuse_existing(target.files(), output.overwrite or target.renewed)
        if not target.renewed:
            _look_for_pictures(target, output)
    return targets


def _outputs(output: OutputConfig, kinds: Iterable[str]) -> Iterable[Output]:
    """The files that were asked for by name."""
    for kind in kinds:
        path = getattr(output, kind)
        if path is not None:
            yield kind, None if path == STDOUT else path


def _events(config: RunConfig) -> Iterable[Output]:
    """The file of events."""
    path = config.watch.events
    if path is not None:
        yield EVENTS, None if path == STDOUT else path


def in_folder(output: OutputConfig, folder: Path) -> Iterable[Output]:
    """What goes into the folder of a source, or of a segment of it."""
    if output.images:
        yield "video", folder / VIDEO
    yield "jsonl", folder / JOURNAL
    yield "parquet", folder / TABLE
    if output.subtitles:
        yield "srt", folder / SUBTITLES
    if output.save_crops:
        yield "crops", folder / "crops"
    if output.stills:
        yield "stills", folder / "stills"


def saved_pictures(folder: Path) -> Iterator[Path]:
    """Yield the pictures that a run has written into folders of their own below a source's."""
    for name, saved in FOLDERS.items():
        yield from saved(folder / name)


def _refuse_repeated(output: OutputConfig, sources: Sequence[str]) -> None:
    """Stop where sources could not be told apart, or do not fit into a file."""
    for kind, _ in _outputs(output, SINGLE):
        if len(sources) > 1:
            raise ConfigError(
                f"--{kind} takes one source, not {len(sources)}; use --out DIR for several.", kind
            )
    counts = Counter(map(identity, sources))
    for source in sources:
        if counts[identity(source)] > 1:
            raise ConfigError(
                f"The source {without_credentials(source)} is given twice; name it once.",
                "sources",
            )


def _refuse_clashes(targets: Sequence[Target], out: Path | None) -> None:
    """Stop before two outputs, or an output and a source, would be one file."""
    sources = {probe.real(Path(target.source)) for target in targets}
    beside = () if out is None else [out / name for name in RESERVED]
    taken = {probe.real(path): "the folder's own file" for path in beside}
    shared = [path for _, path in targets[0].shared if path is not None] if targets else []
    wanted = [("all sources", path) for path in shared]
    wanted += [(target.label, path) for target in targets for path in target.files()]
    for label, path in wanted:
        place = probe.real(path)
        if place in sources:
            raise ConfigError(
                f"The output {path} is a source itself; choose another name.", "output"
            )
        if place in taken:
            raise ConfigError(
                f"The output {path} is wanted twice, for {taken[place]} and {label}; "
                "name each source once, and each output differently.",
                "output",
            )
        taken[place] = label


def _refuse_begun(target: Target, output: OutputConfig) -> None:
    """Stop before results of an archive that was begun are written once more, unasked.

    Raises:
        ConfigError: there are some, and nothing says what becomes of them.
    """
    if output.resume or output.overwrite or not any(map(probe.is_file, target.files())):
        return
    raise ConfigError(
        f"{output.out} holds results of an earlier run over {target.label}; add --resume to go on "
        "with it, --overwrite to begin again, or choose another folder.",
        "resume",
    )


def _look_for_pictures(target: Target, output: OutputConfig) -> None:
    """Refuse to mix pictures of two runs, and warn of pictures that an earlier run left."""
    if target.folder is None:
        return
    wanted = {kind for kind, _ in target.sinks}
    left = [target.folder / name for name in FOLDERS if any(FOLDERS[name](target.folder / name))]
    for path in left:
        if path.name in wanted and not output.overwrite:
            raise ConfigError(
                f"The output {path} exists; add --overwrite or choose another name.", "overwrite"
            )
    if output.images and output.anonymize == "none":
        return
    if not output.images and probe.exists(target.folder / VIDEO):
        left.append(target.folder / VIDEO)
    if not output.images and target.segmented and any(target.folder.glob(f"*/{VIDEO}")):
        left.append(target.folder)
    for path in left:
        _log.warning("%s is of an earlier run, shows faces, and is left as it is", path)


def summary_record(header: RunHeader, figures: Mapping[str, Any]) -> dict[str, Any]:
    """What summary.json holds.

    Args:
        header: of the run.
        figures: as RunStats.summary() gives them.
    """
    about = header_record(header)
    return {
        "fervid": header.version,
        "source": about["source"]["uri"],
        "model": header.model,
        "model_sha256": header.model_sha256,
        "device": header.device,
        "classes": about["classes"],
        **figures,
        "config": about["config"],
    }


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write summary.json, complete or not at all.

    Raises:
        SinkError: it cannot be written.
    """
    text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, text)
