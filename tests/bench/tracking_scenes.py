"""Generated scenes: real faces moved over a wall on known paths, found by the real detector.

Lengths are in sides of a face box, from the middle of the picture; persons are listed from back to
front, so a later one hides an earlier one.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from fervid.faces import FaceDetector
from fervid.records import Faces, Noise
from tests.bench.tracking_actors import ROOM, SIDE, Actor
from tests.bench.tracking_clips import Sequence

RATE = 30
SIZE = (640, 360)
OVAL = (0.55, 0.72)  # half axes of the head that is pasted, in sides
SEEN = 0.25  # least share of a face that must be visible for a detection to be its


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a person's face is, and how large (1: SIDE)."""

    person: int
    x: float
    y: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Cover:
    """A rectangle in front of everything: a pillar, a hand."""

    x: float
    y: float
    width: float
    height: float
    bgr: tuple[int, int, int] = (120, 125, 120)


Moment = tuple[list[Spot], list[Cover]]


@dataclass(frozen=True, slots=True)
class Scene:
    """`at(t)` says what is to be seen t seconds after the start."""

    group: str
    name: str
    seconds: float
    at: Callable[[float], Moment]


HAND = (140, 160, 200)


def scenes() -> Iterator[Scene]:
    """All scenes, in a fixed order."""
    yield from _crossings()
    yield from _encounters()
    yield from _gaps()
    yield from _newcomers()
    yield from _shaking()


def _crossings() -> Iterator[Scene]:
    for speed in (1.0, 2.0, 4.0):
        for height in (0.0, 0.3):
            seconds = 5.6 / speed

            def cross(t: float, v: float = speed, h: float = height) -> Moment:
                return [Spot(0, 2.8 - v * t), Spot(1, v * t - 2.8, h)], []

            yield Scene("crossing", f"cross {speed:g}/s {height:g} higher", seconds, cross)

        def three(t: float, v: float = speed) -> Moment:
            people = [Spot(0, 2.8 - v * t), Spot(1, v * t - 2.8, 0.2), Spot(2, 0.6 * v * t - 2.0)]
            return people, []

        yield Scene("crossing", f"three {speed:g}/s", 5.6 / speed, three)


def _encounters() -> Iterator[Scene]:
    for speed in (1.0, 2.5):
        for nearest in (0.1, 0.6):

            def turn(t: float, v: float = speed, near: float = nearest) -> Moment:
                x = (near + v * abs(2.5 / v - t)) / 2
                return [Spot(0, x), Spot(1, -x, 0.05)], []

            name = f"turn back {speed:g}/s at {nearest:g}"
            yield Scene("turn back", name, 5 / speed, turn)

        def front(t: float, v: float = speed) -> Moment:
            return [Spot(0, 0.2), Spot(1, v * t - 2.8, 0.1, 1.15)], []

        def behind(t: float, v: float = speed) -> Moment:
            return [Spot(1, v * t - 2.8, 0.1, 0.85), Spot(0, 0.2)], []

        def stop(t: float, v: float = speed) -> Moment:
            x = min(v * t, 2.8) + max(0.0, v * (t - 1) - 2.8) - 2.8
            return [Spot(0, 0.0), Spot(1, x, 0.1, 1.1)], []

        yield Scene("pass by", f"in front {speed:g}/s", 5.6 / speed, front)
        yield Scene("pass by", f"behind {speed:g}/s", 5.6 / speed, behind)
        yield Scene("pass by", f"stop in front {speed:g}/s", 5.6 / speed + 1, stop)


def _gaps() -> Iterator[Scene]:
    for gap in (0.2, 0.5, 1.0, 2.0, 3.0):

        def hand(t: float, g: float = gap) -> Moment:
            sway = 0.08 * math.sin(2.2 * t)
            hands = [Cover(sway, 0.1, 1.1, 1.2, HAND)] if 1 <= t < 1 + g else []
            return [Spot(0, sway), Spot(1, 2.2, 0.1)], hands

        def pillar(t: float, g: float = gap) -> Moment:
            v = 1.0 if g > 1 else 1.5
            width = max(v * g - 0.6, 0.15)
            return [Spot(0, v * t - 1.2 - width / 2)], [Cover(0, 0, width, 5)]

        yield Scene("hand", f"hand {gap:g} s", 2 + gap, hand)
        yield Scene("pillar", f"pillar {gap:g} s", 2.4 + gap, pillar)


def _newcomers() -> Iterator[Scene]:
    for gap in (0.0, 0.5, 1.0, 2.0):

        def seat(t: float, g: float = gap) -> Moment:
            if t < 1.5:
                return [Spot(0, 0.0)], []
            return ([Spot(1, 0.1, 0.05)] if t >= 1.5 + g else []), []

        yield Scene("newcomer", f"another at the same place after {gap:g} s", 3 + gap, seat)

    def away(t: float) -> Moment:
        x = 2.0 + 2 * t if t < 2 else 2.0 + 2 * (4 - t)
        return [Spot(0, x), Spot(1, -1.0)], []

    yield Scene("back", "out of the picture and back", 4, away)


