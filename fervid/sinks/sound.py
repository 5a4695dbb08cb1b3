"""The sound of a source file, for the annotated video: copied where MP4 takes it, else AAC."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from fervid.containers import open_container, video_stream
from fervid.sinks import RunHeader

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

_log = logging.getLogger(__name__)

# What MP4 takes and players play; the latter are described by their first packet only.
COPIED = ("aac", "mp3", "alac", "opus", "flac", "ac3", "eac3")
LATE_HEADER = ("ac3", "eac3")


class Sound:
    """The source's sound on its way into the video, moved so that 0 s is the video's start."""

    def __init__(self, container: "InputContainer") -> None:
        from av.stream import Discard

        self._container = container
        self._from: AudioStream = container.streams.audio[0]
        for other in container.streams:
            if other.index != self._from.index:
                other.discard = Discard.all  # not even read, where the format has an index
        video = video_stream(container, container.name)
        self._start_s = float((video.start_time or 0) * (video.time_base or 0))
        context = self._from.codec_context
        self._codec = context.codec.canonical_name
        # AAC outside MP4 may come without the description that MP4 keeps in its header.
        described = self._codec != "aac" or bool(context.extradata)
        self._copied = self._codec in COPIED and described
        self.late = self._copied and self._codec in LATE_HEADER
        self._to: Stream | None = None
        self._packets: Iterator[Packet[Any]] = iter(())
        self._held: Packet[Any] | None = None

    @classmethod
    def of(cls, header: RunHeader) -> "Sound | None":
        """The sound of the run's source, None if it has none or is no file."""
        source = header.source
        if source.live or not source.has_audio or "://" in source.uri:
            return None
        container = open_container(source.uri, source.uri)
        # A codec without a decoder leaves no context, whatever the annotations say.
        if getattr(container.streams.audio[0], "codec_context", None) is None:
            _log.warning("The sound of %s has an unknown codec and is left out", source.uri)
            container.close()
            return None
        return cls(container)

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
        """Yield the packets that start up to this time."""
        while (packet := self._held or next(self._packets, None)) is not None:
            pts = cast("int", packet.pts)
            self._held = packet if pts * packet.time_base > time_s else None
            if self._held is not None:
                return
            if pts >= 0:
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

    def _copy(self) -> "Iterator[Packet[Any]]":
        for packet in self._demux():
            shift = round(self._start_s / packet.time_base)
            packet.pts = cast("int", packet.pts) - shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            packet.stream = cast("AudioStream", self._to)
            yield packet

    def _encode(self, stream: "AudioStream") -> "Iterator[Packet[Any]]":
        from av.error import FFmpegError

        for packet in self._demux():
            try:
                frames = packet.decode()
            except FFmpegError:  # as in a player: a gap
                continue
            for frame in frames:
                if frame.pts is not None:
                    frame.pts -= round(self._start_s / packet.time_base)
                yield from stream.encode(frame)
        yield from stream.encode(None)
