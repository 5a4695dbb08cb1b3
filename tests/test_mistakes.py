"""Every mistake of the table: what is said, the exit code, what stays on disk."""

import json
import re

import pytest

from fervid.cli import DONE, FAILED, UNREAD, USAGE
from tests.mistakes.document import IDENTITY, PLACE
from tests.mistakes.record import Mistake
from tests.mistakes.running import Seen, look
from tests.mistakes.table import MISTAKES
from tests.places import ROOT

PROGRESS = re.compile(r": (frame \d+|no frame)")
SECRET = "s3cret"


@pytest.fixture
def seen(request, tmp_path) -> Seen:
    mistake: Mistake = request.param
    if mistake.inside() is None:
        pytest.skip("this system lets nobody mount, change permissions or make a terminal")
    folder = tmp_path / "folder"
    folder.mkdir()
    return look(mistake, folder)


@pytest.mark.parametrize(
    ("mistake", "seen"),
    [pytest.param(m, m, id=m.name) for m in MISTAKES],
    indirect=["seen"],
)
def test_a_mistake(mistake: Mistake, seen: Seen):
    assert seen.code == mistake.code, seen.err
    check_words(mistake, seen)
    assert seen.left == set(mistake.left)
    assert seen.changed == set(mistake.changed)
    for journal in seen.journals:
        header, *frames, _ = journal.split("\n")  # a full disk may cut the last line off
        assert "classes" in json.loads(header)
        assert all("faces" in json.loads(line) for line in frames)


# The table at the end: its title, its rows (which begin with a space), and where results are.
TABLE = re.compile(r"\d+ sources?\b| |results: |$")


def check_words(mistake: Mistake, seen: Seen) -> None:
    """One line that is expected, no traceback, no secret, nothing that a terminal would obey."""
    others = [line for line in seen.said if not any(re.search(m, line) for m in mistake.more)]
    assert len(others) == bool(mistake.says), seen.err
    if mistake.says:
        assert re.search(mistake.says, others[0]), others[0]
        assert others[0].endswith((".", "?")) or "fervid -" in others[0], others[0]
    assert len(seen.said) == len(others) + len(mistake.more)
    said = seen.out + seen.err
    assert "Traceback" not in said
    assert SECRET not in said
    assert "\x1b[3" not in seen.err
    if mistake.says and not mistake.python and mistake.name != "stdin-terminal":
        lines = seen.err.splitlines()
        for line in lines:
            expected = line.startswith("fervid: ") or PROGRESS.search(line) or TABLE.match(line)
            assert expected, seen.err


def test_names_are_unique_and_there_are_enough():
    names = [mistake.name for mistake in MISTAKES]
    assert len(set(names)) == len(names) >= 60


def test_every_exit_code_occurs():
    """All but that of Ctrl-C, which is no mistake."""
    assert {m.code for m in MISTAKES if not m.python} == {DONE, FAILED, USAGE, UNREAD}


def test_the_document_lists_every_mistake():
    """`python -m tests.mistakes` writes it anew."""
    text = (ROOT / PLACE).read_text(encoding="utf-8")
    assert IDENTITY.findall(text) == [mistake.name for mistake in MISTAKES]
    assert f"{len(MISTAKES)} mistakes" in text
    assert str(ROOT) not in text
