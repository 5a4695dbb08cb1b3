"""The command line's grammar, which cyclopts makes from the classes of fervid/config.

A command is a function whose parameters are its arguments; one called `console`, `settings` or
`app` is handed over by `parse`. To add a command, write such a function and a line in COMMANDS.
It is imported when it is called; it prints data to `console` and returns an exit code, or raises
a FervidError.
"""

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import App, Group, Parameter
from cyclopts.field_info import FieldInfo
from rich.console import Console

from fervid import __version__, probe
from fervid.brief import Brief
from fervid.config import (
    ExplainConfig,
    FaceConfig,
    FilterConfig,
    LabelConfig,
    ModelConfig,
    OutputConfig,
    ReadConfig,
    RunConfig,
    SegmentConfig,
    ServeConfig,
    ThreadConfig,
    WatchConfig,
    WindowConfig,
    without_credentials,
)
from fervid.config.outputs import SINGLE_FILES
from fervid.config.serving import DEFAULT_PORT
from fervid.config.source import is_device
from fervid.errors import ConfigError
from fervid.nearest import nearest_word
from fervid.settings import Settings

MAIN_GROUP = Group("Sources and display", sort_key=1)
OPTIONS_GROUP = Group("Options", sort_key=1)  # of a command that has few
SECTIONS: dict[type, Group] = {
    ReadConfig: Group("Reading", sort_key=2),
    WindowConfig: MAIN_GROUP,
    ServeConfig: MAIN_GROUP,
    OutputConfig: Group("Outputs", sort_key=3),
    SegmentConfig: Group("Outputs", sort_key=3),
    FilterConfig: Group("Noise", sort_key=4),
    FaceConfig: Group("Faces", sort_key=5),
    LabelConfig: Group("Labels", sort_key=6),
    ExplainConfig: Group("Heatmaps", sort_key=7),
    ModelConfig: Group("Model", sort_key=8),
    ThreadConfig: Group("Threads", sort_key=9),
    WatchConfig: Group("Watching", sort_key=10),
}


class Command(NamedTuple):
    """A command: "module:function", what the help says of it, whether it takes a run's options."""

    function: str
    help: str
    takes_run: bool = False


COMMANDS: dict[str, Command] = {
    "doctor": Command(
        "fervid.doctor.command:doctor", "Say what works here, and how to mend what does not."
    ),
    "config show": Command(
        "fervid.commands:show",
        "Print the configuration that flags and fervid.toml make, as TOML.",
        takes_run=True,
    ),
    "recover": Command(
        "fervid.commands:recover", "Complete the tables and summaries that a crash cut off."
    ),
    "report": Command(
        "fervid.commands:report", "Write report.html for results that have none, a page each."
    ),
    "--help-all": Command("fervid.commands:help_all", "Print the help with every option."),
    "elan": Command(
        "fervid.commands:elan", "Write results as annotations for ELAN, and as a table."
    ),
    "--list-cameras": Command("fervid.commands:list_cameras", "Print the cameras that are there."),
    "completion": Command(
        "fervid.commands:completion",
        "Print a script that makes a shell complete fervid's options.",
    ),
    "--install-completion": Command(
        "fervid.commands:install_completion", "Make the shell in use complete fervid's options."
    ),
}
GROUPS = {"config": "`config show` prints the configuration that a run would have."}
IN_CLONE = ("train", "export")
ELSEWHERE = (
    "{name} is not part of the installed program; it needs a source checkout: "
    "`python -m {name}` in a clone of the repository."
)
ALIKE = 0.75  # of 1, words that were meant as a command
SHORT = {"out": "-o", "quiet": "-q", "verbose": "-v"}
BELOW_0 = re.compile(r"-\d[\d.,:-]*")
USAGE_LINE = (
    "Usage: fervid SOURCE... [-o DIR] [OPTIONS]\n"
    "       fervid --camera N [OPTIONS]\n"
    "       fervid doctor | config show | recover | report | elan DIR | completion"
)

Flat = Annotated[RunConfig, Parameter(name="*")]
ConfigPath = Annotated[
    Path | None,
    Parameter(
        negative_none="no-",
        group=MAIN_GROUP,
        help="Configuration file instead of ./fervid.toml; --no-config reads none.",
    ),
]


