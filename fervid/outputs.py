"""Which files a source's results go to, and the sinks that write them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from os.path import commonpath
from pathlib import Path
from typing import Any, TextIO

from fervid.config import STDOUT, RunConfig, refuse_existing
from fervid.errors import SinkError
from fervid.sinks import SINKS, RunHeader, Sink

FILES = {"video": "annotated.mp4", "jsonl": "faces.jsonl", "parquet": "faces.parquet"}
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one source's results go: sink name -> path (None: standard output), and the summary."""

    source: str
    sinks: dict[str, Path | None]
    summary: Path | None = None

    def files(self) -> list[Path]:
        """Every file that will be written."""
        paths = [path for path in self.sinks.values() if path is not None]
        return paths + ([self.summary] if self.summary else [])


def plan(config: RunConfig, sources: Sequence[str]) -> list[Target]:
    """Decide on every output before anything is read.

    With `-o DIR` each source has a folder of its own below DIR, named as the source below the
    folder that all sources share.

    Raises:
        ConfigError: an output exists and may not be overwritten.
    """
    targets = [
        _target(config, source, name) for source, name in zip(sources, _names(sources), strict=True)
    ]
    for target in targets:
        refuse_existing(target.files(), config.output.overwrite)
    return targets


def _target(config: RunConfig, source: str, name: Path) -> Target:
    output = config.output
    sinks: dict[str, Path | None] = {}
    for kind in SINKS:
        path = getattr(output, kind)
        if path is not None:
            sinks[kind] = None if path == STDOUT else path
    if output.out is None:
        return Target(source, sinks)
    folder = output.out / name
    sinks |= {kind: folder / file for kind, file in FILES.items() if kind not in sinks}
    return Target(source, sinks, folder / SUMMARY)


def _names(sources: Sequence[str]) -> list[Path]:
    """A folder name for each source; two that would share one keep their suffixes."""
    paths = [Path(source) for source in sources]
    if len(paths) > 1:
        root = commonpath([str(path.resolve().parent) for path in paths])
        paths = [path.resolve().relative_to(root) for path in paths]
    else:
        paths = [Path(path.name) for path in paths]
    bare = [path.with_suffix("") for path in paths]
    return [full if bare.count(name) > 1 else name for full, name in zip(paths, bare, strict=True)]


@contextmanager
def open_sinks(target: Target, header: RunHeader, stdout: TextIO) -> Iterator[list[Sink]]:
    """Open a target's sinks and close them all, also after an error.

    Raises:
        SinkError: a folder or file cannot be made; what was opened before is closed.
    """
    opened: list[Sink] = []
    try:
        for kind, path in target.sinks.items():
            opened.append(_open(kind, path, header, stdout))
        yield opened
    except BaseException:
        _close(opened, quiet=True)
        raise
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


def write_summary(path: Path, header: RunHeader, figures: dict[str, Any]) -> None:
    """Write summary.json.

    Raises:
        SinkError: it cannot be written.
    """
    content = {
        "fervid": header.version,
        "source": header.source.uri,
        "model": header.model,
        "model_sha256": header.model_sha256,
        **figures,
        "config": header.config,
    }
    try:
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path} cannot be written ({error.strerror}).", str(path)) from error
