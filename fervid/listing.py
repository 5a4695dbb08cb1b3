"""From an address of fsspec to sources: folders and patterns taken apart as local ones are.

What cannot be listed stays one source, which fails with its reason while the others go on.
Sequences of images are refused: they are read from a disk.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from fervid.containers import VIDEO_SUFFIXES
from fervid.errors import LibraryMissing, SourceOpenError
from fervid.images import is_image, is_sequence, natural
from fervid.outputs import JOURNAL, SUMMARY, VIDEO
from fervid.remote import Remote, locate

_log = logging.getLogger(__name__)

About = Mapping[str, Any]


def listed(address: str) -> list[str]:
    """The sources that an address names: a file itself, the files of a folder or pattern.

    Raises:
        SourceOpenError: a folder or pattern holds nothing that could be read.
    """
    try:
        there = locate(address, fresh=True)
        about = there.about()
        if about is None and there.is_pattern:
            found = _matching(there)
        elif about is not None and about.get("type") == "directory":
            found = there.below(there.path)
        else:
            return [address]
    except (LibraryMissing, SourceOpenError):
        return [address]  # whoever opens it tells why
    names = _fitting(there, found) if about is None else _in_folder(there, there.path, found)
    return [there.url_of(name) for name in names]


def _matching(there: Remote) -> dict[str, About]:
    """What fits a pattern, and what lies below the folders that fit; `**` goes there by itself."""
    found = there.fitting()
    if "**" not in there.path:
        for folder in [name for name, about in found.items() if about.get("type") == "directory"]:
            found |= there.below(folder)
    return found


def _fitting(there: Remote, found: Mapping[str, About]) -> list[str]:
    """The files of a pattern; those with a video's or an image's suffix, if any has one.

    Raises:
        SourceOpenError: none fits.
    """
    base = PurePosixPath(there.path)
    depth = next((n for n, part in enumerate(base.parts) if set(part) & set("*?[")), 0)
    names = _without_hidden_and_results(found, len(base.parts[:depth]))
    known = [name for name in names if _is_video(name) or is_image(PurePosixPath(name))]
    if not names:
        raise SourceOpenError(
            f"No file fits {there.shown}; check the folder and the pattern.", there.shown
        )
    return known or names


def _in_folder(there: Remote, folder: str, found: Mapping[str, About]) -> list[str]:
    """The files of a folder and of those below it: videos, and images where no video lies beside.

    Raises:
        SourceOpenError: there are none, or images that are a sequence.
    """
    depth = len(PurePosixPath(folder).parts)
    names = _without_hidden_and_results(found, depth)
    places = dict.fromkeys(str(PurePosixPath(name).parent) for name in names)
    sources = []
    for place in places:
        inside = [name for name in names if str(PurePosixPath(name).parent) == place]
        sources += _sources(there, place, inside)
    if sources:
        return sources
    what = "holds no video or image" if found else "is empty"
    if found and not names:
        what = "holds results of fervid or hidden files, which are not analysed"
    raise SourceOpenError(
        f"The folder {there.shown} {what}; name a folder with videos, or a file.", there.shown
    )


def _sources(there: Remote, place: str, names: Sequence[str]) -> list[str]:
    """The sources among the files of one folder."""
    videos = [name for name in names if _is_video(name)]
    images = [name for name in names if is_image(PurePosixPath(name))]
    shown = PurePosixPath(place).name
    if videos and images:
        text = "%s: images beside videos are passed over (%d); a glob in quotes would name them"
        _log.warning(text, shown, len(images))
        return videos
    if is_sequence([PurePosixPath(name) for name in images]):
        raise SourceOpenError(
            f"{there.shown} holds images that are a sequence ({shown}), which is read from this "
            "machine alone; copy that folder, or name the images by a pattern.",
            there.shown,
        )
    return videos + images


def _without_hidden_and_results(found: Mapping[str, About], depth: int) -> list[str]:
    """Files in the order in which a person looks for them: a folder's own, then those below.

    Args:
        found: files and folders.
        depth: names in a path up to the folder, of which nothing is hidden.
    """
    files = [name for name, about in found.items() if about.get("type") != "directory"]
    files = [name for name in files if not _is_hidden(name, depth)]
    written = _results(files)
    files = [name for name in files if not _parents(name) & written]
    return sorted(files, key=_order)


def _is_hidden(name: str, depth: int) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts[depth:])


def _results(files: Iterable[str]) -> set[str]:
    """The folders that `-o` has filled for a source."""
    inside: dict[str, set[str]] = {}
    for name in files:
        path = PurePosixPath(name)
        inside.setdefault(str(path.parent), set()).add(path.name)
    return {
        place for place, names in inside.items() if JOURNAL in names and {VIDEO, SUMMARY} & names
    }


def _parents(name: str) -> set[str]:
    return set(map(str, PurePosixPath(name).parents))


def _order(name: str) -> list[tuple[bool, list[tuple[int, str]]]]:
    """A key by which a folder's files come before the folders in it, each as people sort."""
    *folders, file = PurePosixPath(name).parts
    return [(True, natural(folder)) for folder in folders] + [(False, natural(file))]


def _is_video(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES
