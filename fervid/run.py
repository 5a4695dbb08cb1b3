"""A whole run: the only loop, and the only place that wires the parts together."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from rich.console import Console

from fervid import __version__
from fervid.backends import Backend, open_backend
from fervid.capture import Source, open_source
from fervid.config import RunConfig
from fervid.dashboard import open_display
from fervid.draw import draw
from fervid.errors import FervidError
from fervid.outputs import Target, open_sinks, plan, write_summary
from fervid.pipeline import Pipeline
from fervid.prefetch import Prefetch
from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader, Sink
from fervid.stats import RunStats

DEFAULT_MODEL = "fervid-int8.onnx"


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
            several sources the others are still analysed, and the first error is raised at the end.
        KeyboardInterrupt: interrupted; outputs are closed and readable.
    """
    sources = list(config.sources) if config.camera is None else [f"camera:{config.camera}"]
    targets = plan(config, sources)
    failed: list[FervidError] = []
    with _backend(config) as (backend, model, digest):
        for target in targets:
            try:
                _run_source(config, target, backend, (model, digest), stderr, stdout, clock)
            except FervidError as error:  # noqa: PERF203  the other sources go on
                failed.append(error)
                if len(targets) > 1:
                    stderr.print(f"fervid: {error}", markup=False, soft_wrap=True)
    if len(failed) > 1 or (failed and len(targets) > 1):
        raise FervidError(f"{len(failed)} of {len(targets)} sources failed; the others are done.")
    if failed:
        raise failed[0]


@contextmanager
def _backend(config: RunConfig) -> Iterator[tuple[Backend, str, str]]:
    """The network, its name, and the hash of its file."""
    if config.model.model is not None:
        path = config.model.model
        with closing(open_backend(path, config.model.device, config.model.threads)) as backend:
            yield backend, backend.card.name, _sha256(path)
        return
    with as_file(files("fervid") / "models" / DEFAULT_MODEL) as path:
        with closing(open_backend(path, config.model.device, config.model.threads)) as backend:
            yield backend, backend.card.name, _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run_source(
    config: RunConfig,
    target: Target,
    backend: Backend,
    model: tuple[str, str],
    stderr: Console,
    stdout: TextIO,
    clock: Callable[[], float],
) -> None:
    stats = RunStats(clock)
    with open_source(target.source) as source:
        header = RunHeader(
            source.info, *model, backend.card.classes, config.as_dict(), __version__
        )
        shared = config.output.uses_stdout and stdout.isatty()
        display = open_display(stderr, quiet=config.quiet, clock=clock, shared=shared)
        try:
            with (
                open_sinks(target, header, stdout) as sinks,
                Pipeline(config, backend) as pipeline,
                Prefetch(source) as frames,
                display,
            ):
                _loop(frames, pipeline, sinks, stats, display, source, config)
        finally:
            if target.summary is not None and target.summary.parent.is_dir():
                figures = {**stats.summary(), "damaged": source.damaged}
                write_summary(target.summary, header, figures)


def _loop(
    frames: Prefetch,
    pipeline: Pipeline,
    sinks: list[Sink],
    stats: RunStats,
    display: Any,
    source: Source,
    config: RunConfig,
) -> None:
    pixels = any(sink.wants_pixels for sink in sinks)
    began = time.perf_counter()
    for frame, dropped in frames:
        waited_ms = (time.perf_counter() - began) * 1000
        result = pipeline.process(frame, dropped)
        more_ms = _write(frame, result, sinks, config.explain.heatmap, pixels=pixels)
        stats.observe(result, {"wait": waited_ms, **more_ms})
        display.update(lambda: stats.snapshot(source.info))
        began = time.perf_counter()


def _write(
    frame: Frame, result: FrameResult, sinks: list[Sink], heatmap: bool, *, pixels: bool
) -> dict[str, float]:
    """Draw if anybody wants pixels, give the result to every sink; ms of both."""
    start = time.perf_counter()
    drawn: np.ndarray[Any, np.dtype[np.uint8]] | None = None
    if pixels:
        drawn = draw(frame.bgr, result, heatmap=heatmap)
    middle = time.perf_counter()
    for sink in sinks:
        sink.write(frame, result, drawn)
    return {"draw": (middle - start) * 1000, "write": (time.perf_counter() - middle) * 1000}
