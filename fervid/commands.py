"""The small commands: help-all, config show, recover, report, elan, list-cameras, completion."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import App, Parameter
from rich.console import Console

from fervid import __version__
from fervid.config import RunConfig
from fervid.config.writing import to_toml
from fervid.console import printable
from fervid.errors import ConfigError, SinkError
from fervid.parser import COMMANDS, ConfigPath, Flat
from fervid.settings import Settings

Shell = Literal["bash", "zsh", "fish"]
Given = Parameter(parse=False)
# What is put in the place of what in a script, so that sources are completed as files.
FILES_TOO: dict[str, dict[str, str]] = {
    "bash": {
        "\ncomplete -F _fervid fervid": """
_fervid_or_files() {
  _fervid
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"
  [[ $cur == -* || $prev == -* ]] && return
  [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} =~ ^(COMMANDS)$ ]] && return
  mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -o default -F _fervid_or_files fervid"""
    },
    "zsh": {
        "'command' commands\n": "'command' commands\n      _files\n",
        "    args)\n": "    args)\n      [[ $words[1] == (COMMANDS) ]] || { _files; return }\n",
    },
}


def show(
    run: Flat = RunConfig(),
    *,
    config: ConfigPath = None,
    console: Annotated[Console, Given],
    settings: Annotated[Settings, Given],
) -> int:
    """Print the effective configuration as TOML, with where each value came from.

    Saved as fervid.toml in the same folder it gives the same configuration, but for users and
    passwords in URLs, which are left out.
    """
    text = to_toml(settings.complete(run), settings.origin)
    _print(console, f"# fervid {__version__}; paths are relative to this folder.\n{text}")
    return 0


def help_all(*, app: Annotated[App, Given]) -> int:
    """Print the help with every option."""
    app.help_formatter = "default"
    app.help_print([])
    return 0


def recover(folder: Path, /, *, console: Annotated[Console, Given]) -> int:
    """Complete what crashed runs left, from the journals in and below a folder.

    It ends with 1 if something is left that could not be completed, or not yet.

    Args:
        folder: The results' folder.
        console: Standard output.
    """
    from fervid.recover import recover as complete

    steps = complete(folder)
    text = "".join(f"{printable(f'{step.path}: {step.done}')}\n" for step in steps)
    _print(console, text or "Everything is complete already.\n")
    return 1 if any(step.left for step in steps) else 0


def report(folder: Path, /, *, overwrite: bool = False, console: Annotated[Console, Given]) -> int:
    """Write report.html for the results in and below a folder, from their journals.

    Args:
        folder: The results' folder.
        overwrite: Replace reports that exist; a new one shows no faces and no heatmaps, which no
            journal holds.
        console: Standard output.
    """
    from fervid.report.again import write_reports

    steps = write_reports(folder, overwrite=overwrite)
    _print(console, "".join(f"{printable(f'{path}: {done}')}\n" for path, done in steps))
    return 0


def elan(
    folder: Path,
    /,
    *,
    least_s: float = 0.2,
    overwrite: bool = False,
    console: Annotated[Console, Given],
) -> int:
    """Write faces.eaf and faces.tsv for ELAN beside the results in and below a folder.

    Args:
        folder: The results' folder.
        least_s: Expressions that hold for less are left out, seconds.
        overwrite: Replace annotations that exist, with what somebody may have changed in them.
        console: Standard output.
    """
    from datetime import datetime

    from fervid.elan import write_annotations

    now = datetime.now().astimezone()
    steps = write_annotations(folder, now, least_s=least_s, overwrite=overwrite)
    _print(console, "".join(f"{printable(f'{path}: {done}')}\n" for path, done in steps))
    return 0


def list_cameras(*, console: Annotated[Console, Given]) -> int:
    """Print the cameras that are there.

    Args:
        console: Standard output.
    """
    from fervid.cameras import describe_cameras

    _print(console, f"{describe_cameras()}\n")
    return 0


def completion(
    shell: Shell, /, *, console: Annotated[Console, Given], app: Annotated[App, Given]
) -> int:
    """Print a completion script; `source <(fervid completion bash)` tries it out.

    Args:
        shell: The shell that it is for.
        console: Standard output.
        app: The parser.
    """
    _print(console, completion_script(app, shell))
    return 0


def install_completion(
    shell: Shell | None = None,
    *,
    console: Annotated[Console, Given],
    app: Annotated[App, Given],
) -> int:
    """Write the completion script into the user's folder, and have the shell load it at its start.

    Args:
        shell: The shell that it is for; by default the one in use.
        console: Standard output.
        app: The parser.

    Raises:
        ConfigError: no known shell is in use.
        SinkError: the script cannot be written.
    """
    try:
        path = app.install_completion(shell=shell or _shell_in_use())
        path.write_text(completion_script(app, shell or _shell_in_use()), encoding="utf-8")
    except OSError as error:
        raise SinkError(
            f"The completion script {error.filename} cannot be written ({error.strerror}); "
            "use `fervid completion bash` and save what it prints yourself.",
            str(error.filename),
        ) from error
    _print(console, f"Wrote {path}; it works in every new terminal.\n")
    return 0


def _shell_in_use() -> Shell:
    """The shell that fervid was started from.

    Raises:
        ConfigError: it is none that is known.
    """
    from cyclopts.completion import ShellDetectionError, detect_shell

    try:
        found = detect_shell()
    except ShellDetectionError:
        found = "powershell"
    if found == "powershell":
        raise ConfigError(
            f"Completion is made for {', '.join(get_args(Shell))}, and none of them is in use; "
            "name one, as in `fervid --install-completion bash`.",
            "shell",
        )
    return found


def completion_script(app: App, shell: Shell) -> str:
    """Cyclopts' script, with the names of files where it offers commands only (not so for fish)."""
    script = app.generate_completion(shell=shell)
    commands = sorted({words.split()[0] for words in COMMANDS})
    for before, after in FILES_TOO.get(shell, {}).items():
        script = script.replace(before, after.replace("COMMANDS", "|".join(commands)), 1)
    return script


def _print(console: Console, text: str) -> None:
    """Print text as it is: no colours, no breaks of lines, no ":o:" turned into a picture."""
    console.out(text, highlight=False, end="")
