"""From what a person named to sources: folders, globs and sequences of images taken apart.

    folder          every video below it; images where no video lies beside them: one sequence if
                    their names differ in the last number alone, else each by itself
    'clips/*.mkv'   (quoted) every file that fits; an image is always a source of its own
    f/%05d.png      one sequence
    s3://b/*.mp4    folders and patterns of files elsewhere, as here (listing.py)
    anything else   itself: a file, "-", a camera, a URL

Hidden files, and what fervid wrote, are passed over: a folder that holds the videos and the
results of the last run gives the videos.
"""

import glob
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from fervid import probe
from fervid.config import RunConfig, without_credentials
from fervid.config.addresses import is_fetched, local_name
from fervid.config.source import identity, is_device
from fervid.containers import VIDEO_SUFFIXES
from fervid.errors import ConfigError, SourceOpenError
from fervid.images import is_image, is_sequence, natural
from fervid.listing import listed
from fervid.nearest import nearest_pattern
from fervid.outputs import JOURNAL, SUMMARY, VIDEO

_log = logging.getLogger(__name__)


class _Written:
    """Knows what fervid wrote, or is about to write."""

    def __init__(self, config: RunConfig) -> None:
        out = config.output.out
        self._out = None if out is None else probe.real(out)
        self._files = {probe.real(path) for path in config.output.files()}
        self._results: dict[Path, bool] = {}

    def has(self, path: Path, base: Path) -> bool:
        """Whether a file or folder is an output, or lies among outputs below `base`."""
        place, root = probe.real(path), probe.real(base)
        if place in self._files:
            return True
        for folder in (place, *place.parents):
            if not folder.is_relative_to(root):
                return False
            if (folder == self._out and folder != root) or self._is_result(folder):
                return True
        return False

    def _is_result(self, folder: Path) -> bool:
        """Whether a folder is one that `-o` fills for a source."""
        if folder not in self._results:
            others = (folder / VIDEO, folder / SUMMARY)  # --no-images, a killed run
            journal = probe.is_file(folder / JOURNAL)
            self._results[folder] = journal and any(map(probe.is_file, others))
        return self._results[folder]


def expand(config: RunConfig) -> list[str]:
    """Return every source of a run, each as `open_source` takes it, in the order they were named.

    Raises:
        SourceOpenError: a folder or glob holds nothing that could be read.
        ConfigError: a source is named twice.
    """
    written = _Written(config)
    named: dict[str, tuple[str, str]] = {}  # what a source is: the source, what it was named by
    for given in config.all_sources():
        found: dict[str, str] = {}
        for source in _expand_one(given, written):  # of a file and links to it the first counts
            found.setdefault(identity(source), source)
        for what, source in found.items():
            if what in named:
                raise ConfigError(_twice(source, given, named[what][1]), "sources")
            named[what] = source, given
    sources = [source for source, _ in named.values()]
    _tell_unused(config, sources)
    return sources


def _tell_unused(config: RunConfig, sources: list[str]) -> None:
    """Say which `[[source]]` tables no source of the run has: one may be misspelt."""
    for own in config.per_source:
        if not any(map(own.applies_to, sources)):
            shown = without_credentials(own.uri)
            _log.warning("The [[source]] settings of %s apply to no source of this run.", shown)


def _twice(source: str, given: str, before: str) -> str:
    """What is said about a source that is named twice."""
    shown, given, before = (without_credentials(name) for name in (source, given, before))
    if given == before or source in (given, before):
        by = "" if given == before else f", by {before} and by {given}"
    else:
        by = f", by {before} and by {given}"
    return f"The source {shown} is named twice{by}; name each source once."


def _expand_one(given: str, written: _Written) -> list[str]:
    """The sources that one argument names."""
    given = local_name(given)
    if is_fetched(given):
        return listed(given)
    if not given or is_device(given):
        return [given]
    path = Path(given)
    if probe.is_folder(path):
        return _folder(path, written)
    if not glob.has_magic(given) or probe.exists(path):
        return [given]
    return _glob(given, written)


def _folder(folder: Path, written: _Written) -> list[str]:
    """The sources in a folder and the folders below it.

    Raises:
        SourceOpenError: there are none.
    """
    if probe.real(folder) == Path(probe.real(folder).anchor):
        raise SourceOpenError(
            f"The folder {folder} is a whole disk; name the folder that holds the videos.",
            str(folder),
        )
    found = list(_walk(folder, folder, written, set()))
    if found:
        return found
    try:
        empty = not any(folder.iterdir())
    except OSError as error:
        raise SourceOpenError(
            f"The folder {folder} cannot be read ({error.strerror}); check its permissions.",
            str(folder),
        ) from error
    what = "is empty" if empty else "holds no video or image"
    if written.has(folder, folder):
        what = "holds results of fervid, which are not analysed again"
    raise SourceOpenError(
        f"The folder {folder} {what}; name a folder with videos, or a file.", str(folder)
    )


def _walk(folder: Path, base: Path, written: _Written, seen: set[Path]) -> Iterator[str]:
    """Yield the sources of a folder, then those of the folders in it; each folder once."""
    place = probe.real(folder)  # links may lead back
    if place in seen or written.has(folder, base):
        return
    seen.add(place)
    try:
        inside = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        if folder != base:
            _log.warning("%s cannot be read (%s) and is passed over", folder, error.strerror)
        return
    inside.sort(key=lambda entry: natural(entry.name))
    folders = [entry for entry in inside if probe.is_folder(entry)]
    files = [f for f in inside if probe.is_file(f) and not written.has(f, base)]
    videos = [f for f in files if f.suffix.lower() in VIDEO_SUFFIXES]
    images = [f for f in files if is_image(f)]
    if videos and images:
        text = "%s: images beside videos are passed over (%d); a glob in quotes would name them"
        _log.warning(text, folder, len(images))
        images = []
    if is_sequence(images):
        yield str(folder)
    else:
        yield from map(str, videos + images)
    for below in folders:
        yield from _walk(below, base, written, seen)


def _glob(pattern: str, written: _Written) -> list[str]:
    """The files that fit a pattern; folders that fit are taken apart.

    Files with other suffixes than a video's or an image's are left out, if any has one.

    Raises:
        SourceOpenError: none fits.
    """
    still = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    base = Path(still) if still.endswith("/") else Path(still).parent
    fits = [Path(name) for name in glob.iglob(pattern, recursive=True)]  # noqa: PTH207 - hides hidden files
    fits = sorted((f for f in fits if not written.has(f, base)), key=natural)
    files = [f for f in fits if not probe.is_folder(f)]
    known = [f for f in files if f.suffix.lower() in VIDEO_SUFFIXES or is_image(f)]
    sources = [str(f) for f in known or files]
    if "**" not in pattern:
        for folder in filter(probe.is_folder, fits):
            sources += _walk(folder, folder, written, set())
    if not sources:
        near = nearest_pattern(pattern)
        way = f"did you mean {near}?" if near else "check the folder and the pattern."
        raise SourceOpenError(f"No file fits {pattern}; {way}", pattern)
    return sources
