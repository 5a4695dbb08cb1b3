"""Where to begin in a recording so that every frame from there on is exact.

Frames are decoded from a key frame on. To know the number of that frame without decoding all
before it, the packets are counted: reading them is some fifty times faster than decoding. Where
that could be wrong (timestamps that are missing, repeated or start again, a file that begins in
the middle of a group) nothing is skipped, and the file is decoded from its start.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fervid.containers import open_container, video_stream

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True)
class Place:
    """A key frame: when it is shown, its number in the order of showing, and what to seek.

    `seek` is when it is decoded, by which MPEG's streams are searched.
    """

    pts: int
    index: int
    seek: int


def key_frame_before(uri: str, wanted: int, first: int) -> Place | None:
    """Return the last key frame at or before a timestamp; None if nothing can be skipped safely.

    Args:
        uri: a file.
        wanted: the timestamp.
        first: that of the first picture that the decoder shows.
    """
    from av.error import FFmpegError
    from av.stream import Discard

    with open_container(uri, uri) as container:
        stream = video_stream(container, uri)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        try:
            return _search(container.demux(stream), wanted, first)
        except FFmpegError:
            return None


def _search(packets: "Iterable[Packet[VideoStream]]", wanted: int, first: int) -> Place | None:
    times: list[int] = []
    key, seek, last = None, 0, -math.inf
    for packet in packets:
        if packet.size == 0:  # the end
            break
        pts, dts = packet.pts, packet.dts
        if pts is None or packet.is_corrupt or packet.is_discard:
            return None
        if not (times or packet.is_keyframe) or (dts is not None and dts < last):
            return None
        last = last if dts is None else dts  # Matroska's first packets have none
        times.append(pts)
        if packet.is_keyframe and pts <= wanted:
            key, seek = pts, pts if dts is None else min(pts, dts)
        if last > wanted:  # no later packet is shown before this one is decoded
            break
    if key is None or len(set(times)) < len(times) or min(times) != first:
        return None
    place = Place(key, sum(time < key for time in times), seek)
    return place if place.index else None
