"""The existing file, the pattern of files, or the word that somebody probably meant."""

import glob
from collections.abc import Iterable
from contextlib import suppress
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path

from fervid import probe

ALIKE = 0.6  # of 1; `median` and `medain` are .83
ALIKE_STEMS = 0.5  # .mp4 alone makes no two names alike


def nearest(path: Path) -> Path | None:
    """Return the file or folder whose name is most like that of one that does not exist.

    Of a path whose folders do not exist either, the first missing part is compared.
    """
    missing = path
    while not probe.exists(missing.parent):
        missing = missing.parent
    with suppress(OSError, ValueError):
        there = [other for other in missing.parent.iterdir() if other.name != missing.name]
        names = {other.name.casefold(): other for other in there if probe.exists(other)}
        close = get_close_matches(missing.name.casefold(), names, 3, ALIKE)
        near = next((names[name] for name in close if _alike(names[name], missing)), None)
        inside = near / path.relative_to(missing) if near else None
        return inside if inside and probe.exists(inside) else near
    return None


def nearest_pattern(pattern: str) -> str | None:
    """For a pattern that no file fits: one with a suffix that files there have, or a folder."""
    path = Path(pattern)
    fixed = next(p for p in (path, *path.parents) if not glob.has_magic(str(p)))
    if not probe.exists(fixed):
        near = nearest(fixed)
        return None if near is None else str(near)
    with suppress(OSError):
        there = {f.suffix for f in path.parent.iterdir() if f.suffix}
        suffix = nearest_word(path.suffix, there - {path.suffix})
        return str(path.with_suffix(suffix)) if suffix else None
    return None


def or_else(path: Path, otherwise: str) -> str:
    """Return the way out for a file that does not exist: "did you mean", or something else."""
    near = nearest(path)
    return f"did you mean {near}?" if near else f"{otherwise}."


def nearest_word(word: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """Return the known word that is most like one that is not known, None if none is."""
    names = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), names, 3, alike)
    # Before all others a word of the same letters, two of them changed over.
    close.sort(key=lambda name: sorted(name) != sorted(word.casefold()))
    return names[close[0]] if close else None


def _alike(one: Path, other: Path) -> bool:
    stems = (one.stem.casefold(), other.stem.casefold())
    return SequenceMatcher(None, *stems).ratio() >= ALIKE_STEMS
