"""Video files and network streams by PyAV: FileSource, whose entry is capture.open_source."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from fervid.config import STDIN, ReadConfig, without_credentials
from fervid.containers import check_size, open_container, refuse_large, video_stream
from fervid.cut_off import check_whole, check_whole_pipe
from fervid.decoding import Decoder
from fervid.errors import SourceOpenError, SourceReadError
from fervid.logins import Logins
from fervid.media_clock import MediaClock
from fervid.missing import Missing
from fervid.pace import Pacer
from fervid.picture_size import MOST_PIXELS
from fervid.pipe import Pipe, standard_input
from fervid.records import Frame, SourceInfo
from fervid.resized import resized
from fervid.seeking import key_frame_before
from fervid.streams import in_pieces, is_live, open_stream
from fervid.upright import orientation, set_upright, square_size

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_log = logging.getLogger(__name__)

DEFAULT_RATE = Fraction(25)
TRIMMED = 1.1  # more pictures than that for a file's length: some are not shown


class FileSource:
    """Every picture of a video file, upright, at its media time; also a network stream.

    The first picture is decoded when the source is opened: a file that holds none is refused at
    once, and its size and rotation are known. Pixels that are not square are made so. A file
    that was cut off raises a SourceReadError after its last picture.

    Raises:
        SourceOpenError: the file or stream cannot be opened, holds no picture or tiny ones.
    """

    def __init__(
        self,
        uri: str,
        read: ReadConfig,
        logins: Logins,
        *,
        threads: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from av.video.reformatter import VideoReformatter

        self._remote = "://" in uri
        self._path = None if self._remote or uri == STDIN else Path(uri)
        self._uri, self._read, self._clock = without_credentials(uri), read, clock
        self._pipe = standard_input() if uri == STDIN else None
        self._converter = VideoReformatter()
        self._container = (
            open_stream(uri, self._uri, read, logins)
            if self._remote
            else open_container(uri, self._uri, self._pipe)
        )
        try:
            self._live = is_live(uri, self._container)
            self.finite = not self._live or bool(self._container.duration)
            self._missing = Missing(
                self._uri, remote=self._remote, in_pieces=in_pieces(self._container)
            )
            self._pacer = Pacer(clock) if self._live and self._missing.in_pieces else None
            self._stream = video_stream(self._container, self._uri)
            # Decoding several frames side by side would hold a live picture back.
            self._stream.codec_context.thread_type = "SLICE" if self._live else "AUTO"
            self._stream.codec_context.thread_count = threads
            self._stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
            # What the head says; what the pictures say is looked at when the first one is there.
            context = self._stream.codec_context
            refuse_large(context.width, context.height, self._label(uri), self._uri)
            self._decoder = Decoder(
                self._container,
                self._stream,
                self._uri,
                read,
                remote=self._remote,
                live=self._live,
            )
            self._pictures = self._decoder.pictures()
            self._first = self._first_picture()
            self._index, self._from_s, self._turn = 0, 0.0, orientation(self._first)
            self._stored = self._first.width, self._first.height
            self._size = square_size(*self._stored, self._stream.sample_aspect_ratio)
            self.info = self._describe(uri)
            self._media = self._media_clock()
            check_size(self.info)
        except BaseException:
            self._container.close()
            raise

    def __iter__(self) -> Iterator[Frame]:
        start_s, end_s, seen = None, 0.0, False
        pictures = itertools.chain((self._first,), self._pictures)
        for index, picture in enumerate(pictures, self._index):
            if self._pacer:
                self._pacer.wait(self._media.seconds(picture.pts))
            if self._live:
                now = self._clock()
                start_s = now if start_s is None else start_s
                time_s = now - start_s
            else:
                time_s = self._media.seconds(picture.pts)
                if seen:  # what lies before the first one was left out by `go_to`
                    self._missing.see_gap(time_s - end_s, key_frame=picture.key_frame)
                end_s, seen = time_s + self._length_s(picture), True
                if time_s < self._from_s:
                    continue
            yield Frame(index, time_s, self._bgr(picture))
        if self._live and not (self._read.attempts and not self.finite):
            _log.warning("The stream %s has ended.", self._uri)
        self._check_end(end_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def go_to(self, time_s: float) -> bool:
        """Leave out what comes before a time, before the iteration.

        Numbers and times of the frames stay what they are. Nothing is decoded up to the last key
        frame before the time, where that is safe.

        Returns:
            False if the file did not obey; it must be opened again.
        """
        self._from_s = time_s
        pts, base = self._first.pts, self._stream.time_base
        if self._path is None or not self._path.is_file() or pts is None or not base:
            return True
        wanted = self._media.origin + int(time_s / base)
        place = key_frame_before(self._uri, wanted, pts)
        if place is None:
            return True
        self._pictures.close()
        damaged = self.damaged
        self._container.seek(place.seek, stream=self._stream)
        self._pictures = self._decoder.pictures()
        later = (p for p in self._pictures if p.pts is None or p.pts >= place.pts)
        self._first, self._index = next(later, self._first), place.index
        self._decoder.damaged = damaged
        return self._first.pts == place.pts

    @property
    def damaged(self) -> int:
        """Packets and pictures that were lost, or lost a part, so far."""
        return self._decoder.damaged

    def close(self) -> None:
        """Close the file; closing twice is harmless.

        A file that another thread reads at this moment stays open: that thread closes it.
        """
        try:
            self._pictures.close()
        except ValueError:  # "generator already executing"
            return
        self._container.close()

    def _length_s(self, picture: "VideoFrame") -> float:
        if picture.duration and picture.time_base:
            return float(picture.duration * picture.time_base)
        return float(1 / (self.info.rate or DEFAULT_RATE))

    def _check_end(self, end_s: float) -> None:
        """Refuse a recording of which a part is missing.

        Raises:
            SourceReadError: a server failed to deliver it, or the file was cut off.
        """
        info, rate = self.info, self.info.rate or DEFAULT_RATE
        promised_s = info.duration_s or 0.0
        # The length of a whole file says little of its pictures: the sound may go on after them.
        own = bool(self._stream.duration) or len(self._container.streams) == 1
        if not self._live:
            self._missing.check(end_s, promised_s, of_pictures=own)
        # Of a trimmed file that counts more than is shown, so alone it proves nothing.
        counted = 0 if self._live else self._stream.frames
        promised_s = max(promised_s, float(counted / rate))
        estimated = self._container.format.name == "mpeg"
        if self._path is not None:
            check_whole(self._path, end_s, promised_s, rate, estimated=estimated)
        if isinstance(self._pipe, Pipe):
            check_whole_pipe(self._pipe.parts, end_s, promised_s, rate)

    def _first_picture(self) -> "VideoFrame":
        try:
            first = next(self._pictures, None)
        except SourceReadError as error:
            raise SourceOpenError(str(error), self._uri) from error
        if first is None:
            way = "start its camera" if self._live else "copy or record it"
            raise SourceOpenError(
                f"Not one picture of {self._uri} can be decoded; it is damaged or was cut off, so "
                f"{way} again.",
                self._uri,
            )
        return first

    def _describe(self, uri: str) -> SourceInfo:
        stream, container = self._stream, self._container
        duration_s = container.duration / 1e6 if container.duration else None
        if stream.duration and stream.time_base:
            duration_s = float(stream.duration * stream.time_base)
        width, height = reversed(self._size) if self._turn[0] else self._size
        rate = stream.average_rate or stream.guessed_rate or None
        n_frames: int | None = stream.frames
        if rate and duration_s and stream.frames > TRIMMED * rate * duration_s:
            n_frames = None  # it counts pictures that an edit list hides, too
        return SourceInfo(
            uri=self._uri,
            label=self._label(uri),
            width=width,
            height=height,
            live=self._live,
            rate=rate,
            n_frames=None if self._live else n_frames or None,
            duration_s=None if self._live else duration_s,
            has_audio=bool(container.streams.audio),
            codec=stream.codec_context.codec.canonical_name,
        )

    def _label(self, uri: str) -> str:
        if uri == STDIN:
            return "standard input"
        return self._uri if self._remote else Path(uri).name

    def _media_clock(self) -> MediaClock:
        """A clock that starts with the stream, whose start its audio shares."""
        starts = [t for t in (self._stream.start_time, self._first.pts) if t is not None]
        return MediaClock(
            min(starts, default=0),
            self._stream.time_base or Fraction(1, 1000),
            self.info.rate or DEFAULT_RATE,
        )

    def _bgr(self, picture: "VideoFrame") -> NDArray[np.uint8]:
        """The picture upright, and as large as the first one even if the stream changes size.

        One of another shape is shown whole and undistorted, beside black.
        """
        size, stored = self._size, (picture.width, picture.height)
        if stored != self._stored:
            context = self._stream.codec_context
            wide, high = square_size(*stored, context.sample_aspect_ratio)
            share = min(self._size[0] / wide, self._size[1] / high)
            size = max(1, round(wide * share)), max(1, round(high * share))
        converted = self._converter.reformat(picture, *size, "bgr24", threads=1)
        bgr = np.asarray(converted.to_ndarray(), np.uint8)
        return set_upright(resized(bgr, *self._size), self._turn)
