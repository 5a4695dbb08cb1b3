"""The table of cases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fervid.bench.figures import LIMIT, Figures
from fervid.bench.material import Material
from fervid.bench.measure import SOURCES_FPS, bare, live, recording, together
from fervid.bench.processes import memory, start_up
from fervid.bench.scenes import GRIDS, SIZES, repeated
from fervid.errors import ConfigError
from fervid.nearest import nearest_word

Measure = Callable[[Material], Figures]


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table: `quick` ones are measured by --quick too, `once` ones in one round."""

    name: str
    what: str
    measure: Measure
    quick: bool = False
    once: bool = False


def table(models: Sequence[str]) -> list[Case]:
    """Every case.

    Args:
        models: names of more models than fervid's own.
    """
    clip = [
        Case(LIMIT, "the network alone in a loop, one face", _bare(0), quick=True),
        Case("analysis", "the clip, nothing drawn or written", _analysis(0), quick=True),
        Case("heatmap", "the clip, every frame drawn with its heatmap", _heatmap, quick=True),
        Case("video", "the clip, drawn and written: video, rows, tables", _video, quick=True),
    ]
    grid = [
        Case(
            f"{faces}x{size}",
            f"{faces} faces in {size} frames, written",
            _scene(faces, size, written=True),
            quick=(faces, size) == (12, "720p"),
        )
        for size in SIZES
        for faces in GRIDS
    ]
    dense = Case("12x720p-analysis", "12 faces in 720p frames", _scene(12, "720p", written=False))
    many = [
        Case(
            f"sources-{n}{'-video' if images else ''}",
            f"{n} cameras of {SOURCES_FPS} fps at once, rows {'and videos ' * images}written",
            _together(n, images),
        )
        for n, images in ((1, False), (4, False), (4, True))
    ]
    rest = [
        Case("live", "a camera of 30 fps, drawn: latency", live, quick=True),
        Case("live-video", "a camera of 30 fps, drawn and written: latency", _live_video),
        Case("start", "fresh process until the first row", lambda m: start_up(m.clip), quick=True),
        Case("memory", "fresh process, 1080p, written", _memory, once=True),
    ]
    others = [
        case
        for k, name in enumerate(models, 1)
        for case in (
            Case(f"{LIMIT}:{name}", f"{name} alone in a loop, one face", _bare(k)),
            Case(f"analysis:{name}", f"the clip with {name}", _analysis(k)),
        )
    ]
    return [*clip, *grid, dense, *many, *rest, *others]


def chosen(cases: Sequence[Case], only: Sequence[str], *, quick: bool) -> list[Case]:
    """The cases that were asked for, LIMIT always among them.

    Args:
        cases: all of them.
        only: names or patterns such as "12x*"; none: all, or those that are quick.
        quick: whether only quick ones are wanted where no names are given.

    Raises:
        ConfigError: a pattern fits none.
    """
    for pattern in only:
        if not any(fnmatchcase(case.name, pattern) for case in cases):
            close = nearest_word(pattern, [case.name for case in cases])
            hint = f"did you mean {close}?" if close else "--list names them."
            raise ConfigError(f"There is no case {pattern}; {hint}", "only")
    return [
        case
        for case in cases
        if case.name == LIMIT
        or any(fnmatchcase(case.name, pattern) for pattern in only)
        or (not only and (case.quick or not quick))
    ]


def _bare(k: int) -> Measure:
    return lambda m: bare(m, list(m.models.values())[k], m.size.frames)


def _analysis(k: int) -> Measure:
    return lambda m: recording(m.clip, list(m.models.values())[k])


def _heatmap(material: Material) -> Figures:
    return recording(material.clip, material.backend, heatmap=True)


def _video(material: Material) -> Figures:
    return recording(material.clip, material.backend, out=material.new_folder())


def _scene(faces: int, size: str, *, written: bool) -> Measure:
    def measure(material: Material) -> Figures:
        out = material.new_folder() if written else None
        return recording(material.scene(faces, size), material.backend, out=out)

    return measure


def _together(sources: int, images: bool) -> Measure:
    return lambda material: together(material, sources, images=images)


def _live_video(material: Material) -> Figures:
    return live(material, out=material.new_folder())


def _memory(material: Material) -> Figures:
    clip, frames = material.scene(1, "1080p"), material.size.memory_frames
    if frames:
        clip = repeated(clip, material.folder / "memory.mkv", frames)
    return memory(clip, material.new_folder())
