"""The section that cuts outputs into segments, and says how long those are kept."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter, Token

from fervid.config.section import Section
from fervid.errors import ConfigError

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
UNITS_B = {
    "B": 1,
    **{f"{letter}B": 1000**n for n, letter in enumerate("KMGT", 1)},
    **{f"{letter}IB": 1024**n for n, letter in enumerate("KMGT", 1)},
}
SHORTEST_S = 1.0


def duration(value: Any, option: str) -> float:
    """Return a length of time in seconds.

    A bare number is refused: whoever means seven days must not get seven seconds.

    Args:
        value: text: "90s", "10m", "1h30m", "7d" or "2w".
        option: what the value is for, for the message.

    Raises:
        ConfigError: it is none of these, or no time at all.
    """
    text = str(value).strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    total = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != text or not 0 < total < math.inf:
        raise ConfigError(
            f"--{option} must be a length of time with its unit, like 90s, 10m, 1h30m or 7d, not "
            f"{value!r}.",
            option,
        )
    return total


def disk_size(value: Any, option: str) -> int:
    """Return a size in bytes.

    Args:
        value: text: "500MB", "20GB" or "1.5TiB".
        option: what the value is for, for the message.

    Raises:
        ConfigError: it is none of these, or nothing at all.
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?B)", str(value).strip().upper())
    factor = UNITS_B.get(parts[2]) if parts else None
    if parts is None or factor is None or not 1 <= float(parts[1]) * factor < math.inf:
        raise ConfigError(
            f"--{option} must be a size with its unit, like 500MB, 20GB or 1.5TB, not {value!r}.",
            option.replace("-", "_"),
        )
    return int(float(parts[1]) * factor)


def _checked(check: Callable[[Any, str], object], option: str) -> Callable[..., str]:
    """The command line's converter of an option: its text, once that is known to say something."""

    def convert(_: type, tokens: Sequence[Token]) -> str:
        check(tokens[0].value, option)
        return tokens[0].value

    return convert


def _text(check: Callable[[Any, str], object], option: str, metavar: str) -> Parameter:
    return Parameter(converter=_checked(check, option), n_tokens=1, metavar=metavar)


def duration_option(option: str) -> Parameter:
    """How the command line takes a length of time."""
    return _text(duration, option, "TIME")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentConfig(Section):
    """How outputs are cut into segments, and how long those are kept.

    Attributes:
        segment: Begin new files in --out so often, like 10m.
        keep: Remove segments that ended longer ago, like 7d.
        max_disk: Remove the oldest beyond this size, like 20GB.
    """

    segment: Annotated[str | None, duration_option("segment")] = None
    keep: Annotated[str | None, duration_option("keep")] = None
    max_disk: Annotated[str | None, _text(disk_size, "max-disk", "SIZE")] = None

    def __post_init__(self) -> None:
        Section.__post_init__(self)  # a slotted dataclass has no zero-argument super()
        for key in ("keep", "max_disk"):
            if getattr(self, key) is not None and self.segment is None:
                option = key.replace("_", "-")
                raise ConfigError(
                    f"--{option} removes segments, and there are none; add --segment 10m.", key
                )
        if self.segment is not None and self.segment_s < SHORTEST_S:
            raise ConfigError(
                f"--segment must be at least {SHORTEST_S:g}s, not {self.segment}.", "segment"
            )
        if self.max_disk is not None:
            disk_size(self.max_disk, "max-disk")
        if self.keep_s is not None and self.keep_s < self.segment_s:
            raise ConfigError(
                f"--keep {self.keep} is shorter than a segment of {self.segment}; make it longer.",
                "keep",
            )

    @property
    def segment_s(self) -> float:
        """The length of a segment in seconds; infinite where nothing is cut."""
        return math.inf if self.segment is None else duration(self.segment, "segment")

    @property
    def keep_s(self) -> float | None:
        """How long a segment is kept, in seconds; None for ever."""
        return None if self.keep is None else duration(self.keep, "keep")

    @property
    def max_bytes(self) -> int | None:
        """The most that segments may take, in bytes; None for any size."""
        return None if self.max_disk is None else disk_size(self.max_disk, "max-disk")
