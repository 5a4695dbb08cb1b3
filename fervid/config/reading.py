"""The sections that say how sources are read and whether they are shown in a window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fervid.config.section import Section, within

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
        credentials: File with users and passwords of streams, in the format of netrc: a line
            `machine HOST login USER password PASSWORD` a host.
    """

    every: int = within(1, 1)
    start: float | None = within(None, 0)
    end: float | None = within(None, 0)
    fps: float = within(25.0, 0.001, 1000)
    roi: tuple[int, int, int, int] | None = None
    mirror: bool = False
    rtsp_transport: RtspTransport = "tcp"
    open_timeout_s: float = within(10.0, 0.1)
    read_timeout_s: float = within(5.0, 0.1)
    credentials: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig(Section):
    """What is shown beside the terminal.

    Attributes:
        window: Show the annotated pictures in a window; by default where a display works and the
            source is live.
    """

    window: bool | None = None
