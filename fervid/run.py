"""A whole run: the only loop, and the only place that wires the parts together."""

import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Condition
from typing import Any, TextIO

from rich.console import Console

from fervid.backends import Backend, model_file, open_backend
from fervid.batch import Network
from fervid.capture import check_source
from fervid.card import sha256
from fervid.config import STDIN, RunConfig, WindowConfig
from fervid.config.source import is_device
from fervid.console import say
from fervid.dashboard import Display, open_display
from fervid.errors import ConfigError, DisplayError, FervidError, ReaderGone
from fervid.expand import expand
from fervid.failures import Failures
from fervid.lane import Lane, snapshots
from fervid.logins import read_logins
from fervid.outputs import Target, plan
from fervid.session import Session
from fervid.sinks import Sink
from fervid.threads import opencv_threads
from fervid.writing import RunOutputs

# Waiting for frames is cut into pieces, since Windows delivers Ctrl-C only between them.
WAIT_S = 0.5


def analyse(
    *sources: str | Path,
    config: RunConfig | None = None,
    out: str | Path | None = None,
    sinks: Sequence[Sink] = (),
    backend: Backend | None = None,
) -> list[dict[str, Any]]:
    """Analyse sources and write what is asked for, as the command line does; prints nothing.

    Args:
        sources: as the command line takes them; none: those of `config`.
        config: of the run; None for the defaults. A window is opened only if it says so.
        out: folder for the outputs, instead of `config.output.out`; None there too writes none.
        sinks: outputs of your own, which get the results of all sources; closed at the end.
        backend: a network of your own, which stays open; None opens the one that `config` names.

    Returns:
        What summary.json holds, for each source.

    Raises:
        ConfigError: there is no source, or an output exists and may not be overwritten.
        FervidError: a source, the model or an output failed; the outputs are closed and hold what
            was analysed until then. With several sources the others are still analysed.
    """
    config = dataclasses.replace(config or RunConfig(), quiet=True)
    if config.window.window is None:
        config = dataclasses.replace(config, window=WindowConfig(window=False))
    if sources:
        config = dataclasses.replace(config, sources=tuple(map(str, sources)), camera=())
    if out is not None:
        output = dataclasses.replace(config.output, out=Path(out))
        config = dataclasses.replace(config, output=output)
    if not config.all_sources():
        raise ConfigError("There is no source; name one, or give it to the RunConfig.", "sources")
    silent = Console(stderr=True, quiet=True)
    return run(config, stderr=silent, stdout=sys.stdout, sinks=sinks, backend=backend)


def run(
    config: RunConfig,
    *,
    stderr: Console,
    stdout: TextIO,
    clock: Callable[[], float] = time.monotonic,
    sinks: Sequence[Sink] = (),
    backend: Backend | None = None,
) -> list[dict[str, Any]]:
    """Analyse every source of a configuration.

    Recordings are taken one after the other; as soon as a camera or stream is among the sources,
    all are analysed at once, a frame of each in turn.

    Args:
        config: what to do.
        stderr: for people: the dashboard and what is said at the end.
        stdout: for data that were asked for with `-`.
        clock: seconds, for rates and the display.
        sinks: more outputs, which get the results of all sources; closed at the end.
        backend: a network that stays open; None opens the one that `config` names.

    Returns:
        What summary.json holds, for each source, in the order in which they ended.

    Raises:
        FervidError: a source, the model or an output failed; outputs are closed and readable. With
            several sources the others are still analysed, and the error at the end counts.
        KeyboardInterrupt: interrupted; outputs are closed and readable.
    """
    with ExitStack() as closed:
        for sink in sinks:
            closed.callback(sink.close)
        targets = plan(config, expand(config))
        logins = read_logins(config.read.credentials, os.environ)
        failures = Failures(len(targets), stderr)
        outputs = closed.enter_context(RunOutputs(config, targets, stderr, stdout))
        there = _without_missing(targets, outputs, failures)
        if not there:
            failures.tell()
        closed.enter_context(opencv_threads(config.cores.filter_threads))
        network, digest = closed.enter_context(_network(config, backend))
        session = Session(config, network, digest, stderr, stdout, clock, outputs, logins, sinks)
        waiting = groups(there)
        while waiting:
            if _run_group(session, waiting.pop(0), failures):
                if waiting and not config.quiet:
                    say(stderr, f"Quit in the window; {len(waiting)} left out.")
                break
        _tell_faceless(session)
        failures.tell()
    return session.summaries


def _without_missing(
    targets: Sequence[Target], outputs: RunOutputs, failures: Failures
) -> list[Target]:
    """The targets whose files are there; the others fail before anything is loaded."""
    there = []
    for target in targets:
        try:
            check_source(target.source)
        except FervidError as error:
            outputs.fail(target, error)
            failures.note(error)
        else:
            there.append(target)
    return there


