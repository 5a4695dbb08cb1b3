"""Rules of alerts: `fear > 0.7 for 2s`.

    rule     = what sign number [ "for" time ]
    what     = a class of the model | "faces" | "noise" | "uncertain"
    sign     = ">" | ">=" | "<" | "<="
    time     = number unit          unit = "ms" | "s" | "m" | "min" | "h"

A class is the smoothed probability of each face by itself, 0-1; `faces` is how many there are,
`noise` the severity of the picture's noise, 0-1, and `uncertain` the share of faces whose label is
uncertain, 0-1.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fervid.errors import ConfigError
from fervid.nearest import nearest_word

WORDS = ("faces", "noise", "uncertain")
LIKE = "'fear > 0.7 for 2s'"
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_NUMBER = r"\d{1,9}(?:\.\d*)?|\.\d+"
_RULE = re.compile(
    r"(?P<what>[^<>=]*[^<>=\s])\s*(?P<sign>[<>]=?)\s*(?P<number>[^\s<>=]+)"
    r"(?:\s+for\s+(?P<time>.+))?",
    re.IGNORECASE,
)
_TIME = re.compile(rf"({_NUMBER})\s*({'|'.join(_UNITS)})", re.IGNORECASE)
ALIKE = 0.5  # of 1: a class that is not there is an error anyway


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alert begins.

    Attributes:
        text: as it was written, with single blanks.
        what: a class as it was written, or one of WORDS.
        sign: one of > >= < <=.
        number: what is compared with.
        for_s: seconds that it has to hold without a break.
    """

    text: str
    what: str
    sign: str
    number: float
    for_s: float = 0.0

    @property
    def of_faces(self) -> bool:
        """Whether it is about each face by itself rather than about the picture."""
        return self.what not in WORDS

    def holds(self, value: float) -> bool:
        """Whether a value is as the rule wants it; one that is not defined is not."""
        return _SIGNS[self.sign](value, self.number)


def parse_rule(text: str) -> Rule:
    """Read a rule; whether its class exists is not known here (`fitted`).

    Raises:
        ConfigError: it is none, or holds never or always.
    """
    shown = " ".join(text.split())
    parts = _RULE.fullmatch(shown)
    if parts is None:
        raise _wrong(
            f"--alert must be like {LIKE}: a class, {', '.join(WORDS[:-1])} or {WORDS[-1]}, then "
            f"{' '.join(_SIGNS)}, then a number, all in quotes; not {shown!r}."
        )
    if not re.fullmatch(_NUMBER, parts["number"]):
        raise _wrong(f"--alert {shown!r} needs a number, as {LIKE} has it, not {parts['number']}.")
    what = parts["what"].lower() if parts["what"].lower() in WORDS else parts["what"]
    rule = Rule(shown, what, parts["sign"], float(parts["number"]))
    _refuse_pointless(rule)
    return rule if parts["time"] is None else replace(rule, for_s=_seconds(shown, parts["time"]))


def fitted(rules: Sequence[Rule], classes: Sequence[str]) -> tuple[Rule, ...]:
    """The rules with the names of classes as a model has them; capitals do not matter.

    Raises:
        ConfigError: a rule is about a class that the model does not have.
    """
    known = {name.lower(): name for name in classes if name.lower() not in WORDS}
    named = []
    for rule in rules:
        if not rule.of_faces:
            named.append(rule)
        elif rule.what.lower() in known:
            named.append(replace(rule, what=known[rule.what.lower()]))
        else:
            near = nearest_word(rule.what, [*known, *WORDS], ALIKE)
            way = f"did you mean {near}?" if near else f"known are {', '.join((*known, *WORDS))}."
            raise _wrong(f"--alert {rule.text!r}: the model has no class {rule.what}; {way}")
    return tuple(named)


def _seconds(shown: str, text: str) -> float:
    """The seconds of "2s", "1.5 min" and the like."""
    parts = _TIME.fullmatch(text)
    if parts is None:
        raise _wrong(
            f"--alert {shown!r}: a time is a number with ms, s, m or h, like 2s, not {text!r}."
        )
    return float(parts[1]) * _UNITS[parts[2].lower()]


def _refuse_pointless(rule: Rule) -> None:
    """Stop where no value, or every value, is as a rule wants it."""
    most = float("inf") if rule.what == "faces" else 1.0
    ends = rule.holds(0.0), rule.holds(most)
    if any(ends) and not all(ends):
        return
    raise _wrong(
        f"--alert {rule.text!r} holds {'always' if all(ends) else 'never'}: {rule.what} is at "
        f"least 0{'' if rule.what == 'faces' else ' and at most 1'}; choose another number."
    )


def _wrong(message: str) -> ConfigError:
    return ConfigError(message, "alert")
