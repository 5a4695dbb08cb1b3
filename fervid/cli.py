"""The command line: arguments in, an exit code out; decided here and nowhere else.

    0    done
    1    a source, model or output failed (FervidError): one sentence, no traceback without -v
    2    the command itself is wrong (ConfigError and unknown options)
    130  interrupted; the outputs are finished and readable
    141  who read standard output (`| head`) has gone; as with other programs nothing is said, and
         the outputs are finished and readable

The options are built by cyclopts from the classes of config.py. Text for people goes to standard
error, data to standard output, and so do --help and --version, which then are what was asked for.
"""

import contextlib
import functools
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.field_info import FieldInfo
from rich.console import Console
from rich.logging import RichHandler

from fervid import __version__
from fervid.config import (
    ExplainConfig,
    FaceConfig,
    FilterConfig,
    LabelConfig,
    ModelConfig,
    OutputConfig,
    ReadConfig,
    RunConfig,
    WindowConfig,
)
from fervid.console import say
from fervid.errors import ConfigError, FervidError, ReaderGone, SinkError

Run = Callable[..., object]

DONE, FAILED, USAGE, INTERRUPTED, UNREAD = 0, 1, 2, 130, 141
SECTIONS: dict[type, str] = {
    ReadConfig: "Reading",
    WindowConfig: "Window",
    OutputConfig: "Outputs",
    FilterConfig: "Noise",
    FaceConfig: "Faces",
    LabelConfig: "Labels",
    ExplainConfig: "Heatmaps",
    ModelConfig: "Model",
}
WITH_NEGATIVES = (WindowConfig, OutputConfig, ExplainConfig)  # flags that are on by themselves
SHORT = {"out": "-o", "quiet": "-q", "verbose": "-v"}
USAGE_LINE = "Usage: fervid SOURCE... [-o DIR] [OPTIONS]\n       fervid --camera N [OPTIONS]"
WELCOME = """\
fervid reads facial expressions from noisy video and shows why it says so.

  fervid clip.mp4               look at a clip in the terminal
  fervid clip.mp4 -o results/   write annotated video, rows of data and a summary
  fervid --camera 0             look through a camera
  fervid --help                 every option"""
ELSEWHERE = (
    "{name} is not part of the installed program; it needs a source checkout: "
    "`python -m {name}` in a clone of the repository."
)


def main(argv: Sequence[str] | None = None, run: Run | None = None) -> int:
    """Run fervid.

    Args:
        argv: arguments without the program's name; by default the process's own.
        run: what carries a configuration out; by default `fervid.run.run`.

    Returns:
        The exit code, as in this module's docstring.
    """
    tokens = list(sys.argv[1:] if argv is None else argv)
    stderr = Console(stderr=True, highlight=False)
    if not tokens:
        stderr.print(WELCOME, markup=False, soft_wrap=True)
        return USAGE
    try:
        if tokens[0] == "recover":
            return _recover(tokens[1:], stderr)
        config = _parse(tokens, stderr)
        if config is None:
            return DONE
        with _logging(config.verbose, stderr):
            return _carry_out(config, stderr, run)
    except (CycloptsError, ConfigError) as error:
        say(stderr, f"{error} See fervid --help." if isinstance(error, CycloptsError) else error)
        return USAGE
    except KeyboardInterrupt:  # before the run began
        return INTERRUPTED


def _recover(arguments: list[str], stderr: Console) -> int:
    """`fervid recover DIR`: complete what crashed runs left, and say what was done.

    Raises:
        ConfigError: not one folder, or nothing in it to recover from.
    """
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise ConfigError(
            "Usage: fervid recover DIR - completes tables and summaries that a crash cut off, from "
            "the journals below DIR."
        )
    from fervid.recover import recover

    steps = recover(Path(arguments[0]))
    for step in steps:
        say(stderr, f"{step.path}: {step.done}")
    if not steps:
        say(stderr, "everything is complete already.")
    return DONE


def _parse(tokens: list[str], stderr: Console) -> RunConfig | None:
    """The configuration that the arguments describe; None if help or the version was printed.

    Raises:
        CycloptsError: an unknown option or a value of the wrong type.
        ConfigError: a value that cannot be, no source, or outputs that exist.
    """
    if tokens[0] in ("train", "export"):
        raise ConfigError(ELSEWHERE.format(name=tokens[0]), tokens[0])
    config: RunConfig | None = _app()(_join_dashes(tokens), error_console=stderr)
    if config is None:
        return None
    if config.list_cameras:
        from fervid.cameras import describe_cameras

        print(describe_cameras())
        return None
    if not config.all_sources():
        raise ConfigError("No source given; name a video file or --camera N.", "sources")
    out = config.output.out
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError(f"--out needs a folder, and {out} is a file.", "out")
    return config


