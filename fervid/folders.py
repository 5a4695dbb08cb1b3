"""The folder that each source gets below the results' folder."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from fervid import probe
from fervid.config import STDIN, without_credentials
from fervid.config.addresses import CACHES, is_fetched, links
from fervid.config.source import camera_number, is_device
from fervid.images import is_pattern

RESERVED = ("all.parquet", "clips.csv", "manifest.json")  # files that lie beside the folders
LONGEST = 100  # characters of a stream's name; file systems take 255 bytes


def folder_names(sources: Sequence[str], known: Mapping[str, Path] | None = None) -> list[Path]:
    """A relative folder for each source, different for each.

    A file's is its place below the folder that all files share, without its suffix; where two
    would be the same (a.mp4 and a.mkv), both keep it. So it is of files elsewhere, by what they
    share. A stream's is its address without what no
    file name may hold, a camera's its number. What is still the same gets a number.

    Args:
        sources: as they are named.
        known: sources that keep a folder which they have already.
    """
    known = known or {}
    elsewhere = {s: _remote_place(s) for s in sources if is_fetched(s)}
    here = {s: _place(s) for s in sources if not is_device(s) and s not in elsewhere}
    below = _below(elsewhere) | _below(here)
    full = [below.get(source) or Path(_device_name(source)) for source in sources]
    places = dict.fromkeys(elsewhere) | here
    bare = [
        _bare(name, places[source]) if source in places else name
        for name, source in zip(full, sources, strict=True)
    ]
    counts = Counter(map(_key, bare))
    counts.update(RESERVED)
    names = [f if counts[_key(b)] > 1 else b for f, b in zip(full, bare, strict=True)]
    new = [source not in known for source in sources]
    order = sorted(range(len(sources)), key=new.__getitem__)  # a name that is taken stays so
    found = _numbered([known.get(sources[i], names[i]) for i in order])
    return [name for _, name in sorted(zip(order, found, strict=True))]


def _below(places: Mapping[str, Path]) -> dict[str, Path]:
    """Places below the folder that all of them share."""
    try:
        root = Path(os.path.commonpath([place.parent for place in places.values()]))
    except ValueError:  # none, or on two drives
        return {source: Path(place.name or "root") for source, place in places.items()}
    names = {source: place.relative_to(root) for source, place in places.items()}
    return {source: name if name.name else Path("root") for source, name in names.items()}


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


def _remote_place(source: str) -> Path:
    """Where a file elsewhere is, as a path of names that every system takes; from the root.

    An archive counts as the folder of what is in it.
    """
    parts: list[str] = []
    for link in reversed(links(without_credentials(source))):
        if link.lower() not in CACHES:
            parts += re.split(r"[/\\]+", link.partition("://")[2] or link)
    names = [_short(safe_file_name(part)) for part in parts]
    return Path("/", *filter(None, names))


def safe_file_name(text: str) -> str:
    """A name elsewhere as a file's name here: without what some system forbids, never hidden."""
    return re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "-", text).strip(". ")


def _short(name: str) -> str:
    """A name that is not too long, and still differs from other long ones; its suffix stays."""
    if len(name) <= LONGEST:
        return name
    mark = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    suffix = Path(name).suffix[:10]
    return f"{name[: LONGEST - len(suffix)]}-{mark}{suffix}"


def _bare(name: Path, place: Path | None) -> Path:
    """A file's name without its suffix; a folder's has none, whatever its dots.

    Args:
        name: below the results' folder.
        place: where the file is on this machine; None for one that is elsewhere.
    """
    if (place is not None and probe.is_folder(place)) or not name.stem.strip("."):
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
