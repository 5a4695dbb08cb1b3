"""The existing file that somebody probably meant."""

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
