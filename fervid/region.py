"""The part of the picture that is analysed (`--roi`), and the mirror (`--mirror`)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.config import ReadConfig, Roi
from fervid.errors import ConfigError
from fervid.link import Link, link_of
from fervid.noise_sample import MIN_SIDE
from fervid.records import Frame, SourceInfo
from fervid.source import Source


class RegionSource:
    """A source whose picture is a part of another's, mirrored or not.

    The part is the frame for everything that follows: noise is measured in it alone, boxes count
    from its corner, and the annotated video shows it, so that rows and pictures of a run always
    agree. `info.roi` and `info.mirrored` stand in the header of every output and lead back: in a
    picture that is not mirrored, x of the source is x of the box plus `roi[0]`, y is y plus
    `roi[1]`; in a mirrored one, x of the source is `roi[0]` + the width of the part - x.

    Args:
        source: is closed with this one.
        roi: x, y, width, height in pixels of the source's picture, upright and not mirrored;
            None is all of it.
        mirror: flip the part left to right.

    Raises:
        ConfigError: the part reaches beyond the picture or is too small for the noise estimator.
    """

    def __init__(self, source: Source, roi: Roi | None, *, mirror: bool) -> None:
        self._source = source
        info = source.info
        if roi is not None:
            _check(roi, info)
        self._x, self._y, self._width, self._height = roi or (0, 0, info.width, info.height)
        self._mirror = mirror
        self.info = replace(info, width=self._width, height=self._height, roi=roi, mirrored=mirror)

    @property
    def damaged(self) -> int:
        """As the source counts."""
        return self._source.damaged

    @property
    def link(self) -> Link | None:
        """As the source's."""
        return link_of(self._source)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._source:
            yield replace(frame, bgr=self._part(frame.bgr))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source; closing twice is harmless."""
        self._source.close()

    def _part(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        part = bgr[self._y : self._y + self._height, self._x : self._x + self._width]
        if self._mirror:
            return np.asarray(cv2.flip(part, 1), np.uint8)
        return np.ascontiguousarray(part)


def shaped(source: Source, read: ReadConfig) -> Source:
    """Return the source with the region and mirror of a configuration."""
    if read.roi is None and not read.mirror:
        return source
    return RegionSource(source, read.roi, mirror=read.mirror)


def _check(roi: Roi, info: SourceInfo) -> None:
    x, y, width, height = roi
    shown = ",".join(map(str, roi))
    if x + width > info.width or y + height > info.height:
        raise ConfigError(
            f"--roi {shown} reaches beyond the picture of {info.label}, which is {info.width} x "
            f"{info.height} px; x + w and y + h may be no more than that.",
            "roi",
        )
    if min(width, height) < MIN_SIDE:
        raise ConfigError(
            f"--roi {shown} is too small to measure its noise; w and h must be at least "
            f"{MIN_SIDE} px.",
            "roi",
        )
