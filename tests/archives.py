"""Results folders as a run leaves them, without a network."""

import io

from rich.console import Console

from fervid.config import OutputConfig, RunConfig
from fervid.outputs import plan, summary_record
from fervid.stats import RunStats
from fervid.writing import RunOutputs
from tests.results import CLASSES, face, header, put, result


def results(frames, classes=CLASSES):
    return [
        result(n, face(track=0), face("angry", 1, unsure=True), classes=classes)
        for n in range(frames)
    ]


def write_run(
    out, clips, *, failing=(), console=None, classes=CLASSES, quiet=False, end=None, **options
):
    """Write a run over several clips: {source: number of frames}; `failing` ones have none.

    `end` is raised when all are written.
    """
    options = {"images": False, "overwrite": True, **options}
    config = RunConfig(tuple(clips), quiet=quiet, output=OutputConfig(out=out, **options))
    targets = plan(config, config.sources)
    console = console or Console(file=io.StringIO())
    with RunOutputs(config, targets, console, io.StringIO()) as outputs:
        for target in targets:
            if target.source in failing:
                outputs.fail(target, f"{target.source} is broken")
            else:
                _write_clip(outputs, target, clips[target.source], classes)
        if end is not None:
            raise end
    return out


def _write_clip(outputs, target, frames, classes):
    head = header(target.source, classes=classes)
    stats = RunStats(iter(range(10**6)).__next__, lambda: 1.0)
    with outputs.sinks(target, head) as sinks:
        for item in results(frames, classes):
            stats.observe(item)
            for sink in sinks:
                put(sink, item)
    outputs.add(target, summary_record(head, {**stats.summary(), "damaged": 0, "error": None}))
