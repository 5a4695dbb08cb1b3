"""The command line: arguments in, an exit code out; decided here and nowhere else.

    0    done
    1    a source, model or output failed (FervidError): one sentence, no traceback without -v
    2    the command itself is wrong (ConfigError and unknown options)
    130  interrupted; the outputs are finished and readable
    143  the same, by SIGTERM
    141  who read standard output (`| head`) has gone; as with other programs nothing is said, and
         the outputs are finished and readable

The grammar and the table of commands are in parser.py, the configuration file in settings.py.
Text for people goes to standard error, data to standard output, and so do --help, --version and
what a command such as `doctor` prints, which then are what was asked for.
"""

import contextlib
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from cyclopts import CycloptsError
from rich.console import Console
from rich.logging import RichHandler

from fervid import probe
from fervid.config import RunConfig
from fervid.console import say
from fervid.errors import ConfigError, FervidError, ReaderGone, SinkError
from fervid.interrupt import Terminated, terminable
from fervid.parser import parse, refuse_misspelt
from fervid.settings import Settings
from fervid.usage import explained

Run = Callable[..., object]

DONE, FAILED, USAGE, INTERRUPTED, UNREAD, TERMINATED = 0, 1, 2, 130, 141, 143
WELCOME = """\
fervid clip.mp4               look at a clip in the terminal
fervid clip.mp4 -o results/   write annotated video, rows of data and a summary
fervid --camera 0             look through a camera
fervid doctor                 see what works on this machine
fervid --help                 see what else it can do"""


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
    settings = Settings()
    try:
        with terminable():
            return _obey(tokens, settings, stderr, run)
    except CycloptsError as error:
        say(stderr, explained(error))
        return USAGE
    except ReaderGone:
        return UNREAD
    except FervidError as error:
        say(stderr, settings.explained(error))
        return USAGE if isinstance(error, ConfigError) else FAILED
    except KeyboardInterrupt as error:  # before the run began
        return interrupted(error)


def interrupted(error: KeyboardInterrupt) -> int:
    """The exit code after Ctrl-C or SIGTERM."""
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


def _obey(tokens: list[str], settings: Settings, stderr: Console, run: Run | None) -> int:
    """Do what the arguments ask for; see `main`.

    Raises:
        CycloptsError: an unknown option or a value of the wrong type.
        FervidError: the command cannot be carried out, before a run began.
    """
    try:
        asked = parse(tokens, settings)()
    except OSError as error:
        if error.filename is not None or sys.stdout is None:
            raise
        raise _unwritten(sys.stdout, error) from error  # what a command or --help prints
    if not isinstance(asked, RunConfig):  # a command or --help, done by now
        _flush(sys.stdout)
        return asked if isinstance(asked, int) else DONE
    if not tokens and not asked.all_sources():
        stderr.print(WELCOME, markup=False, soft_wrap=True)
        return USAGE
    config = _checked(settings.complete(asked))
    if settings.found and not config.quiet:
        say(stderr, f"using {settings.found}.")
    with _logging(config.verbose, stderr):
        return _carry_out(config, stderr, run)


def _checked(config: RunConfig) -> RunConfig:
    """The configuration, if a run can begin with it.

    Raises:
        ConfigError: there is no source, or a file is where a folder is wanted.
    """
    out = config.output.out
    if out is not None and probe.exists(out) and not probe.is_folder(out):
        raise ConfigError(
            f"--out needs a folder, and {out} is a file; name a folder, which may be new.", "out"
        )
    if not config.all_sources():
        raise ConfigError("No source given; name a video file or --camera N.", "sources")
    refuse_misspelt(config)
    return config


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
            data = _as_data(stdout) if config.uses_stdout else stdout or sys.stderr
            run(config, stderr=stderr, stdout=data, clock=time.monotonic)
        _flush(stdout)
    except KeyboardInterrupt as error:
        say(stderr, "interrupted; the outputs are finished.")
        return interrupted(error)
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
        raise _unwritten(stdout, error) from error


def _unwritten(stdout: TextIO, error: OSError) -> SinkError:
    """The error that standard output cannot be written; it leads nowhere from now on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return ReaderGone("Nobody reads standard output any more.", "-")
    return SinkError(
        f"Standard output cannot be written ({error.strerror}); free space there or send it "
        "somewhere else.",
        "-",
    )


@contextlib.contextmanager
def _logging(verbose: bool, stderr: Console) -> Iterator[None]:
    """Send the log to standard error: warnings, a line each, and everything of fervid's with -v."""
    logger = logging.getLogger("fervid")
    handler: logging.Handler = _Warnings(stderr)
    if verbose:
        handler = RichHandler(console=stderr, show_path=False, markup=False)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Warnings(logging.Handler):
    """Says what the log holds as everything else is said: in one line, without a time."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        say(self._console, f"{record.levelname.lower()}: {record.getMessage()}")
