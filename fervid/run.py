"""A whole run: the only loop, and the only place that wires the parts together."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from threading import Condition
from typing import TextIO

from rich.console import Console

from fervid import __version__
from fervid.backends import Backend, open_backend
from fervid.capture import Source, open_source
from fervid.config import RunConfig
from fervid.console import say
from fervid.controls import Controls
from fervid.dashboard import open_display
from fervid.draw import draw
from fervid.errors import DisplayError, FervidError, SinkError
from fervid.interrupt import held_interrupt
from fervid.outputs import Target, open_sinks, plan, write_summary
from fervid.pipeline import Pipeline
from fervid.prefetch import Prefetch
from fervid.records import FrameResult
from fervid.sinks import RunHeader, Sink
from fervid.stats import RunStats
from fervid.viewer import Viewer, snapshots_for, window_for

DEFAULT_MODEL = "fervid-int8.onnx"
WAIT_S = 0.5  # in which a window's messages may be late while it is paused


@dataclass(frozen=True, slots=True)
class _Session:
    """What all sources of a run share; `digest` is the hash of the model's file."""

    config: RunConfig
    backend: Backend
    digest: str
    stderr: Console
    stdout: TextIO
    clock: Callable[[], float]


def run(
    config: RunConfig,
    *,
    stderr: Console,
    stdout: TextIO,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Analyse every source of a configuration, one after the other.

    Args:
        config: what to do.
        stderr: for people: the dashboard and what is said at the end.
        stdout: for data that were asked for with `-`.
        clock: seconds, for rates and the display.

    Raises:
        FervidError: a source, the model or an output failed; outputs are closed and readable. With
            several sources the others are still analysed, and the error at the end counts.
        KeyboardInterrupt: interrupted; outputs are closed and readable.
    """
    sources = config.all_sources()
    targets = plan(config, sources)
    failed: list[FervidError] = []
    with _model_file(config) as path:
        options = config.model
        with closing(open_backend(path, options.device, options.threads)) as backend:
            session = _Session(config, backend, _sha256(path), stderr, stdout, clock)
            for done, target in enumerate(targets, 1):
                try:
                    if _run_source(session, target):
                        if done < len(targets):
                            say(stderr, f"Quit in the window; {len(targets) - done} left out.")
                        break
                except DisplayError:  # the same for every source
                    raise
                except FervidError as error:
                    if len(targets) == 1:
                        raise
                    failed.append(error)
                    say(stderr, error)
    if failed:
        others = "; the others are done" if len(failed) < len(targets) else ""
        raise FervidError(f"{len(failed)} of {len(targets)} sources failed{others}.")


@contextmanager
def _model_file(config: RunConfig) -> Iterator[Path]:
    """The model's file: the one that was named, or the one that comes with fervid."""
    if config.model.model is not None:
        yield config.model.model
    else:
        with as_file(files("fervid") / "models" / DEFAULT_MODEL) as path:
            yield path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run_source(session: _Session, target: Target) -> bool:
    """Analyse one source; its summary is written also when it fails half-way.

    Returns:
        Whether the viewer has ended the run.
    """
    config, card = session.config, session.backend.card
    stats = RunStats(session.clock)
    news = Condition()
    with (
        open_source(target.source) as source,
        _open_viewer(session, target, source, news) as viewer,
    ):
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
                for result, more_ms in _results(frames, pipeline, sinks, viewer, news):
                    stats.observe(result, more_ms)
                    display.update(lambda: stats.snapshot(source.info))
        except BaseException:
            with suppress(SinkError):  # the first error is the one to tell
                _summarise(target, header, stats, source)
            raise
        _summarise(target, header, stats, source)
        return viewer.quit


def _open_viewer(session: _Session, target: Target, source: Source, news: Condition) -> Viewer:
    """The viewer of one source, with a window if it gets one."""
    config, info = session.config, source.info
    folder = target.summary.parent if target.summary else None
    return Viewer(
        window_for(config, info, news),
        Controls.of(config),
        snapshots_for(config, info, folder),
        partial(say, session.stderr),
        quiet=config.quiet,
        clock=session.clock,
    )


def _summarise(target: Target, header: RunHeader, stats: RunStats, source: Source) -> None:
    """Write the summary, if one is wanted and the outputs could be opened."""
    if target.summary is not None and target.summary.parent.is_dir():
        with held_interrupt():
            write_summary(target.summary, header, {**stats.summary(), "damaged": source.damaged})


def _results(
    frames: Prefetch, pipeline: Pipeline, sinks: Sequence[Sink], viewer: Viewer, news: Condition
) -> Iterator[tuple[FrameResult, dict[str, float]]]:
    """Analyse and write frame after frame; each result with the ms of the stages around it."""
    pixels = viewer.wants_pixels or any(sink.wants_pixels for sink in sinks)
    began = time.perf_counter()
    for frame, dropped in frames:
        analysed = time.perf_counter()
        result = pipeline.process(frame, dropped, viewer.view)
        done = time.perf_counter()
        drawn = draw(frame.bgr, result, heatmap=viewer.heatmap) if pixels else None
        painted = time.perf_counter()
        with held_interrupt():  # a frame is in all outputs or in none
            for sink in sinks:
                sink.write(frame, result, drawn)
        written = time.perf_counter()
        if drawn is not None:
            viewer.show(frame, result, drawn)
        shown = time.perf_counter()
        waited = analysed - began
        stages = {"wait": waited, "draw": painted - done, "write": written - painted}
        stages |= {"show": shown - written} if viewer.wants_pixels else {}
        yield result, {name: seconds * 1000 for name, seconds in stages.items()}
        while viewer.paused and not viewer.quit:
            with news:
                news.wait_for(lambda: viewer.pending, WAIT_S)
            viewer.react(pipeline.again)
        if viewer.quit:
            return
        began = time.perf_counter()
