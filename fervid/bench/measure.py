"""The measurements that happen in this process: the bare network, recordings, live sources."""

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import fervid
from fervid.backends import Backend
from fervid.bench.figures import Figures, percentiles
from fervid.bench.live import Arrivals, PacedCamera, cameras, latencies_ms
from fervid.bench.material import Material
from fervid.config import OutputConfig, ReadConfig, RunConfig
from fervid.crops import normalise, prepare_thumbnail
from fervid.errors import ConfigError, FervidError
from fervid.filters import no_filter

WARM_UP_RUNS = 5
CAMERA_FPS = 30
SOURCES_FPS = 45  # of each of several sources: more than is asked of them
SUMMARY = "summary.json"


def bare(material: Material, backend: Backend, runs: int) -> Figures:
    """The network alone in a plain loop, one face at a time: what nothing around it can exceed."""
    import cv2

    card = backend.card
    head = cv2.cvtColor(material.heads[0], cv2.COLOR_BGR2GRAY)
    crop = prepare_thumbnail(np.asarray(head, np.uint8), card, no_filter, 0)
    images, eta, target = normalise(crop[None], card), np.zeros(1, np.float32), np.array([-1])
    for _ in range(WARM_UP_RUNS):
        backend.run(images, eta, target)
    marks, cpu = [time.perf_counter()], time.process_time()
    for _ in range(runs):
        backend.run(images, eta, target)
        marks.append(time.perf_counter())
    spent = marks[-1] - marks[0]
    ms = percentiles((np.diff(marks) * 1000).tolist(), "network", "ms")
    return Figures(
        {"fps": runs / spent, "cpu_s_per_frame": (time.process_time() - cpu) / runs, "faces": 1.0},
        {"network": {name.split("_")[1]: value for name, value in ms.items()}},
    )


def recording(
    clip: Path, backend: Backend, *, heatmap: bool = False, out: Path | None = None
) -> Figures:
    """A recording through a whole run, from its first result until all outputs are closed.

    Args:
        clip: the recording.
        backend: the network.
        heatmap: draw boxes, labels and heatmaps into every frame, also where nothing is written.
        out: write everything that `fervid -o` writes.

    Raises:
        ConfigError: it has too few frames.
    """
    arrivals = Arrivals(wants_pixels=heatmap)
    summary = fervid.analyse(clip, out=out, sinks=[arrivals], backend=backend)[0]
    return Figures(_rates(arrivals, time.perf_counter()), summary["stages_ms"])


def _rates(arrivals: Arrivals, end_s: float) -> dict[str, float]:
    """Rate, CPU time and faces of a run that ended now."""
    frames = len(arrivals.seen)
    if frames < 2:
        raise ConfigError("The clip has less than two frames; name a longer one.", "clip")
    cpu_s = time.process_time() - arrivals.first_cpu_s
    return {
        "fps": (frames - 1) / (end_s - arrivals.seen[0][1]),
        "cpu_s_per_frame": cpu_s / (frames - 1),
        "faces": arrivals.faces / frames,
    }


def live(material: Material, *, out: Path | None = None) -> Figures:
    """A camera of 30 frames a second: how long each frame takes until it is in the outputs.

    The annotated picture is drawn, as a window would show it; with `out` it is written too.
    """
    camera = PacedCamera(material.pictures, CAMERA_FPS, material.size.live_s)
    arrivals = Arrivals(wants_pixels=True)
    _until_unplugged([camera], material.backend, RunConfig(output=OutputConfig(out=out)), arrivals)
    ms = latencies_ms(arrivals.seen, camera.due_s)
    due = len(camera.due_s) - 1
    values = percentiles(ms, "latency", "ms") | _rates(arrivals, arrivals.seen[-1][1])
    return Figures(values | {"dropped_share": 1 - len(arrivals.seen) / due})


def together(material: Material, sources: int, *, images: bool) -> Figures:
    """Several cameras at once, each faster than is asked for; the rate of the slowest counts.

    Args:
        material: whose pictures they deliver.
        sources: how many.
        images: write the annotated videos, beside the rows.
    """
    out, arrivals = material.new_folder(), Arrivals()
    config = RunConfig(output=OutputConfig(out=out, images=images))
    made = [
        PacedCamera(material.pictures, SOURCES_FPS, material.size.live_s) for _ in range(sources)
    ]
    _until_unplugged(made, material.backend, config, arrivals)
    rates = _rates(arrivals, time.perf_counter())
    each = [json.loads(path.read_text())["fps"] for path in sorted(out.rglob(SUMMARY))]
    return Figures({**rates, "fps_slowest_source": min(each)})


def _until_unplugged(
    made: Sequence[PacedCamera], backend: Backend, config: RunConfig, arrivals: Arrivals
) -> None:
    """Run cameras until they deliver no more, which a run takes for an error.

    Raises:
        FervidError: the run failed while one of them still delivered.
    """
    config = dataclasses.replace(config, read=ReadConfig(reconnect="none"))
    with cameras(made) as names:
        try:
            fervid.analyse(*names, config=config, sinks=[arrivals], backend=backend)
        except FervidError:
            if not all(camera.ended for camera in made):
                raise
