"""Which cameras there are: `--list-cameras`."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from fervid.capture import Capture, open_camera

# Where Linux names its video devices.
SYSFS, DEVICES = Path("/sys/class/video4linux"), Path("/dev")
# Numbers that are tried where the system lists none.
TRIED = 8


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera: the number for `--camera`, its name ("": unknown), its picture (0: unknown)."""

    index: int
    name: str
    width: int
    height: int
    rate: float

    def __str__(self) -> str:
        size = f"{self.width} x {self.height}" if self.width and self.height else "size unknown"
        rate = f", {self.rate:.3g} frames a second" if self.rate >= 1 else ""
        return f"{self.index}  {self.name or 'no name known'}  ({size}{rate})"


def find_cameras(
    open_index: Callable[[int], Capture] = open_camera, sysfs: Path | None = None
) -> Iterator[CameraInfo]:
    """Yield the cameras that can be opened; each is opened for a moment, and no picture is taken.

    Args:
        open_index: opens a camera by its number.
        sysfs: the folder in which the system lists its video devices; None is Linux's own, and
            elsewhere the first numbers are tried.
    """
    if sysfs is None and sys.platform == "linux":
        sysfs = SYSFS
    for index in range(TRIED) if sysfs is None else listed(sysfs):
        capture = open_index(index)
        try:
            if capture.isOpened():
                width, height, rate = (
                    capture.get(prop)
                    for prop in (
                        cv2.CAP_PROP_FRAME_WIDTH,
                        cv2.CAP_PROP_FRAME_HEIGHT,
                        cv2.CAP_PROP_FPS,
                    )
                )
                yield CameraInfo(index, _name(sysfs, index), int(width), int(height), rate)
        finally:
            capture.release()


def listed(sysfs: Path = SYSFS) -> list[int]:
    """Return the numbers of the video devices that Linux lists, capturing or not."""
    try:
        found = (re.fullmatch(r"video(\d+)", entry.name) for entry in sysfs.iterdir())
        return sorted(int(number[1]) for number in found if number)
    except OSError:  # no driver for video is loaded
        return []


def describe_cameras(
    open_index: Callable[[int], Capture] = open_camera,
    sysfs: Path | None = None,
    devices: Path = DEVICES,
) -> str:
    """Return the cameras as text, a line each, or why there are none.

    Args:
        open_index: opens a camera by its number.
        sysfs: as in `find_cameras`.
        devices: the folder of the device files.
    """
    cameras = list(find_cameras(open_index, sysfs))
    if cameras:
        return "\n".join(map(str, cameras))
    there = listed(sysfs or SYSFS) if sysfs or sys.platform == "linux" else []
    files = [devices / f"video{index}" for index in there]
    if any(file.exists() and not os.access(file, os.R_OK | os.W_OK) for file in files):
        return (
            f"No camera can be opened: {files[0]} is there, and you may not read it; join the "
            "group video and log in again."
        )
    if there:
        return "No camera can be opened; close the programs that use it, or plug it in again."
    return "There is no camera; plug one in."


def _name(sysfs: Path | None, index: int) -> str:
    """What the driver calls a camera."""
    try:
        return "" if sysfs is None else (sysfs / f"video{index}" / "name").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
