"""The table of mistakes as a document, with what was really printed."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fervid.console import printable
from tests.mistakes.record import Mistake
from tests.mistakes.running import Seen, look
from tests.mistakes.table import MISTAKES, TABLE
from tests.places import ROOT

PLACE = "docs/mistakes.md"
IDENTITY = re.compile(r"^\| `([\w-]+)` \|", re.MULTILINE)
LONGEST = 60  # of a word that is repeated letters
HEAD = """\
# Mistakes

{count} mistakes and what becomes of them: what is typed (or what is wrong around it), what fervid
says, its exit code, and which files are there afterwards that were not before. Files that were
there before are never changed. `tests/test_mistakes.py` makes each of them;
`python -m tests.mistakes` writes this page with what was printed. Progress lines are left out;
`tiny.onnx` is a small network that stands in for a model.

Exit codes: 0 done, 1 a source, model or output failed, 2 wrong usage, 141 the reader of standard
output has gone. A mistake in Python shows the name of the error instead.
"""
COLUMNS = "| | mistake | command | fervid says | code | left |\n|---|---|---|---|---|---|\n"


def document() -> str:
    """Make every mistake, and return the page."""
    return "".join(_parts())


def _parts() -> Iterator[str]:
    yield HEAD.format(count=len(MISTAKES))
    for title, group in TABLE.items():
        yield f"\n## {title}\n\n{COLUMNS}"
        for mistake in group:
            yield _row(mistake)


def _row(mistake: Mistake) -> str:
    if mistake.inside() is None:
        said, code, left = "(could not be made where this page was written)", mistake.code, ""
    else:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "folder"
            folder.mkdir()
            seen = look(mistake, folder)
            said, code = _said(seen, folder), seen.code
            left = ", ".join(f"`{name}`" for name in sorted(seen.left))
    cells = (f"`{mistake.name}`", mistake.what, f"`{_command(mistake)}`", said, str(code), left)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _command(mistake: Mistake) -> str:
    """The command as it is typed; what stands for a port stays in braces."""
    command = mistake.command
    for name, value in mistake.values.items():
        command = command.replace(f"{{{name}}}", f"'{value}'")
    given = "".join(f"{name}={value} " for name, value in mistake.environment.items())
    return _short(printable(f"{given}{command}".replace("{{", "{").replace("}}", "}")))


def _said(seen: Seen, folder: Path) -> str:
    """What was said, without what differs from one machine and run to the next."""
    lines = [_short(line) for line in seen.said]
    text = "<br>".join(lines).replace(str(folder), "FOLDER").replace(str(ROOT), "CHECKOUT")
    text = re.sub(r"127\.0\.0\.1:\d{4,5}\b", "127.0.0.1:PORT", text)
    text = re.sub(r"(another port, as in --serve) \d{4,5}\b", r"\1 PORT", text)
    text = re.sub(r"127-0-0-1-\d{4,5}\b", "127-0-0-1-PORT", text)
    return text.replace("<", "&lt;").replace("&lt;br>", "<br>").replace("*", "\\*")


def _short(text: str) -> str:
    """Text in which a long row of the same letters is cut."""
    return re.sub(r"((?:x/?){20})(?:x/?)+", r"\1...", text)