@functools.cache
def _app() -> App:
    """The parser: `RunConfig` with the options of its sections side by side."""
    for order, (section, title) in enumerate(SECTIONS.items(), start=2):
        negative = "no-" if section in WITH_NEGATIVES else ()
        group = Group(title, sort_key=order)
        flatten = Parameter(name="*", group=group, negative_bool=negative)
        flatten(section)  # cyclopts' mark on a class, as its decorator would set it
    app = App(
        name="fervid",
        help="Read facial expressions from noisy video, and show why.",
        usage=USAGE_LINE,
        help_format="markdown",
        help_epilogue="Models are made with `python -m train` and `python -m export` in a clone.",
        version=__version__,
        group_commands=Group("Help", sort_key=99),
        group_parameters=Group("Sources and display", sort_key=1),
        default_parameter=Parameter(
            negative_bool=(), negative_iterable=(), short_alias=_short_names, show_default=_default
        ),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    app.default(RunConfig)
    return app


def _short_names(info: FieldInfo, taken: frozenset[str]) -> list[str]:
    """The one-letter options of a field."""
    return [SHORT[name] for name in info.names if name in SHORT and SHORT[name] not in taken]


def _default(value: object) -> str | None:
    """A default as the help shows it: none for a flag that is off and for an empty list."""
    return None if value is None or value is False or value == () else str(value)


def _join_dashes(tokens: list[str]) -> list[str]:
    """Tell a lone dash apart, which looks like an option to cyclopts.

    After the option of an output, `--jsonl -`, it is standard output and becomes `--jsonl=-`;
    elsewhere it is a source, and moves behind `--`.
    """
    end = tokens.index("--") if "--" in tokens else len(tokens)
    outputs = {f"--{name}" for name in ("out", "video", "jsonl", "csv", "parquet", "srt")}
    joined: list[str] = []
    sources: list[str] = []
    for token in tokens[:end]:
        if token != "-":
            joined.append(token)
        elif joined and joined[-1] in outputs:
            joined[-1] += "=-"
        else:
            sources.append(token)
    sources += tokens[end + 1 :]
    return [*joined, "--", *sources] if sources else joined


def _carry_out(config: RunConfig, stderr: Console, run: Run | None) -> int:
    """Run a configuration and turn what escapes into an exit code.

    Whatever a library prints meanwhile goes to standard error: standard output is for data.
    """
    stdout = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):
            if run is None:
                from fervid.run import run as run_for_real

                run = run_for_real
            # Where no data were asked for, standard output may even be closed.
            data = _as_data(stdout) if config.output.uses_stdout else stdout or sys.stderr
            run(config, stderr=stderr, stdout=data, clock=time.monotonic)
        _flush(stdout)
    except KeyboardInterrupt:
        say(stderr, "interrupted; the outputs are finished.")
        return INTERRUPTED
    except ReaderGone:
        return UNREAD
    except FervidError as error:
        if config.verbose:
            logging.getLogger(__name__).debug("The run failed.", exc_info=error)
        say(stderr, error)
        return USAGE if isinstance(error, ConfigError) else FAILED
    finally:
        with contextlib.suppress(SinkError):  # after an error, the first one is what matters
            _flush(stdout)
    return DONE


def _as_data(stdout: TextIO | None) -> TextIO:
    """Standard output for data: open, in UTF-8 and with bare line ends on every system.

    Raises:
        SinkError: it is closed.
    """
    if stdout is None:
        raise SinkError("Standard output is closed; write the data to a file instead.", "-")
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(encoding="utf-8", newline="")
    return stdout


def _flush(stdout: TextIO | None) -> None:
    """Write out what standard output still holds, if it is open.

    Raises:
        SinkError: its reader has gone or its disk is full. It then leads nowhere, because Python
            flushes it again at exit and would print a traceback.
    """
    if stdout is None:
        return
    try:
        stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise ReaderGone("Nobody reads standard output any more.", "-") from error
        raise SinkError(f"Standard output cannot be written: {error.strerror}.", "-") from error


@contextlib.contextmanager
def _logging(verbose: bool, stderr: Console) -> Iterator[None]:
    """Send the log to standard error: warnings, and everything of fervid's with -v."""
    logger = logging.getLogger("fervid")
    handler = RichHandler(console=stderr, show_path=False, markup=False)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
