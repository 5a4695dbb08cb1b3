"""Alarms: when a rule has held long enough, and when it holds no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fervid.config.rules import Rule
from fervid.records import FrameResult

GAP_S = 0.5  # for which a face may be missed while its rule goes on holding
END_S = 1.0  # for which a rule has not to hold before its alert ends: no storm at the threshold
EPSILON_S = 1e-6  # that times may be off by rounding
Key = int | None  # a face's track; None: the picture


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert begins or ends.

    Attributes:
        state: which of these.
        rule: that holds, or held.
        time_s: when that was certain, in the source's seconds.
        track: of the face; None for rules about the picture.
        value: that the rule compares: of this moment, or the last one at which it held.
        since_s: when the rule began to hold.
        until_s: when it held last.
        why: an alert ends: "over", "gone" (no face), "offline" or "ended" (no source).
    """

    state: Literal["begin", "end"]
    rule: Rule
    time_s: float
    track: Key
    value: float
    since_s: float
    until_s: float
    why: str = ""


@dataclass(slots=True)
class _Held:
    """A rule that holds, or whose alert has not ended."""

    since_s: float
    until_s: float
    value: float
    frame: int
    seen: int
    begun: bool = False


class Alarm:
    """Follows one rule over one source.

    Args:
        rule: with its class's name as the model has it.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._held: dict[Key, _Held] = {}
        self._frame = 0

    def update(self, result: FrameResult) -> list[Alert]:
        """The alerts that begin or end with a frame."""
        self._frame += 1
        values = values_of(self._rule, result)
        for key, value in values.items():
            if self._rule.holds(value):
                self._hold(key, value, result.time_s)
            elif held := self._held.get(key):
                held.seen = self._frame
        return [*self._ended(result.time_s), *self._begun(result.time_s)]

    def stop(self, time_s: float, why: str) -> list[Alert]:
        """End all alerts, since nobody sees any more whether the rule holds."""
        held, self._held = self._held, {}
        return [self._end(key, entry, time_s, why) for key, entry in held.items() if entry.begun]

    def _hold(self, key: Key, value: float, now_s: float) -> None:
        """Note that the rule holds."""
        held = self._held.get(key)
        if held is None or not (held.begun or self._unbroken(held, now_s)):
            held = self._held[key] = _Held(now_s, now_s, value, self._frame, self._frame)
        held.until_s, held.value, held.frame, held.seen = now_s, value, self._frame, self._frame

    def _unbroken(self, held: _Held, now_s: float) -> bool:
        """Whether a rule that holds now has held since it did before, as far as anybody knows."""
        if held.seen > held.frame:  # it was seen not to hold
            return False
        return held.frame >= self._frame - 1 or now_s - held.until_s <= GAP_S + EPSILON_S

    def _begun(self, now_s: float) -> list[Alert]:
        found = []
        for key, held in self._held.items():
            long_enough = held.until_s - held.since_s >= self._rule.for_s - EPSILON_S
            if not held.begun and held.frame == self._frame and long_enough:
                held.begun = True
                times = held.since_s, held.until_s
                found.append(Alert("begin", self._rule, now_s, key, held.value, *times))
        return found

    def _ended(self, now_s: float) -> list[Alert]:
        """End what does not hold any more, and forget what never became an alert."""
        found = []
        for key, held in list(self._held.items()):
            if held.frame == self._frame:
                continue
            over_s = END_S - EPSILON_S if held.begun else GAP_S + EPSILON_S
            if now_s - held.until_s >= over_s:
                del self._held[key]
                if held.begun:
                    why = "over" if held.seen == self._frame else "gone"
                    found.append(self._end(key, held, now_s, why))
        return found

    def _end(self, key: Key, held: _Held, now_s: float, why: str) -> Alert:
        times = held.since_s, held.until_s
        return Alert("end", self._rule, now_s, key, held.value, *times, why)


def values_of(rule: Rule, result: FrameResult) -> Mapping[Key, float]:
    """What a rule compares in a frame: a value a face, or one of the picture.

    Nothing where nobody knows: of faces that are not followed, and `uncertain` without a face.
    """
    n = len(result.faces)
    if rule.what == "faces":
        return {None: float(n)}
    if rule.what == "noise":
        return {None: float(result.noise.severity)}
    if rule.what == "uncertain":
        return {None: float(result.uncertain.mean())} if n else {}
    k = result.classes.index(rule.what)
    tracks = result.faces.track_ids.tolist()
    return {t: float(result.smoothed[i, k]) for i, t in enumerate(tracks) if t >= 0}
