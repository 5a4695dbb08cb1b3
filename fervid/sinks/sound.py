"""The sound of a source file, for the annotated video: copied where MP4 takes it, else AAC."""

import itertools
import logging
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fervid.config import STDIN
from fervid.containers import open_container, video_stream
from fervid.errors import SourceOpenError
from fervid.media_clock import RESTART_S
from fervid.sinks import RunHeader

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

_log = logging.getLogger(__name__)

# What MP4 takes and players play. AC-3 is not copied: only its first packet describes it, and a
# file whose head waits for a packet that never comes is lost.
COPIED = ("aac", "mp3", "alac", "opus", "flac")
# MP4 refuses MP3 of a lower rate.
MP3_RATE = 16_000
# No codec's packets follow each other faster; closer ones might share a tick of the file.
STEP_S = 1e-3
# What a decoder needs to have heard before its first sound is right.
PREROLL_S = 0.5


class Sound:
    """The source's sound on its way into the video, moved so that 0 s is the video's start.

    Timestamps that start again go on where they were, as MediaClock's do for the pictures.

    Args:
        container: of the source.
        begins_s: what time of the source is the video's start.
    """

    def __init__(self, container: "InputContainer", begins_s: float = 0.0) -> None:
        from av.stream import Discard

        self._container = container
        self._from: AudioStream = container.streams.audio[0]
        for other in container.streams:
            if other.index != self._from.index:
                other.discard = Discard.all  # not even read, where the format has an index
        video = video_stream(container, container.name)
        self._start_s = float((video.start_time or 0) * (video.time_base or 0)) + begins_s
        context = self._from.codec_context
        self._codec = context.codec.canonical_name
        # AAC outside MP4 may come without the description that MP4 keeps in its header.
        described = self._codec != "aac" or bool(context.extradata)
        slow = self._codec == "mp3" and context.sample_rate < MP3_RATE
        self._copied = self._codec in COPIED and described and not slow
        self._to: Stream | None = None
        self._packets: Iterator[Packet[Any]] = iter(())
        self._held: Packet[Any] | None = None
        self._last_s = -math.inf

    @classmethod
    def of(cls, header: RunHeader) -> "Sound | None":
        """The sound of the run's source, None if it has none or cannot be read a second time."""
        source = header.source
        file = source.place or source.uri
        if source.live or not source.has_audio or "://" in file:
            return None
        if file == STDIN or not Path(file).is_file():  # a pipe would be waited for for ever
            _log.warning("The sound of %s is left out, since it is no regular file", source.uri)
            return None
        try:
            container = open_container(file, source.uri)
        except SourceOpenError as error:
            _log.warning("The sound of %s is left out: %s", source.uri, error)
            return None
        # A codec without a decoder leaves no context, whatever the annotations say.
        if getattr(container.streams.audio[0], "codec_context", None) is None:
            _log.warning("The sound of %s has an unknown codec and is left out", source.uri)
            container.close()
            return None
        return cls(container, source.start_s)

    def attach(self, file: "OutputContainer") -> None:
        """Add a stream for the sound to the video."""
        if self._copied:
            self._to = file.add_stream_from_template(self._from)
            self._packets = self._copy()
            return
        context = self._from.codec_context
        stream = file.add_stream("aac", rate=context.sample_rate)
        rates = stream.codec_context.codec.audio_rates or []
        if context.sample_rate not in rates:
            stream.codec_context.sample_rate = 48_000
        stream.codec_context.layout = "mono" if context.channels == 1 else "stereo"
        self._to, self._packets = stream, self._encode(stream)

    def until(self, time_s: float) -> "Iterator[Packet[Any]]":
        """Yield the packets that start up to this time, in order; one that goes back is dropped."""
        while (packet := self._held or next(self._packets, None)) is not None:
            base = packet.time_base
            starts_s, order_s = (float(cast("int", t) * base) for t in (packet.pts, packet.dts))
            self._held = packet if starts_s > time_s else None
            if self._held is not None:
                return
            if starts_s >= 0 and order_s - self._last_s >= STEP_S:
                self._last_s = order_s
                yield packet

    def close(self) -> None:
        """Close the source's file."""
        self._packets = iter(())
        self._container.close()

    def _demux(self) -> "Iterator[Packet[AudioStream]]":
        """Yield what can be read; damage that cannot be passed ends the sound, not the picture."""
        from av.error import FFmpegError

        try:
            for packet in self._container.demux(self._from):
                if packet.pts is not None and packet.time_base:
                    yield packet
        except FFmpegError as error:
            _log.warning("The sound of %s ends early: %s", self._container.name, error)

    def _timed(self) -> "Iterator[Packet[AudioStream]]":
        """Yield the packets at the video's times."""
        shift_s, end_s = -self._start_s, -math.inf
        for packet in self._demux():
            base = packet.time_base
            now_s = float(cast("int", packet.pts) * base) + shift_s
            if end_s - now_s > RESTART_S:
                shift_s, now_s = shift_s + end_s - now_s, end_s
            end_s = max(end_s, now_s + float((packet.duration or 0) * base))
            if end_s < -PREROLL_S:
                continue
            shift = round(shift_s / base)
            packet.pts = cast("int", packet.pts) + shift
            packet.dts = packet.pts if packet.dts is None else packet.dts + shift
            yield packet

    def _copy(self) -> "Iterator[Packet[Any]]":
        for packet in self._timed():
            packet.stream = cast("AudioStream", self._to)
            yield packet

    def _decode(self) -> "Iterator[AudioFrame]":
        from av.error import FFmpegError

        for packet in self._timed():
            try:
                frames = packet.decode()
            except FFmpegError:  # as in a player: a gap
                continue
            yield from frames

    def _encode(self, stream: "AudioStream") -> "Iterator[Packet[Any]]":
        """Yield the sound as AAC of one kind, whatever kinds of sound follow each other."""
        from av.audio.resampler import AudioResampler

        to, tick = stream.codec_context, Fraction(1, stream.codec_context.sample_rate)
        for _, frames in itertools.groupby(self._decode(), _kind):
            resampler = AudioResampler(to.format, to.layout, to.sample_rate)
            for frame in itertools.chain(frames, (None,)):
                for piece in filter(None, resampler.resample(frame)):
                    # The encoder holds to the time base of its first frame.
                    if piece.pts is not None and piece.time_base:
                        piece.pts = round(piece.pts * piece.time_base / tick)
                    piece.time_base = tick
                    yield from stream.encode(piece)
        yield from stream.encode(None)


def _kind(frame: "AudioFrame") -> tuple[str, str, int]:
    """What a resampler takes for granted of its input."""
    return frame.format.name, frame.layout.name, frame.sample_rate
