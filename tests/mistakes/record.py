"""What a mistake is: what is typed, what a person is told, the exit code, what stays on disk."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

Around = Callable[[Path], AbstractContextManager[Mapping[str, str] | None]]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake and what becomes of it.

    Attributes:
        name: short and unique.
        what: the mistake in words, for the document.
        command: as typed. Words in braces are filled in by `values` and `around`. With `apart` it
            is a shell's line, with redirections.
        code: the exit code; for a line of Python (`python`) the name of the error.
        says: a regular expression that is found in the one line that is said; "" where nothing is.
        things: what lies in the folder before, by name (things.py).
        setup: does more about the folder before.
        left: files that are there afterwards and were not before.
        changed: files that were there before and are others afterwards, or gone.
        around: what is open while the command runs, such as a server.
        values: what stands for words in braces.
        environment: variables of the process.
        apart: whether it needs a process of its own.
        inside: a command that runs the process, such as `unshare`; None where there is none here,
            and the mistake is left out.
        stdin: what comes through standard input.
        python: a line of Python instead of a command.
        more: other lines beginning with "fervid: " that are expected, as regular expressions.
    """

    name: str
    what: str
    command: str
    code: int | str
    says: str
    things: tuple[str, ...] = ()
    setup: Callable[[Path], object] | None = None
    left: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    around: Around = field(default=lambda folder: nullcontext())
    values: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    apart: bool = False
    inside: Callable[[], tuple[str, ...] | None] = field(default=tuple)
    stdin: bytes | None = None
    python: bool = False
    more: tuple[str, ...] = ()
