"""What is at a place, asked without an error: also of names that no file can have.

pathlib raises for some names (too long, links that lead in a circle, a folder that may not be
entered) and answers others with "no"; which, differs between Python's versions. Whoever opens such
a place gets the system's own reason.
"""

import os
from pathlib import Path


def exists(path: Path) -> bool:
    """Whether anything is there that can be looked at; links are followed."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether a file is there that can be looked at; links are followed."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there that can be looked at; links are followed."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def real(path: Path) -> Path:
    """The absolute place of a name, links resolved as far as they lead anywhere."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        return Path.cwd() / path
