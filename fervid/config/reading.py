"""The sections that say how sources are read and whether they are shown in a window."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from fervid.config.options import AutoSwitch, Switch
from fervid.config.section import Section, within
from fervid.errors import ConfigError

RtspTransport = Literal["tcp", "udp"]
Roi = tuple[int, int, int, int]
STDIN = "-"  # the source that is standard input
FOREVER, NONE = "forever", "none"  # of --reconnect


def seconds(value: Any, option: str) -> float:
    """Return a time in seconds.

    Args:
        value: a number, or text: "62.5", "1:02.5" or "0:01:02.5".
        option: what the value is for, for the message.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    parts = re.fullmatch(r"(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d*)?|\.\d+)", str(value).strip())
    if parts is None or (parts[2] is not None and float(parts[3]) >= 60):
        raise ConfigError(
            f"--{option} must be a time in seconds or h:mm:ss, like 62.5 or 0:01:02.5, not "
            f"{value!r}.",
            option,
        )
    return int(parts[1] or 0) * 3600 + int(parts[2] or 0) * 60 + float(parts[3])


def region(value: Any) -> Roi:
    """Return a part of a picture: x, y of its upper left corner, its width and height, in pixels.

    Args:
        value: text like "40,0,320,240", or four whole numbers.

    Raises:
        ConfigError: it is neither, lies left of or above the picture, or has no area.
    """
    parts = value.split(",") if isinstance(value, str) else value
    try:
        x, y, width, height = map(int, map(str, parts))
    except (TypeError, ValueError):
        raise ConfigError(
            "--roi must be four whole numbers x,y,w,h in pixels, like 40,0,320,240, not "
            f"{value!r}.",
            "roi",
        ) from None
    if x < 0 or y < 0 or width < 1 or height < 1:
        raise ConfigError(
            f"--roi must start at 0,0 or later and have an area, not {x},{y},{width},{height}.",
            "roi",
        )
    return x, y, width, height


def reconnection(value: Any) -> str:
    """Return how often a lost live source is opened again: "forever", a number, or "none".

    Args:
        value: one of these; 0 is none.

    Raises:
        ConfigError: it is something else.
    """
    text = str(value).strip().lower()
    if text in (FOREVER, NONE):
        return text
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", text):
        raise ConfigError(
            f"--reconnect must be {FOREVER}, {NONE} or a number of attempts, not {value!r}.",
            "reconnect",
        )
    return str(int(text)) if int(text) else NONE


def _reconnect(_: type, tokens: Sequence[Token]) -> str:
    return reconnection(tokens[0].value)


def _start(_: type, tokens: Sequence[Token]) -> float:
    return seconds(tokens[0].value, "start")


def _end(_: type, tokens: Sequence[Token]) -> float:
    return seconds(tokens[0].value, "end")


def _roi(_: type, tokens: Sequence[Token]) -> Roi:
    return region(tokens[0].value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConfig(Section):
    """How sources are read.

    Attributes:
        every: Analyse one frame of so many.
        start: First moment of a recording to analyse, in seconds or h:mm:ss.
        end: Moment to leave a recording at, in seconds or h:mm:ss.
        fps: Rate of a sequence of images, in frames per second.
        roi: Part that is analysed, in pixels; boxes count from its corner.
        mirror: Flip the picture left to right, after --roi.
        rtsp_transport: The faster udp loses pictures.
        open_timeout_s: Seconds that a stream may take to answer.
        read_timeout_s: Seconds that a stream may be silent.
        reconnect: Times to reopen a lost live source in a row.
        reconnect_max_s: Most seconds between two of these attempts.
        frozen_s: Seconds a live picture may stay the same; 0: any.
        credentials: File with users and passwords of streams, as netrc has it: lines like `machine
            HOST login USER password PASSWORD`.
        tls_verify: Refuse https and rtsps servers that cannot prove who they are.
    """

    every: int = within(1, 1)
    start: Annotated[float | None, Parameter(converter=_start, n_tokens=1, metavar="TIME")] = (
        within(None, 0)
    )
    end: Annotated[float | None, Parameter(converter=_end, n_tokens=1, metavar="TIME")] = within(
        None, 0
    )
    fps: float = within(25.0, 0.001, 1000)
    roi: Annotated[Roi | None, Parameter(converter=_roi, n_tokens=1, metavar="X,Y,W,H")] = None
    mirror: bool = False
    rtsp_transport: RtspTransport = "tcp"
    open_timeout_s: float = within(10.0, 0.1)
    read_timeout_s: float = within(5.0, 0.1)
    reconnect: Annotated[
        str, Parameter(converter=_reconnect, n_tokens=1, metavar="forever|N|none")
    ] = FOREVER
    reconnect_max_s: float = within(3.0, 0.1)
    frozen_s: float = within(10.0, 0)
    credentials: Path | None = None
    tls_verify: Switch = True

    def __post_init__(self) -> None:
        for name in ("start", "end"):  # text is taken too, as a configuration file has it
            if getattr(self, name) is not None:
                object.__setattr__(self, name, seconds(getattr(self, name), name))
        object.__setattr__(self, "reconnect", reconnection(self.reconnect))
        if self.roi is not None:
            object.__setattr__(self, "roi", region(self.roi))
        Section.__post_init__(self)  # a slotted dataclass has no zero-argument super()
        if self.end is not None and self.end <= (self.start or 0):
            raise ConfigError(
                f"--end must be later than --start: {self.end:g} s is not after "
                f"{self.start or 0:g} s.",
                "end",
            )

    @property
    def attempts(self) -> float:
        """How often in a row a lost live source is tried: 0 for none, infinity for ever."""
        known = {FOREVER: math.inf, NONE: 0.0}
        return known[self.reconnect] if self.reconnect in known else float(self.reconnect)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig(Section):
    """What is shown beside the terminal.

    Attributes:
        window: Show annotated pictures; by default of live sources, given a display.
    """

    window: AutoSwitch = None
