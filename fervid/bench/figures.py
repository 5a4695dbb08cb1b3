"""What a case measures, and what many rounds of it say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fervid.errors import ConfigError

LIMIT = "limit"  # the case that the others are divided by
SHARE = "share_of_limit"
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement of a case.

    Attributes:
        values: by name; the unit is in the name (`_ms`, `_s`, `_mb` of 10^6 bytes, `fps`).
        stages_ms: stage -> {"p50": ms, "p95": ms, "p99": ms}.
    """

    values: Mapping[str, float]
    stages_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def percentiles(values: Sequence[float], name: str, unit: str) -> dict[str, float]:
    """`name`_p50_`unit`, _p95_ and _p99_ of at least one value.

    Raises:
        ConfigError: there is no value: the clip gave too few frames.
    """
    if not len(values):
        raise ConfigError(
            f"There is nothing to take {name} from; give a longer clip or more --frames.", "frames"
        )
    shares = (50, 95, 99)
    found = np.percentile(np.asarray(values, np.float64), shares)
    return {f"{name}_p{share}_{unit}": float(v) for share, v in zip(shares, found, strict=True)}


def shares(rounds: Sequence[Mapping[str, Figures]]) -> list[dict[str, Figures]]:
    """The rounds with each case's rate as a share of the bare network's in the same round.

    Args:
        rounds: by case. A round without LIMIT, and a case without a rate, stay as they are.
    """
    out = []
    for made in rounds:
        limit = made[LIMIT].values["fps"] if LIMIT in made else 0.0
        out.append({name: _with_share(name, one, limit) for name, one in made.items()})
    return out


def _with_share(name: str, one: Figures, limit: float) -> Figures:
    if name == LIMIT or limit <= 0 or "fps" not in one.values:
        return one
    return Figures({**one.values, SHARE: one.values["fps"] / limit}, one.stages_ms)


def median(measured: Sequence[Figures]) -> Figures:
    """The median of each figure over the rounds that have it."""
    stages = {stage: None for one in measured for stage in one.stages_ms}
    return Figures(
        _median([one.values for one in measured]),
        {
            stage: _median([one.stages_ms[stage] for one in measured if stage in one.stages_ms])
            for stage in stages
        },
    )


def _median(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = {name: None for row in rows for name in row}
    return {name: float(np.median([row[name] for row in rows if name in row])) for name in names}


def record(what: str, measured: Sequence[Figures]) -> dict[str, Any]:
    """A case for the JSON file: what it is, its medians, and each round's values."""
    middle = median(measured)
    return {
        "what": what,
        **_rounded(middle.values),
        "stages_ms": {stage: _rounded(row) for stage, row in middle.stages_ms.items()},
        "rounds": [_rounded(one.values) for one in measured],
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, DIGITS) for name, value in values.items()}
