"""Metrics of a run for Prometheus, which fetches them by HTTP; they have a registry of their own.

Every name begins with `fervid_`, and the label `source` is what rows call the source.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from fervid.link import LinkEvent
from fervid.records import Frame, FrameResult
from fervid.watch.courier import Courier

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10)
MOST_ENDED = 100  # sources that have ended and are still shown, so that an archive costs no memory
SOURCE = ("source",)


class Metrics:
    """The numbers of all sources; safe between threads.

    Args:
        couriers: whose deliveries are counted.
    """

    def __init__(self, couriers: Sequence[Courier] = ()) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry, "labelnames": SOURCE}
        self.frames = Counter("fervid_frames", "Frames that were analysed.", **own)
        self.dropped = Counter(
            "fervid_dropped_frames",
            "Frames that were not analysed: late, or (estimated) never sent as it was offline.",
            ("source", "cause"),
            registry=self.registry,
        )
        self.damaged = Counter("fervid_damaged_frames", "Frames that cannot be decoded.", **own)
        self.faces_total = Counter("fervid_faces", "Faces over all frames.", **own)
        self.faces = Gauge("fervid_faces_now", "Faces in the newest frame.", **own)
        self.noise = Gauge("fervid_noise", "Severity of the noise, 0-1.", **own)
        self.latency = Histogram(
            "fervid_latency_seconds",
            "From when a frame was read to when all its outputs were written.",
            buckets=BUCKETS_S,
            **own,
        )
        self.reconnects = Counter("fervid_reconnects", "Times that it was lost and is back.", **own)
        self.online = Gauge("fervid_online", "Whether the source is there: 1 or 0.", **own)
        self.alerts = Counter(
            "fervid_alerts", "Alerts that began.", ("source", "rule"), registry=self.registry
        )
        self.registry.register(_Deliveries(couriers))
        ProcessCollector(registry=self.registry)
        self._rules: dict[str, set[str]] = {}
        self._ended: deque[str] = deque()
        self._lock = threading.Lock()

    def begin(self, source: str) -> None:
        """Show a source, with zeros."""
        for metric in (self.frames, self.damaged, self.faces_total, self.reconnects, self.latency):
            metric.labels(source)
        for cause in ("late", "offline"):
            self.dropped.labels(source, cause)
        self.online.labels(source).set(1)

    def alert(self, source: str, rule: str) -> None:
        """Count an alert that begins."""
        self.alerts.labels(source, rule).inc()
        self._rules.setdefault(source, set()).add(rule)

    def end(self, source: str) -> None:
        """Note that a source is there no more; of many that have ended the first is forgotten."""
        self.online.labels(source).set(0)
        with self._lock:
            self._ended.append(source)
            if len(self._ended) > MOST_ENDED:
                self._forget(self._ended.popleft())

    def _forget(self, source: str) -> None:
        every: Iterable[Any] = (
            *(self.frames, self.damaged, self.faces_total, self.faces, self.noise),
            *(self.latency, self.reconnects, self.online),
        )
        for metric in every:
            metric.remove(source)
        for cause in ("late", "offline"):
            self.dropped.remove(source, cause)
        for rule in self._rules.pop(source, ()):
            self.alerts.remove(source, rule)


class MetricsSink:
    """Counts what one source does; the last of its sinks, so that the others have written.

    Args:
        metrics: of all.
        source: what rows call it.
        damaged: how many of its frames could not be decoded so far.
        clock: seconds, as `Frame.read_s` has them.
    """

    wants_pixels = False

    def __init__(
        self,
        metrics: Metrics,
        source: str,
        damaged: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics, self._source, self._clock = metrics, source, clock
        self._damaged, self._damaged_before = damaged, 0
        self._closed = False
        metrics.begin(source)

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Count a frame."""
        metrics, name, n = self._metrics, self._source, len(result.faces)
        metrics.frames.labels(name).inc()
        metrics.dropped.labels(name, "late").inc(result.dropped)
        metrics.faces_total.labels(name).inc(n)
        metrics.faces.labels(name).set(n)
        metrics.noise.labels(name).set(result.noise.severity)
        if np.isfinite(frame.read_s):
            metrics.latency.labels(name).observe(self._clock() - frame.read_s)
        self._count_damaged()

    def note(self, event: LinkEvent) -> None:
        """Count what became of the source's connection."""
        metrics, name = self._metrics, self._source
        metrics.online.labels(name).set(event.kind == "online")
        metrics.reconnects.labels(name).inc(event.kind == "online")
        metrics.dropped.labels(name, "offline").inc(event.missed)
        if event.kind == "offline":
            metrics.faces.labels(name).set(0)

    def close(self) -> None:
        """Count what came last; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._count_damaged()
            self._metrics.faces.labels(self._source).set(0)
            self._metrics.end(self._source)

    def _count_damaged(self) -> None:
        """Count further; a source that is opened again may begin to count anew for a moment."""
        now = max(self._damaged(), self._damaged_before)
        self._metrics.damaged.labels(self._source).inc(now - self._damaged_before)
        self._damaged_before = now


class _Deliveries(Collector):
    """What became of the alerts that were handed to couriers."""

    def __init__(self, couriers: Sequence[Courier]) -> None:
        self._couriers = couriers

    def collect(self) -> Iterable[CounterMetricFamily]:
        """The counts of this moment."""
        family = CounterMetricFamily(
            "fervid_alert_deliveries", "Alerts by what became of them.", labels=("to", "outcome")
        )
        for courier in self._couriers:
            for outcome in ("delivered", "failed", "lost"):
                family.add_metric((courier.name, outcome), getattr(courier, outcome))
        yield family
