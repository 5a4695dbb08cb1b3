"""A whole run: the only loop, and the only place that wires the parts together."""

import dataclasses
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from fervid import __version__
from fervid.backends import Backend, model_file, open_backend
from fervid.capture import Source, open_source
from fervid.config import RunConfig
from fervid.console import say
from fervid.dashboard import open_display
from fervid.draw import draw
from fervid.errors import ConfigError, FervidError, SinkError
from fervid.interrupt import held_interrupt
from fervid.outputs import Target, open_sinks, plan, summary_record, write_summary
from fervid.pipeline import Pipeline
from fervid.prefetch import Prefetch
from fervid.records import FrameResult
from fervid.sinks import RunHeader, Sink
from fervid.stats import RunStats


@dataclass(frozen=True, slots=True)
class _Session:
    """What all sources of a run share; `digest` is the hash of the model's file.

    `sinks` are the caller's own, which get the results of every source.
    """

    config: RunConfig
    backend: Backend
    digest: str
    sinks: Sequence[Sink]
    stderr: Console
    stdout: TextIO
    clock: Callable[[], float]


def analyse(
    *sources: str | Path,
    config: RunConfig | None = None,
    out: str | Path | None = None,
    sinks: Sequence[Sink] = (),
    backend: Backend | None = None,
) -> list[dict[str, Any]]:
    """Analyse sources and write what is asked for, as the command line does; prints nothing.

    Args:
        sources: as the command line takes them; none: those of `config`.
        config: of the run; None for the defaults.
        out: folder for the outputs, instead of `config.output.out`; None there too writes none.
        sinks: outputs of your own, which get the results of all sources; closed at the end.
        backend: a network of your own, which stays open; None opens the one that `config` names.

    Returns:
        What summary.json holds, for each source.

    Raises:
        ConfigError: there is no source, or an output exists and may not be overwritten.
        FervidError: a source, the model or an output failed; the outputs are closed and hold what
            was analysed until then. With several sources the others are still analysed.
    """
    config = dataclasses.replace(config or RunConfig(), quiet=True)
    if sources:
        config = dataclasses.replace(config, sources=tuple(map(str, sources)), camera=())
    if out is not None:
        output = dataclasses.replace(config.output, out=Path(out))
        config = dataclasses.replace(config, output=output)
    if not config.all_sources():
        raise ConfigError("There is no source; name one, or give it to the RunConfig.", "sources")
    silent = Console(stderr=True, quiet=True)
    return run(config, stderr=silent, stdout=sys.stdout, sinks=sinks, backend=backend)


def run(
    config: RunConfig,
    *,
    stderr: Console,
    stdout: TextIO,
    clock: Callable[[], float] = time.monotonic,
    sinks: Sequence[Sink] = (),
    backend: Backend | None = None,
) -> list[dict[str, Any]]:
    """Analyse every source of a configuration, one after the other.

    Args:
        config: what to do.
        stderr: for people: the dashboard and what is said at the end.
        stdout: for data that were asked for with `-`.
        clock: seconds, for rates and the display.
        sinks: more outputs, which get the results of all sources; closed at the end.
        backend: a network that stays open; None opens the one that `config` names.

    Returns:
        What summary.json holds, for each source.

    Raises:
        FervidError: a source, the model or an output failed; outputs are closed and readable. With
            several sources the others are still analysed, and the error at the end counts.
        KeyboardInterrupt: interrupted; outputs are closed and readable.
    """
    summaries: list[dict[str, Any]] = []
    failed: list[FervidError] = []
    with ExitStack() as closed:
        for sink in sinks:
            closed.callback(sink.close)
        targets = plan(config, config.all_sources())
        opened, digest = closed.enter_context(_network(config, backend))
        session = _Session(config, opened, digest, sinks, stderr, stdout, clock)
        for target in targets:
            try:
                summaries.append(_run_source(session, target))
            except FervidError as error:
                if len(targets) == 1:
                    raise
                failed.append(error)
                say(stderr, error)
    if failed:
        others = "; the others are done" if len(failed) < len(targets) else ""
        raise FervidError(f"{len(failed)} of {len(targets)} sources failed{others}.")
    return summaries


@contextmanager
def _network(config: RunConfig, given: Backend | None) -> Iterator[tuple[Backend, str]]:
    """The network and the hash of its file, "" for one that was given, which is not closed."""
    if given is not None:
        yield given, ""
        return
    options = config.model
    with (
        model_file(options.model) as path,
        closing(open_backend(path, options.device, options.threads)) as backend,
    ):
        yield backend, _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run_source(session: _Session, target: Target) -> dict[str, Any]:
    """Analyse one source; its summary is written also when it fails half-way."""
    config, card = session.config, session.backend.card
    stats = RunStats(session.clock)
    with open_source(target.source) as source:
        header = RunHeader(
            source.info, card.name, session.digest, card.classes, config.as_dict(), __version__
        )
        shared = config.output.uses_stdout and session.stdout.isatty()
        display = open_display(
            session.stderr, quiet=config.quiet, clock=session.clock, shared=shared
        )
        try:
            with (
                open_sinks(target, header, session.stdout) as sinks,
                Pipeline(config, session.backend) as pipeline,
                Prefetch(source) as frames,
                display,
            ):
                every = [*sinks, *session.sinks]
                for result, more_ms in _results(frames, pipeline, every, config.explain.heatmap):
                    stats.observe(result, more_ms)
                    display.update(lambda: stats.snapshot(source.info))
        except BaseException:
            with suppress(SinkError):  # the first error is the one to tell
                _summarise(target, header, stats, source)
            raise
        return _summarise(target, header, stats, source)


def _summarise(
    target: Target, header: RunHeader, stats: RunStats, source: Source
) -> dict[str, Any]:
    """Return the summary, written if that is wanted and the outputs could be opened."""
    summary = summary_record(header, {**stats.summary(), "damaged": source.damaged})
    if target.summary is not None and target.summary.parent.is_dir():
        with held_interrupt():
            write_summary(target.summary, summary)
    return summary


def _results(
    frames: Prefetch, pipeline: Pipeline, sinks: Sequence[Sink], heatmap: bool
) -> Iterator[tuple[FrameResult, dict[str, float]]]:
    """Analyse and write frame after frame; each result with the ms of the stages around it."""
    pixels = any(sink.wants_pixels for sink in sinks)
    began = time.perf_counter()
    for frame, dropped in frames:
        analysed = time.perf_counter()
        result = pipeline.process(frame, dropped)
        done = time.perf_counter()
        drawn = draw(frame.bgr, result, heatmap=heatmap) if pixels else None
        painted = time.perf_counter()
        with held_interrupt():  # a frame is in all outputs or in none
            for sink in sinks:
                sink.write(frame, result, drawn)
        written = time.perf_counter()
        waited = analysed - began
        stages = {"wait": waited, "draw": painted - done, "write": written - painted}
        yield result, {name: seconds * 1000 for name, seconds in stages.items()}
        began = time.perf_counter()
