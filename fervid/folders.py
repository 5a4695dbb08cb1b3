"""The folder that each source gets below the results' folder."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from fervid import probe
from fervid.config import STDIN, without_credentials
from fervid.config.source import camera_number, is_device
from fervid.images import is_pattern

RESERVED = ("all.parquet", "clips.csv", "manifest.json")  # files that lie beside the folders
LONGEST = 100  # characters of a stream's name; file systems take 255 bytes


def folder_names(sources: Sequence[str], known: Mapping[str, Path] | None = None) -> list[Path]:
    """A relative folder for each source, different for each.

    A file's is its place below the folder that all files share, without its suffix; where two
    would be the same (a.mp4 and a.mkv), both keep it. A stream's is its address without what no
    file name may hold, a camera's its number. What is still the same gets a number.

    Args:
        sources: as they are named.
        known: sources that keep a folder which they have already.
    """
    known = known or {}
    places = {s: _place(s) for s in sources if not is_device(s)}
    try:
        root = Path(os.path.commonpath([place.parent for place in places.values()]))
    except ValueError:  # none, or on two drives
        root = None
    full = []
    for source in sources:
        place = places.get(source, Path(_device_name(source)))
        name = place.relative_to(root) if root and source in places else Path(place.name)
        full.append(name if name.name else Path("root"))
    bare = [_bare(name, places.get(source)) for name, source in zip(full, sources, strict=True)]
    counts = Counter(map(_key, bare))
    counts.update(RESERVED)
    names = [f if counts[_key(b)] > 1 else b for f, b in zip(full, bare, strict=True)]
    new = [source not in known for source in sources]
    order = sorted(range(len(sources)), key=new.__getitem__)  # a name that is taken stays so
    found = _numbered([known.get(sources[i], names[i]) for i in order])
    return [name for _, name in sorted(zip(order, found, strict=True))]


def safe_name(text: str) -> str:
    """A text as part of a file's name: only what every system allows."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")


def _place(source: str) -> Path:
    """Where a file is, by its own name even if that is a link: no `..` and one slash in front."""
    place = Path(os.path.abspath(source).replace("//", "/"))  # noqa: PTH100  resolve() follows links
    if not is_pattern(source):
        return place
    rest = re.sub(r"%\d*d", "", place.stem).strip("-_. ")  # what stands for no number
    return place.parent / rest if rest else place.parent


def _bare(name: Path, place: Path | None) -> Path:
    """A file's name without its suffix; a folder's or device's has none, whatever its dots."""
    if place is None or probe.is_folder(place) or not name.stem.strip("."):
        return name
    return name.with_suffix("")


def _numbered(names: Sequence[Path]) -> list[Path]:
    """The names, each one that occurred before with a number of its own."""
    taken = {*map(_key, names), *RESERVED}
    seen: set[str] = set(RESERVED)
    result = []
    for name in names:
        new, number = name, 1
        while _key(new) in seen or (number > 1 and _key(new) in taken):
            number += 1
            new = name.with_name(f"{name.name}-{number}")
        seen.add(_key(new))
        result.append(new)
    return result


def _key(name: Path) -> str:
    """What a file system that ignores case tells names by."""
    return name.as_posix().casefold()


def _device_name(source: str) -> str:
    """A file name for a stream, a camera or the standard input."""
    if source == STDIN:
        return "stdin"
    number = camera_number(source)
    if number is not None:
        return f"camera-{number}"
    address = without_credentials(source)
    name = safe_name((address.partition("://")[2] or address).replace(".", "-")) or "stream"
    if len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST]}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"
