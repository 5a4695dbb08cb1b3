"""A recording for the Rerun viewer (.rrd): pictures, faces, probabilities and noise over time.

It is written to a file and to nothing else: no viewer is started and no socket opened
(`tests/test_privacy.py`, by strace). The library is the extra `rerun`.
"""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.errors import LibraryMissing
from fervid.pen import CLASS_COLOURS
from fervid.records import Frame, FrameResult
from fervid.sinks import RunHeader
from fervid.sinks.rows import header_record
from fervid.sinks.text import sink_error

QUALITY = 80  # of JPEG, as of the live page
FLUSH_S = 1.0  # after which frames are on the disk, or what prevents it is told
LEVELS = ("gaussian", "salt_pepper", "speckle")  # of noise, in their order
TIMELINE, LOG = "video", "RUST_LOG"


def rerun_library() -> Any:
    """The module that writes recordings.

    It would write a log of its own to standard error, beside the sentence that fervid says; whether
    it does is decided by RUST_LOG when it is imported, which whoever wants that log can set.

    Raises:
        LibraryMissing: it is not installed.
    """
    quiet = {} if LOG in os.environ else {LOG: "off"}
    os.environ.update(quiet)
    try:
        import rerun
    except ModuleNotFoundError as error:
        if error.name != "rerun":
            raise
        raise LibraryMissing(
            "--rerun needs rerun-sdk, which is not installed; pip install 'fervid[rerun]'.", "rerun"
        ) from error
    finally:
        for name in quiet:
            del os.environ[name]
    return rerun


class RerunSink:
    """Writes `picture`, `picture/faces`, a series a track and the noise, on the timeline `video`.

    Args:
        path: the file, .rrd.
        header: of the run; kept in the recording as `about`.

    Raises:
        LibraryMissing: the extra is not installed.
        SinkError: the file cannot be made.
    """

    wants_pixels = False
    wants_maps = False

    def __init__(self, path: Path | None, header: RunHeader) -> None:
        if path is None:
            raise ValueError("a recording needs a path")
        self.path: Path | None = path
        self._file = path
        self._rerun = rerun_library()
        self._classes = header.classes
        self._named: set[int] = set()
        self._flushed_s = -np.inf
        self._open = True
        try:
            self._stream = self._rerun.RecordingStream("fervid", send_properties=False)
            self._stream.set_log_time_enabled(False)  # when it was analysed says nothing
            self._stream.set_log_tick_enabled(False)
            self._stream.save(path)
            self._begin(header)
        except (OSError, RuntimeError) as error:
            raise sink_error(path, error) from error

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Log one frame.

        Raises:
            SinkError: it could not be written.
        """
        try:
            self._stream.set_time(TIMELINE, duration=result.time_s)
            self._log_picture(frame, result)
            self._log_figures(result)
            if abs(result.time_s - self._flushed_s) >= FLUSH_S:
                self._flushed_s = result.time_s
                self._stream.flush()
        except (OSError, RuntimeError) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: it could not be written.
        """
        if not self._open:
            return
        self._open = False
        try:
            self._stream.flush()
        except (OSError, RuntimeError) as error:
            raise self._failed(error) from error
        finally:
            self._stream.disconnect()

    def _failed(self, error: Exception) -> Exception:
        """What is raised; nothing more is written then."""
        self._open = False
        return sink_error(self._file, error)

    def _begin(self, header: RunHeader) -> None:
        """Log what holds for the whole run."""
        about = json.dumps(header_record(header), indent=1)
        document = self._rerun.TextDocument(f"```json\n{about}\n```", media_type="text/markdown")
        self._log("about", document, static=True)
        self._log("noise", self._rerun.SeriesLines(names=LEVELS), static=True)

    def _log_picture(self, frame: Frame, result: FrameResult) -> None:
        """The frame as JPEG, and the boxes of its faces with their labels."""
        jpeg = cv2.imencode(".jpg", frame.bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        self._log("picture", self._rerun.EncodedImage(contents=jpeg, media_type="image/jpeg"))
        chosen = [self._classes.index(label) for label in result.labels]
        boxes = self._rerun.Boxes2D(
            array=result.faces.boxes,
            array_format=self._rerun.Box2DFormat.XYXY,
            labels=[_label(result, i, k) for i, k in enumerate(chosen)],
            colors=[_rgb(k) for k in chosen],
        )
        self._log("picture/faces", boxes)

    def _log_figures(self, result: FrameResult) -> None:
        """Probabilities of each face that is followed, and the levels of noise."""
        for track, row in zip(result.faces.track_ids.tolist(), result.smoothed, strict=True):
            if track < 0:
                continue
            name = f"tracks/{track}"
            if track not in self._named:
                self._named.add(track)
                colours = [_rgb(k) for k in range(len(self._classes))]
                lines = self._rerun.SeriesLines(names=self._classes, colors=colours)
                self._log(name, lines, static=True)
            self._log(name, self._rerun.Scalars(row))
        self._log("noise", self._rerun.Scalars(result.noise.levels))

    def _log(self, name: str, what: Any, *, static: bool = False) -> None:
        """Log one thing; an error is raised, where the library would say it and go on."""
        self._stream.log(name, what, static=static, strict=True)


def _label(result: FrameResult, i: int, k: int) -> str:
    """As `#3 happy 91 %`, with a question mark where it is uncertain."""
    doubt = "?" if result.uncertain[i] else ""
    return f"#{result.faces.track_ids[i]} {result.labels[i]}{doubt} {result.smoothed[i, k]:.0%}"


def _rgb(k: int) -> tuple[int, int, int]:
    """The colour of a class."""
    blue, green, red = CLASS_COLOURS[k % len(CLASS_COLOURS)]
    return red, green, blue