def parse(tokens: Sequence[str], settings: Settings) -> Callable[[], Any]:
    """What a command line asks for, to be called; the result is a `RunConfig` or an exit code.

    Raises:
        CycloptsError: an unknown option or command, or a value of the wrong type.
        ConfigError: a value that cannot be, or a configuration file that cannot be used.
    """
    if tokens and tokens[0] in IN_CLONE:
        raise ConfigError(ELSEWHERE.format(name=tokens[0]), tokens[0])
    app = build(settings)
    command, bound, ignored = app.parse_args(
        _join_dashes(tokens), exit_on_error=False, print_error=False
    )
    services = {"console": Console(highlight=False), "settings": settings, "app": app}
    given = {name: service for name, service in services.items() if name in ignored}
    return functools.partial(command, *bound.args, **{**bound.kwargs, **given})


def analyse(run: Flat = RunConfig(), *, config: ConfigPath = None) -> RunConfig:
    """Read facial expressions from noisy video, and show why."""
    return run


def build(settings: Settings) -> App:
    """The parser: `RunConfig` with the options of its sections side by side, and COMMANDS."""
    _flatten_sections()
    app = App(
        name="fervid",
        help="Read facial expressions from noisy video, and show why.",
        usage=USAGE_LINE,
        help_format="markdown",
        help_formatter=Brief(),
        help_epilogue="Models are made with `python -m train` and `python -m export` in a clone.",
        version=__version__,
        group_commands=Group("Commands and help", sort_key=99),
        group_parameters=MAIN_GROUP,
        default_parameter=Parameter(
            negative_bool=(), negative_iterable=(), short_alias=_short_names, show_default=_default
        ),
        config=settings,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.default(analyse)
    groups = {name: App(name=name, help=text, help_epilogue="") for name, text in GROUPS.items()}
    for group in groups.values():
        app.command(group)
    for words, command in COMMANDS.items():
        *outer, name = words.split()
        (groups[outer[0]] if outer else app).command(
            command.function,
            name=name,
            help=command.help,
            help_epilogue="",
            group_parameters=MAIN_GROUP if command.takes_run else OPTIONS_GROUP,
        )
    return app


@functools.cache
def _flatten_sections() -> None:
    """Set cyclopts' mark on the sections' classes, as its decorator would."""
    for section, group in SECTIONS.items():
        Parameter(name="*", group=group)(section)


def refuse_misspelt(config: RunConfig) -> None:
    """Stop where a source that is no file looks like a command.

    Raises:
        ConfigError: it does; the message names the command.
    """
    if not config.sources:
        return
    word = config.sources[0]
    if is_device(word) or probe.exists(Path(word)):
        return
    names = [words for words in COMMANDS if not words.startswith("-")]
    first = {words.split()[0]: f"`fervid {words}`" for words in names}
    first |= {name: f"`python -m {name}`, in a clone of the repository" for name in IN_CLONE}
    near = nearest_word(word, first, ALIKE)
    if near:
        shown = without_credentials(word)
        raise ConfigError(f"There is no file {shown}; did you mean {first[near]}?", "sources")


def _short_names(info: FieldInfo, taken: frozenset[str]) -> list[str]:
    """The one-letter options of a field."""
    return [SHORT[name] for name in info.names if name in SHORT and SHORT[name] not in taken]


def _default(value: object) -> str | None:
    """A default as the help shows it: none for a flag and for an empty list."""
    if value is None or isinstance(value, bool) or value == ():
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


def _join_dashes(tokens: Sequence[str]) -> list[str]:
    """Tell apart what begins with a dash and is no option, which looks like one to cyclopts.

    After the option of an output, `--jsonl -`, a lone dash is standard output and becomes
    `--jsonl=-`; elsewhere it is a source, and moves behind `--`. Numbers below 0 belong to the
    option before them, and a bare `--serve` gets its port.
    """
    end = list(tokens).index("--") if "--" in tokens else len(tokens)
    outputs = {SHORT["out"], "--out", "--events", *(f"--{name}" for name in SINGLE_FILES)}
    joined: list[str] = []
    sources: list[str] = []
    for token, after in zip(tokens[:end], [*tokens[1:end], "-"], strict=False):
        if token == "--serve" and after.startswith("-"):
            joined.append(f"{token}={DEFAULT_PORT}")
        elif BELOW_0.fullmatch(token) and joined and joined[-1].startswith("--"):
            joined[-1] += f"={token}"
        elif token != "-":
            joined.append(token)
        elif joined and joined[-1] in outputs:
            joined[-1] += "=-"
        else:
            sources.append(token)
    sources += tokens[end + 1 :]
    return [*joined, "--", *sources] if sources else joined
