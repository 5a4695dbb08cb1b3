"""The sections that say how sources are read and whether they are shown in a window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fervid.config.options import AutoSwitch, Region, Time
from fervid.config.section import Section, within
from fervid.errors import ConfigError

RtspTransport = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConfig(Section):
    """How sources are read.

    Attributes:
        every: Analyse every so many frames of a recording.
        start: Time at which a recording is begun, in seconds or h:mm:ss.
        end: Time at which a recording is ended, in seconds or h:mm:ss.
        fps: Frame rate of a sequence of images, in frames per second.
        roi: Part of the picture that is analysed: x,y,w,h in pixels.
        mirror: Flip the picture left to right.
        rtsp_transport: How RTSP sends its pictures; udp is faster and loses some.
        open_timeout_s: Seconds that a stream may take to answer.
        read_timeout_s: Seconds that a stream may be silent.
        credentials: File with users and passwords of streams, so that no command line shows them.
    """

    every: int = within(1, 1)
    start: Time = within(None, 0)
    end: Time = within(None, 0)
    fps: float = within(25.0, 0.001, 1000)
    roi: Region = None
    mirror: bool = False
    rtsp_transport: RtspTransport = "tcp"
    open_timeout_s: float = within(10.0, 0.1)
    read_timeout_s: float = within(5.0, 0.1)
    credentials: Path | None = None

    def __post_init__(self) -> None:
        Section.__post_init__(self)  # a slotted dataclass has no zero-argument super()
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ConfigError(
                f"--end ({self.end:g} s) must lie after --start ({self.start:g} s).", "end"
            )
        if self.roi is not None and (min(self.roi) < 0 or min(self.roi[2:]) < 1):
            raise ConfigError(
                "--roi is x,y,w,h in pixels: x and y at least 0, w and h at least 1, not "
                f"{','.join(map(str, self.roi))}.",
                "roi",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig(Section):
    """What is shown beside the terminal.

    Attributes:
        window: Show the annotated pictures in a window; by default where a display works and the
            source is live.
    """

    window: AutoSwitch = None