def _shaking() -> Iterator[Scene]:
    for amount in (0.3, 0.8):

        def shake(t: float, a: float = amount) -> Moment:
            x, y = a * math.sin(9 * t), 0.4 * a * math.sin(7 * t + 1)
            return [Spot(0, x - 0.7, y), Spot(1, x + 0.7, y + 0.1)], []

        yield Scene("camera", f"shaking by {amount:g}", 4, shake)

    def nearer(t: float) -> Moment:
        return [Spot(0, 1 - 0.2 * t, 0, 0.5 + 0.6 * t), Spot(1, -2.2)], []

    yield Scene("camera", "coming nearer", 2, nearer)


def _wall(rng: np.random.Generator) -> np.ndarray:
    low = (rng.uniform(120, 160, (4, 6, 1)) + rng.uniform(-8, 8, (4, 6, 3))).astype(np.float32)
    wall = cv2.resize(low, SIZE, interpolation=cv2.INTER_CUBIC)
    return (wall + rng.normal(0, 2, wall.shape)).clip(0, 255).astype(np.uint8)


def _cut_out_mask(px: int) -> np.ndarray:
    mask = np.zeros((px, px), np.float32)
    middle, unit = (px // 2, round(px * 0.46)), px / ROOM
    cv2.ellipse(mask, middle, (round(unit * OVAL[0]), round(unit * OVAL[1])), 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(mask, (0, 0), px / 60)[..., None]


def paint(moment: Moment, cast: list[Actor], time_s: float, wall: np.ndarray) -> tuple:
    """The picture (H, W, 3), the box (4,) of each spot, and how much of each is visible (N,)."""
    picture, owner = wall.copy(), np.full(SIZE[::-1], -1)
    spots, covers = moment
    boxes = []
    for k, spot in enumerate(spots):
        px, side = round(SIDE * ROOM * spot.scale), SIDE * spot.scale
        cx, cy = SIZE[0] / 2 + spot.x * SIDE, SIZE[1] / 2 + spot.y * SIDE
        x, y = round(cx - px / 2), round(cy - px / 2)
        boxes.append((cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2))
        left, top = max(-x, 0), max(-y, 0)
        right, bottom = min(px, SIZE[0] - x), min(px, SIZE[1] - y)
        if left >= right or top >= bottom:
            continue
        face = cv2.resize(cast[spot.person].picture(time_s), (px, px))[top:bottom, left:right]
        mask = _cut_out_mask(px)[top:bottom, left:right]
        here = (slice(y + top, y + bottom), slice(x + left, x + right))
        picture[here] = (face * mask + picture[here] * (1 - mask)).astype(np.uint8)
        owner[here][mask[..., 0] > 0.5] = k
    for c in covers:
        cx, cy = SIZE[0] / 2 + c.x * SIDE, SIZE[1] / 2 + c.y * SIDE
        x0, x1 = max(round(cx - c.width * SIDE / 2), 0), max(round(cx + c.width * SIDE / 2), 0)
        y0, y1 = max(round(cy - c.height * SIDE / 2), 0), max(round(cy + c.height * SIDE / 2), 0)
        picture[y0:y1, x0:x1] = c.bgr
        owner[y0:y1, x0:x1] = -1
    whole = math.pi * OVAL[0] * OVAL[1] * SIDE**2
    seen = [(owner == k).sum() / (whole * spot.scale**2) for k, spot in enumerate(spots)]
    return picture, np.array(boxes, np.float32).reshape(-1, 4), np.array(seen)


def film(scene: Scene, cast: list[Actor], detector: FaceDetector, seed: int) -> Sequence:
    """Paint a scene, find its faces, and say whose each is: the visible one that fits best."""
    wall = _wall(np.random.default_rng(seed))
    times = [k / RATE for k in range(round(scene.seconds * RATE))]
    pictures, faces, people = [], [], []
    for t in times:
        moment = scene.at(t)
        picture, boxes, seen = paint(moment, cast, t, wall)
        found = detector.detect(picture, Noise.clean())
        pictures.append(picture)
        faces.append(found)
        people.append(_whose(found, moment[0], boxes, seen, cast))
    return Sequence(scene.name, scene.group, times, pictures, faces, people)


def _whose(
    found: Faces, spots: list[Spot], boxes: np.ndarray, seen: np.ndarray, cast: list[Actor]
) -> list[str | None]:
    names: list[str | None] = []
    for box in found.boxes:  # by falling score: a second box on one face is nobody's
        low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
        common = (high - low).clip(0).prod(1)
        iou = common / ((boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - common)
        fits = [*np.where(seen >= SEEN, iou * seen.clip(0, 1), 0), 0.2]
        best = int(np.argmax(fits))
        name = cast[spots[best].person].name if best < len(spots) else None
        names.append(None if name in names else name)
    return names
