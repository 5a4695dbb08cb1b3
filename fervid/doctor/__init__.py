"""`fervid doctor`: what works on this machine, and what to do about what does not.

A check is a function from facts to findings, and a second one gathers its facts; so every finding
can be had on any machine.
"""

from dataclasses import dataclass
from typing import Literal

# ok: works. note: works less well, or something optional is not there. bad: needed, does not work.
Status = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: What was looked at, one or two words.
        status: Whether it works.
        found: What is there, in words.
        todo: What to do about it; empty where nothing need be done.
    """

    name: str
    status: Status
    found: str
    todo: str = ""
