"""Runs a mistake in a folder of its own, and keeps what it printed and what it left."""

import contextlib
import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import fervid
from fervid.cli import main
from fervid.errors import FervidError
from tests.mistakes.record import Mistake
from tests.mistakes.things import lay
from tests.places import ROOT

PROGRAM = shlex.join([sys.executable, "-m", "fervid"])
NOT_OURS = ("DISPLAY", "WAYLAND_DISPLAY", "FERVID_USER", "FERVID_PASSWORD", "NO_COLOR")
KEPT = "kept"  # beside the folder: what a mount of its own held


@dataclass(frozen=True)
class Seen:
    """What became of a mistake; `said` are the lines that are fervid's own, without its name."""

    code: int | str
    out: str
    err: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    journals: Sequence[str] = ()

    @property
    def said(self) -> list[str]:
        return [
            line.removeprefix("fervid: ")
            for line in re.split(r"[\r\n]+", self.err)
            if line.startswith("fervid: ") and not line.startswith("fervid: warning: ")
        ]

    @property
    def left(self) -> set[str]:
        return set(self.after) - set(self.before)

    @property
    def changed(self) -> set[str]:
        return {name for name, content in self.before.items() if self.after.get(name) != content}


def look(mistake: Mistake, folder: Path) -> Seen:
    """Make the mistake in an empty folder."""
    lay(folder, *mistake.things)
    if mistake.setup:
        mistake.setup(folder)
    before = contents(folder)
    with mistake.around(folder) as found:
        values = {**mistake.values, **(found or {})}
        if mistake.python:
            code, out, err = _python(mistake, folder)
        elif mistake.apart:
            code, out, err = _apart(mistake, folder, values)
        else:
            code, out, err = _here(mistake, folder, values)
    if (folder.parent / KEPT).is_dir():
        shutil.copytree(folder.parent / KEPT, folder / "results", dirs_exist_ok=True)
    after = contents(folder)
    new = [name for name in after if name not in before and name.endswith(".jsonl")]
    journals = [(folder / name).read_text(encoding="utf-8") for name in new]
    return Seen(code, out, err, before, after, journals)


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its name, with the hash of its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or path.is_file():
            content = b"" if path.is_symlink() else path.read_bytes()
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def environment(mistake: Mistake) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    kept.pop("PYTHONUNBUFFERED", None)
    python = os.pathsep.join(filter(None, (mistake.environment.get("PYTHONPATH"), str(ROOT))))
    return {**kept, "COLUMNS": "100", **mistake.environment, "PYTHONPATH": python}


def _here(mistake: Mistake, folder: Path, values: Mapping[str, str]) -> tuple[int, str, str]:
    words = [word.format_map(values) for word in shlex.split(mistake.command)[1:]]
    with _captured() as (out, err), patch.dict(os.environ, environment(mistake), clear=True):
        with contextlib.chdir(folder):
            code = main(words)
        sys.stdout.flush()
        sys.stderr.flush()
        return code, _content(out), _content(err)


def _apart(mistake: Mistake, folder: Path, values: Mapping[str, str]) -> tuple[int, str, str]:
    quoted = {name: shlex.quote(value) for name, value in values.items()}
    line = f'fervid() {{ {PROGRAM} "$@"; }}; {mistake.command.format_map(quoted)}'
    done = subprocess.run(
        [*(mistake.inside() or ()), "bash", "-c", line],
        cwd=folder,
        env=environment(mistake),
        input=mistake.stdin,
        stdin=subprocess.DEVNULL if mistake.stdin is None else None,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, *(text.decode(errors="replace") for text in (done.stdout, done.stderr))


def _python(mistake: Mistake, folder: Path) -> tuple[str, str, str]:
    with contextlib.chdir(folder):
        try:
            eval(mistake.command, {"fervid": fervid})
        except FervidError as error:
            return type(error).__name__, "", f"fervid: {error}\n"
    return "nothing", "", ""


@contextlib.contextmanager
def _captured() -> Iterator[tuple[io.BufferedIOBase, io.BufferedIOBase]]:
    """Catch what is printed, by libraries past Python too."""
    with contextlib.ExitStack() as put_back:
        files = []
        for number, name in ((1, "stdout"), (2, "stderr")):
            file = put_back.enter_context(tempfile.TemporaryFile())
            kept = os.dup(number)
            put_back.callback(os.close, kept)
            os.dup2(file.fileno(), number)
            put_back.callback(os.dup2, kept, number)
            stream = io.TextIOWrapper(io.FileIO(os.dup(number), "w"), write_through=True)
            put_back.enter_context(patch.object(sys, name, put_back.enter_context(stream)))
            files.append(file)
        yield files[0], files[1]


def _content(file) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
