"""Which files a source's results go to, and the sinks that write them."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from fervid.config import STDOUT, RunConfig, refuse_existing, without_credentials
from fervid.errors import ConfigError, SinkError
from fervid.interrupt import held_interrupt
from fervid.sinks import SINKS, RunHeader, Sink
from fervid.sinks.rows import header_record

FILES = {"video": "annotated.mp4", "jsonl": "faces.jsonl", "parquet": "faces.parquet"}
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one source's results go: (sink name, path or None for standard output), the summary."""

    source: str
    sinks: tuple[tuple[str, Path | None], ...]
    summary: Path | None = None

    def files(self) -> list[Path]:
        """Every file that will be written."""
        paths = [path for _, path in self.sinks if path is not None]
        return paths + ([self.summary] if self.summary else [])


def plan(config: RunConfig, sources: Sequence[str]) -> list[Target]:
    """Decide on every output before anything is read.

    With `-o DIR` each source has a folder of its own below DIR, named as the source below the
    folder that all sources share.

    Raises:
        ConfigError: an output exists and may not be overwritten, is a source, or is wanted twice.
    """
    names = _names(sources) if config.output.out is not None else [Path()] * len(sources)
    targets = [_target(config, source, name) for source, name in zip(sources, names, strict=True)]
    _refuse_shared(targets)
    for target in targets:
        refuse_existing(target.files(), config.output.overwrite)
    return targets


def _refuse_shared(targets: Sequence[Target]) -> None:
    """Stop before two outputs, or an output and a source, would be one file."""
    sources = {Path(target.source).resolve() for target in targets}
    taken: dict[Path, str] = {}
    for target in targets:
        for path in target.files():
            place = path.resolve()
            if place in sources:
                raise ConfigError(f"The output {path} is a source itself.", "output")
            if place in taken:
                raise ConfigError(
                    f"The output {path} is wanted twice, for {taken[place]} and {target.source}; "
                    "name each source once, and each output differently.",
                    "output",
                )
            taken[place] = target.source


def _target(config: RunConfig, source: str, name: Path) -> Target:
    output = config.output
    single = [(kind, getattr(output, kind)) for kind in SINKS if getattr(output, kind) is not None]
    sinks = [(kind, None if path == STDOUT else path) for kind, path in single]
    if output.out is None:
        return Target(source, tuple(sinks))
    folder = output.out / name
    sinks += [(kind, folder / file) for kind, file in FILES.items()]
    return Target(source, tuple(sinks), folder / SUMMARY)


def _names(sources: Sequence[str]) -> list[Path]:
    """A folder name for each source; two that would share one keep their suffixes."""
    files = {s: Path(s).absolute() for s in sources if not _is_device(s)}
    try:
        root = Path(os.path.commonpath([file.parent for file in files.values()]))
    except ValueError:  # none, or on two drives
        root = None
    paths = []
    for source in sources:
        file = files.get(source, Path(_device_name(source)))
        paths.append(file.relative_to(root) if root and source in files else Path(file.name))
    bare = [path.with_suffix("") if path.name else path for path in paths]
    return [full if bare.count(name) > 1 else name for full, name in zip(paths, bare, strict=True)]


def _is_device(source: str) -> bool:
    return "://" in source or source.startswith("camera:")


def _device_name(source: str) -> str:
    """A file name for a stream or camera, without what no file name may hold."""
    return re.sub(r"[^\w-]+", "-", without_credentials(source).partition("://")[2] or source).strip(
        "-"
    )


@contextmanager
def open_sinks(target: Target, header: RunHeader, stdout: TextIO) -> Iterator[list[Sink]]:
    """Open a target's sinks and close them all, also after an error.

    Raises:
        SinkError: a folder or file cannot be made; what was opened before is closed.
    """
    opened: list[Sink] = []
    try:
        for kind, path in target.sinks:
            opened.append(_open(kind, path, header, stdout))
        yield opened
    except BaseException:
        with held_interrupt():
            _close(opened, quiet=True)
        raise
    with held_interrupt():
        _close(opened, quiet=False)


def _open(kind: str, path: Path | None, header: RunHeader, stdout: TextIO) -> Sink:
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"The folder {path.parent} cannot be made ({error.strerror}); choose another.",
                str(path),
            ) from error
    module, _, name = SINKS[kind].partition(":")
    make: Any = getattr(import_module(module), name)
    sink: Sink = make(path, header, stream=stdout) if path is None else make(path, header)
    return sink


def _close(sinks: Sequence[Sink], *, quiet: bool) -> None:
    """Close every sink; the first error is raised unless another one is under way."""
    errors: list[SinkError] = []
    for sink in sinks:
        try:
            sink.close()
        except SinkError as error:
            errors.append(error)
    if errors and not quiet:
        raise errors[0]


def summary_record(header: RunHeader, figures: Mapping[str, Any]) -> dict[str, Any]:
    """What summary.json holds.

    Args:
        header: of the run.
        figures: as RunStats.summary() gives them.
    """
    return {
        "fervid": header.version,
        "source": header_record(header)["source"]["uri"],
        "model": header.model,
        "model_sha256": header.model_sha256,
        **figures,
        "config": header.config,
    }


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write summary.json.

    Raises:
        SinkError: it cannot be written.
    """
    text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise SinkError(f"{path} cannot be written ({error.strerror}).", str(path)) from error
