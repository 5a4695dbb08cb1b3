"""Hub: what all sources of a run share that is told to others while it goes on."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from fervid.config import WatchConfig
from fervid.config.rules import fitted
from fervid.config.watching import metrics_address
from fervid.errors import LibraryMissing
from fervid.sinks import RunHeader, Sink
from fervid.sinks.text import TextOutput
from fervid.watch.alarms import Alert
from fervid.watch.alerts import AlertSink, in_words
from fervid.watch.courier import Courier
from fervid.watch.events import EventsSink, Moments, alert_record, line, never_began
from fervid.watch.execute import Execute
from fervid.watch.post import Post

if TYPE_CHECKING:
    from fervid.watch.metrics import Metrics

DRAIN_S = 10.0  # that a run waits at its end until its alerts are delivered
HURRY_S = 0.5  # that a delivery may still take once the run shall end, and again to end it


class Watch:
    """Opens what a configuration asks for; `close` ends it.

    Args:
        config: what is asked for.
        classes: of the model.
        environment: of the command that alerts start.
        say: prints a line for people.
        output: takes events; None where nobody wants them.

    Raises:
        ConfigError: a rule is about a class that the model does not have, or there is no such
            command.
        SinkError: the port is taken.
        LibraryMissing: prometheus-client is not installed.
    """

    def __init__(
        self,
        config: WatchConfig,
        classes: Sequence[str],
        environment: Mapping[str, str],
        say: Callable[[str], object],
        output: Callable[[], TextOutput] | None = None,
    ) -> None:
        self._say = say
        self._rules = fitted(config.rules(), classes)
        ways: list[Post | Execute] = []
        if config.alert_url is not None:
            ways.append(Post(config.alert_url))
        if config.alert_exec is not None:
            ways.append(Execute(config.command(), environment))
        self._events: dict[str, EventsSink] = {}
        self._ended: set[str] = set()
        self._metrics: Metrics | None = None
        with ExitStack() as opened:
            self._couriers = [Courier(way) for way in ways]
            for courier in self._couriers:
                opened.callback(courier.close, HURRY_S)
            if config.metrics_port is not None:
                self._metrics = self._serve(*metrics_address(config.metrics_port), opened)
            self._output = output() if output is not None else None
            self._opened = opened.pop_all()

    def sinks(self, source: str, header: RunHeader, damaged: Callable[[], int]) -> list[Sink]:
        """The sinks of a source, in their order.

        Args:
            source: as the run names it.
            header: of the run over it.
            damaged: how many of its frames could not be decoded so far.

        Raises:
            SinkError: an event cannot be written.
        """
        found: list[Sink] = []
        if self._output is not None:
            self._events[source] = EventsSink(None, header, shared=self._output)
            found.append(self._events[source])
        moments = Moments(header)
        if self._rules:
            found.append(AlertSink(self._rules, moments, self._tell))
        if self._metrics is not None:
            from fervid.watch.metrics import MetricsSink

            found.append(MetricsSink(self._metrics, moments.source, damaged))
        return found

    def end(self, source: str, label: str, frames: int, error: str | None) -> None:
        """Tell that a source has ended, or could not even be opened; of several times the first.

        Args:
            source: as the run names it.
            label: the same without credentials.
            frames: that were analysed.
            error: why that was not all of it.

        Raises:
            SinkError: the event cannot be written.
        """
        if self._output is None or source in self._ended:
            return
        self._ended.add(source)
        sink = self._events.pop(source, None)
        if sink is not None:
            self._output.write(line(sink.ended(frames, error)))
        elif error is not None:
            self._output.write(line(never_began(label, error)))

    def drain(self) -> None:
        """Wait until alerts are delivered, DRAIN_S at most."""
        end_s = time.monotonic() + DRAIN_S
        for courier in self._couriers:
            courier.drain(end_s - time.monotonic())

    def close(self) -> None:
        """End deliveries and the server; closing twice is harmless."""
        self._opened.close()

    def _tell(self, moments: Moments, alert: Alert) -> None:
        """Take an alert to everybody.

        Raises:
            SinkError: the event cannot be written.
        """
        record = alert_record(moments, alert)
        if self._output is not None:
            self._output.write(line(record))
        self._say(in_words(moments.source, alert))
        for courier in self._couriers:
            courier.put(record)
        if self._metrics is not None and alert.state == "begin":
            self._metrics.alert(moments.source, alert.rule.text)

    def _serve(self, host: str, port: int, opened: ExitStack) -> "Metrics":
        try:
            from fervid.watch.metrics import Metrics
            from fervid.watch.metrics_server import MetricsServer
        except ModuleNotFoundError as error:
            raise LibraryMissing(
                "--metrics-port needs prometheus-client; pip install 'fervid[metrics]'.", "metrics"
            ) from error
        metrics = Metrics(self._couriers)
        server = MetricsServer(host, port, metrics.registry)
        opened.callback(server.close)
        self._say(f"metrics are at {server.url}.")
        return metrics

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