def _tell_faceless(session: Session) -> None:
    """Say where no face was found in a whole source, which nobody would see in empty tables."""
    whole = [s for s in session.summaries if s["error"] is None and s["frames"]]
    empty = [s["source"] for s in whole if not s["faces"]]
    if not empty or session.config.quiet:
        return
    where = empty[0] if len(whole) == 1 else f"{len(empty)} of {len(whole)} sources"
    ways = "a lower --min-score finds doubtful ones."
    if session.config.faces.detector == "short":
        ways = "--detector auto finds small ones, a lower --min-score doubtful ones."
    say(session.stderr, f"No face was found in {where}; {ways}")


def groups(targets: Sequence[Target]) -> list[list[Target]]:
    """Which sources are analysed at the same time: all if one cannot wait, else one at a time."""
    if any(is_device(target.source) and target.source != STDIN for target in targets):
        return [list(targets)]
    return [[target] for target in targets]


@contextmanager
def _network(config: RunConfig, given: Backend | None) -> Iterator[tuple[Backend, str]]:
    """The network and the hash of its file, "" for one that was given, which is not closed."""
    if given is not None:
        yield given, ""
        return
    model, cores = config.model, config.cores
    with (
        model_file(model.model) as path,
        closing(open_backend(path, model.device, cores.threads, cores.spin)) as backend,
    ):
        yield backend, sha256(path)


def _run_group(session: Session, targets: Sequence[Target], failures: Failures) -> bool:
    """Analyse sources at the same time; one that ends or fails leaves, the others go on.

    Returns:
        Whether a viewer has ended the run.
    """
    lanes: list[Lane] = []
    news = Condition()
    # The network ends after the lanes: of what is under way they need nothing any more.
    with Network(session.backend) as network, ExitStack() as unfinished:
        # Alone a recording may run ahead; among others it would make a live one wait.
        ahead = network.at_once + 1 if len(targets) == 1 else 1
        for target in targets:
            try:
                lanes.append(unfinished.enter_context(Lane(session, target, news, ahead)))
            except (DisplayError, ReaderGone):  # the same for every source
                raise
            except FervidError as error:
                session.outputs.fail(target, error)
                failures.note(error)
        if not lanes:
            return False
        with _display(session) as display:
            while lanes:
                shown = tuple(lanes)
                _wait(shown, news)
                lanes = _round(network, shown, failures)
                display.update(partial(snapshots, shown))
                if any(lane.quit for lane in shown):
                    return True
    return False


def _wait(lanes: Sequence[Lane], news: Condition) -> None:
    """Wait until a source has a frame, has ended, or for WAIT_S."""
    with news:
        news.wait_for(lambda: any(lane.ready or lane.busy for lane in lanes), WAIT_S)


def _round(network: Network, lanes: Sequence[Lane], failures: Failures) -> list[Lane]:
    """Begin a frame of each source that has one, and conclude one of each that begins no other.

    Faces of frames that are begun together go through the network in one call.

    Returns:
        The lanes that go on; one that has ended or failed is closed.
    """
    left = [lane for lane in lanes if not lane.ready or _begin(lane, failures)]
    fresh = [(lane, lane.fresh) for lane in left if lane.fresh]
    answers = network.begin([frame for _, frame in fresh])
    for (lane, _), answer in zip(fresh, answers, strict=True):
        lane.answer(answer)
    return [lane for lane in left if not lane.busy or lane.runs_ahead or _conclude(lane, failures)]


def _conclude(lane: Lane, failures: Failures) -> bool:
    """Conclude a frame of one source; returns False if the network failed, and it is closed."""
    try:
        lane.conclude()
    except FervidError as error:
        _fail(lane, failures, error)
        return False
    return True


def _begin(lane: Lane, failures: Failures) -> bool:
    """Begin a frame of one source; returns False if it has ended or failed, and is closed."""
    try:
        if lane.begin():
            return True
        lane.close()
    except ReaderGone:  # it ends the run, as it ends other programs
        raise
    except FervidError as error:
        _fail(lane, failures, error)
    return False


def _fail(lane: Lane, failures: Failures, error: FervidError) -> None:
    failures.note(error)
    with suppress(FervidError):  # the first error is the one to tell
        lane.close(error)
    lane.fail(error)


def _display(session: Session) -> Display:
    shared = session.config.output.uses_stdout and session.stdout.isatty()
    return open_display(
        session.stderr, quiet=session.config.quiet, clock=session.clock, shared=shared
    )
