"""What the window alone shows over the picture: the help and short messages; no file gets them."""

from collections.abc import Sequence

import cv2
import numpy as np

from fervid.pen import FAINT, FONT, FONT_PX, LEAST_UNIT, TEXT, U8, WARNING

UNIT = 1 / 360  # of the picture's height, or of 9/16 of its width
CAPITAL = 8  # height of capitals, in units
LINE = 16  # from one line to the next, in units
DIMMED = 0.18  # share of the picture's brightness that is left under the help
BAND = 0.4  # the same under messages


def with_messages(picture: U8, messages: Sequence[str]) -> U8:
    """A new picture with messages in a band at the top; the same one where there are none."""
    if not messages:
        return picture
    out, px = picture.copy(), _unit(picture)
    text = "  |  ".join(messages)
    size = _fitting(text, CAPITAL * px, picture.shape[1] - 12 * px)
    height = round(LINE * px)
    out[:height] = (out[:height] * BAND).astype(np.uint8)
    _write(out, text, (round(6 * px), (height + round(size)) // 2), size, WARNING)
    return out


def with_help(picture: U8, keys: Sequence[tuple[str, str]]) -> U8:
    """A new picture, dimmed, with a list of keys and what they do."""
    out = (picture * DIMMED).astype(np.uint8)
    h, w = picture.shape[:2]
    px = min(_unit(picture), h / (LINE * (len(keys) + 1)))
    key_px = max(_width(key, CAPITAL * px) for key, _ in keys) + 14 * px
    longest = max((what for _, what in keys), key=len)
    size = min(_fitting(longest, CAPITAL * px, w - key_px - 24 * px), CAPITAL * px)
    left = max(6 * px, (w - key_px - _width(longest, size)) / 2)
    y = (h - LINE * px * (len(keys) - 1)) / 2
    for key, what in keys:
        _write(out, key, (round(left), round(y)), CAPITAL * px, WARNING)
        _write(out, what, (round(left + key_px), round(y)), size, TEXT)
        y += LINE * px
    return out


def waiting(width: int, height: int, text: str = "waiting for the first picture") -> U8:
    """What is shown where there is no picture: a dark one of this size that says so."""
    out = np.full((height, width, 3), 24, np.uint8)
    size = _fitting(text, CAPITAL * _unit(out), width * 0.9)
    _write(out, text, (round((width - _width(text, size)) / 2), height // 2), size, FAINT)
    return out


def _unit(picture: U8) -> float:
    h, w = picture.shape[:2]
    return float(max(min(h, w * 9 / 16) * UNIT, LEAST_UNIT))


def _fitting(text: str, size: float, width: float) -> float:
    """The height of capitals, at most `size`, at which a text is no wider than `width` px."""
    return size * min(1.0, max(width, 1.0) / max(_width(text, size), 1.0))


def _width(text: str, size: float) -> float:
    return float(cv2.getTextSize(text, FONT, size / FONT_PX, _weight(size))[0][0])


def _weight(size: float) -> int:
    return max(1, round(size / 9))


def _write(image: U8, text: str, at: tuple[int, int], size: float, colour: object) -> None:
    cv2.putText(image, text, at, FONT, size / FONT_PX, colour, _weight(size), cv2.LINE_AA)  # type: ignore[call-overload]
