"""The annotated video: H.264 in a fragmented MP4, with the source's timing and sound.

Fragments make a file that plays up to where a run was killed.
"""

import contextlib
import json
import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.errors import SinkError
from fervid.link import LinkEvent
from fervid.overlay import waiting
from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.rows import header_record
from fervid.sinks.sound import Sound
from fervid.sinks.text import sink_error
from fervid.sinks.watched import WatchedFile

if TYPE_CHECKING:
    from av.video.stream import VideoStream

_log = logging.getLogger(__name__)

# What a kill may cost: pictures that the encoder still holds, a fragment, and sound that is waited
# for (FFmpeg waits 10 s by itself, which sound that ends early would cost). One second in all.
FRAGMENT_S, WAIT_S = 0.25, 0.25
# A live source may come with few pictures a second: each is in the file when the next one is there.
LIVE_FRAGMENT_S = 0.1
# Of a recording one picture is held, which shows the encoder what is worth its bytes: at 10, the
# preset's, the sample clip has 0.2 dB more and takes 1 % more; without one 3.4 dB less and 19 %.
HELD = 1
# This picture is a key frame too, which ends the fragment before it. There is something to play
# after two to four pictures, which may be few a second.
SECOND = 1
# Ticks a second: fine enough for any frame rate, and what MPEG uses.
TICKS = 90_000
FLAGS = "frag_keyframe+empty_moov+default_base_moof"
# Without a list of all fragments at the end, to seek by: until then it is kept in memory, 1.5 MB an
# hour at 10 a second, which a source without an end must not take.
LIVE_FLAGS = FLAGS + "+skip_trailer"
CRF = 23


