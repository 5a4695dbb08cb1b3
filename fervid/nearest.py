"""The existing file, or the pattern of files, that somebody probably meant."""

import glob
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path


def nearest(path: Path) -> Path | None:
    """Return the file or folder whose name is most like that of one that does not exist.

    Of a path whose folders do not exist either, the first missing part is compared.
    """
    missing = path
    with suppress(OSError, ValueError):
        while not missing.parent.exists():
            missing = missing.parent
        names = {other.name.casefold(): other for other in missing.parent.iterdir()}
        close = get_close_matches(missing.name.casefold(), names, 1)
        return names[close[0]] if close else None
    return None


def nearest_pattern(pattern: str) -> str | None:
    """For a pattern that no file fits: one with a suffix that files there have, or a folder."""
    path = Path(pattern)
    fixed = next(p for p in (path, *path.parents) if not glob.has_magic(str(p)))
    if not fixed.exists():
        near = nearest(fixed)
        return None if near is None else str(near)
    with suppress(OSError):
        there = {f.suffix for f in path.parent.iterdir() if f.suffix}
        close = get_close_matches(path.suffix, sorted(there))
        # Of names equally near, the one with two letters changed over.
        close.sort(key=lambda suffix: sorted(suffix) != sorted(path.suffix))
        return str(path.with_suffix(close[0])) if close else None
    return None
