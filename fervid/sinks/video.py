"""The annotated video: H.264 in a fragmented MP4, with the source's timing and sound.

Fragments make a file that plays up to where a run was killed.
"""

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.rows import header_record, sink_error
from fervid.sinks.sound import Sound

if TYPE_CHECKING:
    from av.video.stream import VideoStream

# Ticks a second: fine enough for any frame rate, and what MPEG uses.
TICKS = 90_000
FLAGS = "frag_keyframe+empty_moov+default_base_moof"
CRF = 23


class VideoSink:
    """Encodes the drawn pictures; odd sizes get one more row or column.

    Args:
        path: the file, .mp4.
        header: of the run; kept in the file's comment as JSON. The sound is taken from the file
            it names.
        crf: quality, 0 (lossless) to 51.

    Raises:
        SinkError: the file cannot be written.
        SourceOpenError: the source's sound cannot be read.
    """

    wants_pixels = True

    def __init__(self, path: Path | None, header: RunHeader, *, crf: int = CRF) -> None:
        if path is None:
            raise ValueError("a video needs a path")
        import av
        from av.video.reformatter import VideoReformatter

        self.path: Path | None = path
        self._path = path
        self._source = header.source
        self._converter = VideoReformatter()
        self._last = -1
        self._open = True
        self._sound = Sound.of(header)
        flags = FLAGS + ("+delay_moov" if self._sound and self._sound.late else "")
        options = {"movflags": flags, "flush_packets": "1"}
        try:
            self._file = av.open(f"file:{path}", "w", format="mp4", container_options=options)
            self._file.metadata.update(
                title=header_record(header)["source"]["label"],
                comment=json.dumps(header_record(header)),
            )
            self._stream = self._add_video(crf)
            if self._sound:
                self._sound.attach(self._file)
            self._file.start_encoding()
        except (av.FFmpegError, OSError) as error:
            self._abandon()
            raise sink_error(path, error) from error

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Encode one picture.

        Raises:
            SinkError: it could not be written.
        """
        import av
        from av.video.reformatter import ColorRange, Colorspace

        if drawn is None:
            raise ValueError("VideoSink.write: expected a drawn picture, got None")
        if not self._open:
            raise ValueError("VideoSink.write: the sink is closed")
        picture = self._converter.reformat(
            av.VideoFrame.from_ndarray(self._padded(drawn), format="bgr24"),
            *(self._stream.width, self._stream.height, "yuv420p"),
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        # A player needs times that rise, even where two frames share a tick.
        self._last = picture.pts = max(round(result.time_s * TICKS), self._last + 1)
        picture.time_base = Fraction(1, TICKS)
        try:
            self._file.mux(self._stream.encode(picture))
            if self._sound:
                self._file.mux(list(self._sound.until(result.time_s)))
        except (av.FFmpegError, OSError) as error:
            self._abandon()
            raise sink_error(self._path, error) from error

    def close(self) -> None:
        """Finish the file; closing twice is harmless.

        Raises:
            SinkError: it could not be finished.
        """
        import av

        if not self._open:
            return
        try:
            self._file.mux(self._stream.encode(None))
            if self._sound:
                period_s = float(1 / (self._source.rate or 25))
                self._file.mux(list(self._sound.until(self._last / TICKS + period_s)))
            self._file.close()
        except (av.FFmpegError, OSError) as error:
            raise sink_error(self._path, error) from error
        finally:
            self._abandon()

    def _add_video(self, crf: int) -> "VideoStream":
        rate = self._source.rate or Fraction(25)
        stream = self._file.add_stream(
            "libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"}
        )
        stream.width = self._source.width + self._source.width % 2
        stream.height = self._source.height + self._source.height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        # A key frame starts a fragment: no more than two seconds are lost to a kill.
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

    def _abandon(self) -> None:
        """Let go of both files; an error that this meets was raised before."""
        import av

        self._open = False
        if self._sound:
            self._sound.close()
        if hasattr(self, "_file"):
            try:
                self._file.close()
            except (av.FFmpegError, OSError):
                return
