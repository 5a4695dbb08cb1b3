"""AlertSink: looks at the results of one source for what the rules are about."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.config.rules import Rule
from fervid.link import LinkEvent
from fervid.records import Frame, FrameResult
from fervid.watch.alarms import Alarm, Alert
from fervid.watch.events import Moments


class AlertSink:
    """Looks at the results of one source for what rules are about.

    Args:
        rules: with the classes' names as the model has them.
        moments: of the source.
        tell: takes an alert that begins or ends.
    """

    wants_pixels = False

    def __init__(
        self, rules: Sequence[Rule], moments: Moments, tell: Callable[[Moments, Alert], Any]
    ) -> None:
        self._alarms = [Alarm(rule) for rule in rules]
        self._moments, self._tell = moments, tell

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Look at a frame.

        Raises:
            SinkError: an event cannot be written.
        """
        self._moments.take(result)
        for alarm in self._alarms:
            for alert in alarm.update(result):
                self._tell(self._moments, alert)

    def note(self, event: LinkEvent) -> None:
        """End what nobody sees any more."""
        if event.kind == "offline":
            self._stop(event.time_s, "offline")

    def close(self) -> None:
        """End what has not ended; closing twice is harmless."""
        self._stop(self._moments.last_s, "ended")

    def _stop(self, time_s: float, why: str) -> None:
        for alarm in self._alarms:
            for alert in alarm.stop(time_s, why):
                self._tell(self._moments, alert)


def in_words(source: str, alert: Alert) -> str:
    """What is said of an alert to people."""
    where = source if alert.track is None else f"{source}, face {alert.track}"
    if alert.state == "begin":
        return f"alert: {where}: {alert.rule.text} ({alert.value:.2f} at {alert.time_s:.1f} s)."
    return f"alert over: {where}: {alert.rule.text} (since {alert.since_s:.1f} s)."
