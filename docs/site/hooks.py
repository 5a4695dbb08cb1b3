"""What MkDocs needs to be told of pages that are also read in the repository."""

import re
from pathlib import Path, PurePosixPath

from mkdocs.plugins import get_plugin_logger

_log = get_plugin_logger("fervid")
OUTWARDS = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)\)")
DOCS = Path(__file__).parents[1]


def on_page_markdown(markdown, page, config, files):
    """Name files of the repository that the site does not hold, instead of linking them."""
    here = PurePosixPath(page.file.src_uri).parent

    def named(found):
        target = (DOCS / here / found[2]).resolve()
        if target.is_relative_to(DOCS):
            return found[0]
        if not target.exists():
            _log.warning("%s links %s, which is not there", page.file.src_uri, found[2])
        return f"{found[1]} (`{target.relative_to(DOCS.parent).as_posix()}`)"

    return OUTWARDS.sub(named, markdown)
