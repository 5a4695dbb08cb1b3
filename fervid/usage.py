"""What is wrong with a command line, in one sentence: cyclopts' errors in fervid's words."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from cyclopts import CycloptsError
from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from fervid import probe
from fervid.config import without_credentials
from fervid.config.section import meant
from fervid.config.values import NAMES
from fervid.nearest import nearest_word


def explained(error: CycloptsError) -> str:
    """Return what is said about an error, without any user or password of an address in it."""
    match error:
        case UnknownOptionError():
            said = _unknown_option(error)
        case UnknownCommandError():
            said = _unknown_command(error)
        case CoercionError() if error.token is not None:
            said = _wrong_value(error)
        case RepeatArgumentError():
            said = f"{error.token.keyword} is given twice; give it once."
        case MissingArgumentError():
            said = _missing_value(error)
        case UnusedCliTokensError():
            words = " ".join(error.unused_tokens or ())
            said = f"`{_command(error)}` cannot use {words}; leave it out."
        case _:
            said = f"{str(error).rstrip('.')}; see fervid --help."
    return " ".join(map(without_credentials, said.split(" ")))


def _command(error: CycloptsError) -> str:
    return " ".join(("fervid", *(error.command_chain or ())))


def _unknown_option(error: UnknownOptionError) -> str:
    given = error.token.keyword or error.token.value
    if probe.exists(Path(given)):
        return f"There is no option {given}; if the file of that name is meant, write ./{given}."
    known = [name for item in error.argument_collection if item.parse for name in item.names]
    near = nearest_word(given.partition("=")[0], known)
    way = f"did you mean {near}?" if near else f"see {_command(error)} --help."
    return f"There is no option {given}; {way}"


def _unknown_command(error: UnknownCommandError) -> str:
    given, outer = (error.unused_tokens or [""])[0], _command(error)
    known = [name for name in (error.app or ()) if not name.startswith("-")]
    near = nearest_word(given, known)
    way = f"did you mean {outer} {near}?" if near else f"known is {', '.join(known)}."
    return f"There is no command {outer} {given}; {way}"


def _wrong_value(error: CoercionError) -> str:
    token, kind = error.token, error.target_type
    if token is None:  # `explained` has looked
        return str(error)
    name = token.keyword or _name(error)
    if error.msg is not None or kind is None:
        return f"{name}: {str(error).rstrip('.')}; see {_command(error)} --help."
    if kind is bool:
        return f"{name} is a switch and takes no value; leave out {token.value}."
    if get_origin(kind) is Literal:
        return meant(name, token.value, get_args(kind))
    given = token.value or "''"
    return f"{name} must be {NAMES.get(kind, 'another value')}, not {given}."


def _missing_value(error: MissingArgumentError) -> str:
    kind: Any = error.argument.hint if error.argument else None
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    name, choice = error.keyword or _name(error), f"one of {', '.join(choices)}"
    if not name.startswith("-"):
        what = f"`{_command(error)}` needs a {name}"
        return f"{what}, {choice}." if choices else f"{what}; see {_command(error)} --help."
    if choices:
        return f"{name} needs {choice}."
    return f"{name} needs a value; see {_command(error)} --help."


def _name(error: CycloptsError) -> str:
    """What an argument that has no option's name is called."""
    if error.argument is None:
        return "a value"
    return error.argument.name.lstrip("-").upper()