class VideoSink:
    """Encodes the drawn pictures; odd sizes get one more row or column.

    Args:
        path: the file, .mp4.
        header: of the run; kept in the file's comment as JSON. The sound is taken from the file
            it names; sound that fails is left out, with a warning.
        crf: quality, 0 (lossless) to 51.
        threads: that encode; 0 leaves the number to the library.

    Raises:
        SinkError: the file cannot be written.
    """

    wants_pixels = True

    def __init__(
        self, path: Path | None, header: RunHeader, *, crf: int = CRF, threads: int = 0
    ) -> None:
        if path is None:
            raise ValueError("a video needs a path")
        import av
        from av.video.reformatter import VideoReformatter

        self.path: Path | None = path
        self._path = path
        self._source = header.source
        self._converter = VideoReformatter()
        self._last, self._taken = -1, 0
        self._open = True
        self._sound = Sound.of(header)
        try:
            self._begin(header, crf, threads)
        except (av.FFmpegError, OSError) as error:
            self._silence()
            raise sink_error(path, error) from error

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Encode one picture.

        Raises:
            SinkError: it could not be written.
        """
        if drawn is None:
            raise ValueError("VideoSink.write: expected a drawn picture, got None")
        if not self._open:
            raise ValueError("VideoSink.write: the sink is closed")
        self._encode(drawn, result.time_s - self._source.start_s)

    def note(self, event: LinkEvent) -> None:
        """Show that a live source is offline, instead of its last picture.

        Raises:
            SinkError: it could not be written.
        """
        if event.kind == "offline" and self._open:
            text = f"offline since {event.at.astimezone():%H:%M:%S}"
            picture = waiting(self._source.width, self._source.height, text)
            self._encode(picture, event.time_s - self._source.start_s)

    def _encode(self, drawn: NDArray[np.uint8], time_s: float) -> None:
        import av
        from av.video.frame import PictureType
        from av.video.reformatter import ColorRange, Colorspace

        picture = self._converter.reformat(
            av.VideoFrame.from_ndarray(self._padded(drawn), format="bgr24"),
            *(self._stream.width, self._stream.height, "yuv420p"),
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        # A player needs times that rise, even where two frames share a tick.
        self._last = picture.pts = max(round(time_s * TICKS), self._last + 1)
        picture.time_base = Fraction(1, TICKS)
        if self._taken == SECOND:
            picture.pict_type = PictureType.I
        self._taken += 1
        try:
            packets = self._stream.encode(picture)
            self._file.mux(packets)
            # No further than the pictures: a fragment that sound ends needs the next one's time.
            for packet in packets[-1:]:
                self._mux_sound(float((packet.pts or 0) * packet.time_base))
        except (av.FFmpegError, OSError) as error:
            with contextlib.suppress(SinkError):  # the pictures that the encoder holds are kept
                self.close()
            raise sink_error(self._path, error) from error

    def close(self) -> None:
        """Finish the file; closing twice is harmless.

        Raises:
            SinkError: it could not be finished.
        """
        import av

        if not self._open:
            return
        self._open = False
        try:
            with contextlib.closing(self._target), self._file:
                self._file.mux(self._stream.encode(None))
                self._mux_sound(self._last / TICKS + float(1 / (self._source.rate or 25)))
        except (av.FFmpegError, OSError) as error:
            raise sink_error(self._path, error) from error
        finally:
            self._silence()
        if self._target.error is not None:
            raise sink_error(self._path, self._target.error) from self._target.error

    def _begin(self, header: RunHeader, crf: int, threads: int) -> None:
        """Open the file, without sound if MP4 does not take it."""
        import av

        try:
            self._start(header, crf, threads)
        except OSError:
            raise
        except (av.FFmpegError, ValueError) as error:
            if not self._sound:
                raise
            self._warn_of_sound(error, 0.0)
            self._start(header, crf, threads)

    def _start(self, header: RunHeader, crf: int, threads: int) -> None:
        """Open the file and write its head."""
        import av

        live = self._source.live
        options = {
            "movflags": LIVE_FLAGS if live else FLAGS,
            "flush_packets": "1",
            "frag_duration": str(round((LIVE_FRAGMENT_S if live else FRAGMENT_S) * 1e6)),
            "max_interleave_delta": str(round(WAIT_S * 1e6)),
        }
        self._target = WatchedFile(self._path)
        try:
            self._file = av.open(self._target, "w", format="mp4", container_options=options)
            about = header_record(header)
            self._file.metadata.update(title=about["source"]["label"], comment=json.dumps(about))
            self._stream = self._add_video(crf, threads)
            if self._sound:
                self._sound.attach(self._file)
            self._file.start_encoding()
        except BaseException:
            with contextlib.closing(self._target), contextlib.suppress(av.FFmpegError, OSError):
                self._file.close()
            raise

    def _mux_sound(self, time_s: float) -> None:
        """Add the sound up to a time; if that fails, the pictures go on without it."""
        import av

        if not self._sound:
            return
        try:
            for packet in self._sound.until(time_s):
                self._file.mux(packet)
        except OSError:  # the file's, so the pictures' as well
            raise
        except (av.FFmpegError, ValueError) as error:
            self._warn_of_sound(error, time_s)

    def _warn_of_sound(self, error: Exception, at_s: float) -> None:
        _log.warning("The sound of %s is left out from %.1f s: %s", self._source.uri, at_s, error)
        self._silence()

    def _silence(self) -> None:
        """Let go of the source's sound."""
        sound, self._sound = self._sound, None
        if sound:
            sound.close()

    def _add_video(self, crf: int, threads: int) -> "VideoStream":
        rate = self._source.rate or Fraction(25)
        # A live source may be slower than it says, so there nothing is held.
        held = 0 if self._source.live else HELD
        options = {"crf": str(crf), "preset": "veryfast", "rc-lookahead": str(held)}
        # Coarser motion: a quarter of the encoder's time for some per cent of the file. Without
        # force-cfr one more picture would be held, to know how long each is shown.
        options["x264-params"] = "sync-lookahead=0:subme=1:weightp=0:force-cfr=1"
        stream = self._file.add_stream("libx264", rate=rate, options=options)
        stream.width = self._source.width + self._source.width % 2
        stream.height = self._source.height + self._source.height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = "SLICE"  # by frames, each thread would hold one
        # What a player can go to.
        stream.codec_context.gop_size = min(max(round(2 * rate), 10), 240)
        # Without B-frames the first timestamp is the source's, not one moved by their delay.
        stream.codec_context.max_b_frames = 0
        return stream

    def _padded(self, drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture with its last row and column doubled where their number is odd."""
        height, width = drawn.shape[:2]
        if not (height % 2 or width % 2):
            return np.ascontiguousarray(drawn)
        border = (0, height % 2, 0, width % 2)
        return np.asarray(cv2.copyMakeBorder(drawn, *border, cv2.BORDER_REPLICATE), np.uint8)
