"""Decoding: the pictures of an open video stream, whatever in it is damaged."""

import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from fervid.config import STDIN, ReadConfig
from fervid.containers import NO_PIPE
from fervid.errors import SourceReadError
from fervid.refusals import is_silence, reason, why_broken_off
from fervid.streams import packets_in_time, packets_of, refuse_silence

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# So many failures in a row mean that nothing more can be read.
READ_RETRIES = 100
# What a live stream may send before a first picture can be decoded: until its next key frame.
FIRST_PICTURE_S = 30.0


class Decoder:
    """Decodes one stream of a container; damaged packets are counted and passed over.

    Args:
        container: an open file or network stream, which the caller closes.
        stream: of it.
        uri: its name for messages, without credentials.
        read: limits of time.
        remote: whether it comes over a network.
        live: whether it has no end.

    Attributes:
        damaged: packets and pictures that were lost, or lost a part, so far.
    """

    def __init__(
        self,
        container: "InputContainer",
        stream: "VideoStream",
        uri: str,
        read: ReadConfig,
        *,
        remote: bool,
        live: bool,
    ) -> None:
        self.damaged = 0
        self._container, self._stream, self._uri, self._read = container, stream, uri, read
        self._remote, self._live = remote, live

    def pictures(self) -> "Generator[VideoFrame]":
        """Yield what can be decoded, from where the container stands.

        Raises:
            SourceReadError: nothing more can be read.
        """
        from av.error import FFmpegError

        failures = 0
        seen_s, limit_s = time.monotonic(), FIRST_PICTURE_S
        while True:
            try:
                for packet in self._packets():
                    failures = 0
                    pictures = self._decode(packet)
                    yield from pictures
                    if pictures:
                        seen_s, limit_s = time.monotonic(), self._read.read_timeout_s
                    elif self._live:  # it sends, and perhaps nothing of it can be decoded
                        refuse_silence(seen_s, limit_s)
            except (FFmpegError, TimeoutError) as error:
                failures += 1
                self.damaged += 1
                if failures <= READ_RETRIES and self._may_go_on(error):
                    continue
                # The library's error holds a stream's password, so it is not passed on.
                failure, cause = self._read_error(error), None if self._remote else error
            else:
                return
            yield from self._decode(None)
            try:
                raise failure from cause
            finally:  # or the error's trace and this frame would keep each other, and all buffers
                del failure, cause

    def _packets(self) -> "Iterator[Packet[VideoStream]]":
        if not self._remote:
            return self._container.demux(self._stream)
        limit_s = self._read.read_timeout_s
        sounds = self._container.streams.audio if self._live else ()
        both = self._container.demux(self._stream, *sounds)
        return packets_in_time(packets_of(both, self._stream.index, limit_s), limit_s)

    def _may_go_on(self, error: Exception) -> bool:
        return not (self._live or isinstance(error, OSError) or is_silence(error))

    def _decode(self, packet: "Packet[VideoStream] | None") -> "list[VideoFrame]":
        from av.error import FFmpegError

        try:
            pictures = self._stream.decode(packet)
        except FFmpegError as error:
            # An end of file says that the decoder has been emptied before.
            self.damaged += not isinstance(error, EOFError)
            return []
        # A corrupt picture has lost a part, which the decoder has filled from its neighbours.
        self.damaged += sum(picture.is_corrupt for picture in pictures)
        return pictures

    def _read_error(self, error: Any) -> SourceReadError:
        if self._uri == STDIN:
            return SourceReadError(f"{NO_PIPE} ({reason(error)}).", STDIN)
        if self._remote:
            return SourceReadError(why_broken_off(self._uri, error, self._read), self._uri)
        return SourceReadError(
            f"The file {self._uri} cannot be read on ({reason(error)}); check the disk and start "
            "again.",
            self._uri,
        )
