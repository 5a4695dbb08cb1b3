"""The commands that the documents tell a reader to type, and those that no test runs, with why."""

import re
import shlex
from typing import NamedTuple

from tests.places import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What begins a command in an indented block, which may be a diagram or output too.
PROGRAMS = ("fervid", "python", "python3", "pip", "mkdocs", "ffmpeg", "git", "tests/all")
# Patterns of commands that are not run, page by page or (page "") on all pages.
NOT_RUN: tuple[tuple[str, str, str], ...] = (
    ("", r"^python3 -m venv|^pip install|^tests/all", "downloads; .ci/run does it"),
    ("", r"--camera", "needs a camera; tests/fervid/test_cameras.py has a stand-in"),
    ("", r"(rtsp|rtmp|https?|udp)://", "needs a stream; tests/fervid/test_streams.py has servers"),
    ("", r"(s3|sftp)://", "needs such a server; tests/test_remote_run.py has archives"),
    ("", r"--data PATH", "needs FER2013, and hours"),
    ("", r"--serve", "serves until it is stopped; its own tests do that"),
    ("", r"^(docker|podman|systemctl|journalctl|sudo|kubectl|curl|apt)", "needs another system"),
    ("index.md", r"^fervid archive/", "needs an archive; tests/test_whole_run.py has one"),
    ("archives.md", r"^fervid (archive/|night)", "need archives; tests/fervid/test_chunks.py"),
    ("speed.md", r"^python -m (fervid|tests)\.bench", "takes minutes; tests/fervid/test_bench.py"),
    ("report.md", r"report_picture\.py", "needs Chromium; tests/fervid/test_report_page.py"),
)


class Command(NamedTuple):
    """A command: its page, the line it stands on, and what is typed."""

    page: str
    line: int
    text: str

    @property
    def not_run(self):
        """Why no test runs it; "" for the others."""
        found = (
            why
            for page, pattern, why in NOT_RUN
            if page in ("", self.page) and re.search(pattern, self.text)
        )
        return next(found, "")


def commands(path):
    """The commands of a page, in their order, one that goes on after a backslash as one."""
    found = []
    text = path.read_text(encoding="utf-8")
    # Fences become blank lines of the same number, so that what is left is prose and blocks.
    rest = FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)
    for fence in FENCE.finditer(text):
        if fence[1] in ("bash", "console", "sh"):
            first = text.count("\n", 0, fence.start(2)) + 1
            found += _typed(path.name, first, fence[2].splitlines(), fenced=True)
    indented = [line[4:] if line.startswith("    ") else "" for line in rest.splitlines()]
    found += _typed(path.name, 1, indented, fenced=False)
    return sorted(found, key=lambda command: command.line)


def _typed(page, first, lines, *, fenced):
    joined, start = "", first
    for number, line in enumerate(lines, start=first):
        start = start if joined else number
        joined += line.strip().removeprefix("$ ")
        if joined.endswith("\\"):
            joined = joined.removesuffix("\\")
            continue
        typed, joined = joined, ""
        known = typed.startswith(tuple(f"{name} " for name in PROGRAMS)) or typed in PROGRAMS
        if typed and not typed.startswith("#") and (fenced or known):
            yield Command(page, start, _without_comment(typed))


def _without_comment(typed):
    """A command without what a shell takes for a comment."""
    words = shlex.split(typed, comments=True, posix=False)
    return " ".join(words)
