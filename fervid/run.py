"""A whole run: the only loop, and the only place that wires the parts together."""

import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from fervid import probe
from fervid.archive import MANIFEST
from fervid.assembly import Assembly
from fervid.backends import Backend
from fervid.book import Book
from fervid.config import STDIN, RunConfig, WindowConfig
from fervid.config.addresses import is_fetched
from fervid.config.source import is_device
from fervid.console import say
from fervid.errors import ConfigError
from fervid.expand import expand
from fervid.fetched import sweep
from fervid.live import LivePage
from fervid.logins import read_logins
from fervid.manifest import Manifest
from fervid.outputs import Target, plan
from fervid.rounds import run_group
from fervid.session import Session
from fervid.sharing import n_jobs, refuse_unfit, threads_a_job
from fervid.sinks import Sink
from fervid.task import analyse_file, open_network
from fervid.threads import opencv_threads
from fervid.workers import Take, Workers
from fervid.writing import RunOutputs


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
        TypeError: a source is a list or something else that names no single one.
        ConfigError: there is no source, or an output exists and may not be overwritten.
        FervidError: a source, the model or an output failed; the outputs are closed and hold what
            was analysed until then. With several sources the others are still analysed.
    """
    given: Sequence[object] = sources
    for source in given:
        if not isinstance(source, str | Path | int):
            kind = type(source).__name__
            raise TypeError(f"expected paths or addresses, got {kind}; write analyse(*sources)")
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

    Recordings are taken one after the other, or shared out among processes; as soon as a camera or
    stream is among the sources, all are analysed at once, a frame of each in turn.

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
        sources = expand(config)
        refuse_unfit(config, sources, own_sinks=bool(sinks), own_network=backend is not None)
        manifest = closed.enter_context(Manifest(_kept_in(config, sources)))
        targets = plan(config, sources, manifest.begun(sources))
        logins = read_logins(config.read.credentials, os.environ)
        if any(map(is_fetched, sources)):
            closed.callback(sweep)  # what a process of --jobs has left that had to be killed
        outputs = closed.enter_context(RunOutputs(config, targets, stderr, stdout))
        book = Book(config, targets, manifest, outputs, (stderr, clock))
        there = book.without_missing()
        if not there:
            book.failures.tell()
        page = _open_page(config, stderr, closed) if there else None
        closed.enter_context(opencv_threads(config.cores.filter_threads))
        model = closed.enter_context(ExitStack())
        network, digest = model.enter_context(open_network(config, backend))
        outputs.watch(network.card.classes, os.environ)
        todo = book.begin(there, digest)
        if todo and _is_shared_out(config, len(todo)):
            model.close()  # every process has its own
            _analyse_elsewhere(config, todo, digest, book)
        elif todo:
            own = config, network, digest, stderr, stdout, clock, outputs, logins, sinks
            _analyse_here(Session(*own, progress=book.progress, page=page), todo, book)
        _tell_faceless(book.summaries, config, stderr)
        book.failures.tell()
    return book.summaries


def _open_page(config: RunConfig, stderr: Console, closed: ExitStack) -> LivePage | None:
    """The live page, if one is wanted, and where it is, said once.

    Raises:
        ConfigError: nobody would see its token.
        FervidError: it cannot be opened.
    """
    if config.serving.serve is None:
        return None
    page = closed.enter_context(LivePage(config))
    if page.guard.token and stderr.quiet:
        raise ConfigError(
            "From Python the live page is for this machine alone, as nobody would see its token; "
            "serve it on 127.0.0.1.",
            "serve",
        )
    if page.guard.token or not config.quiet:  # without its token nobody could open it
        say(stderr, f"live page: {page.url}")
    return page


def _kept_in(config: RunConfig, sources: Sequence[str]) -> Path | None:
    """The folder whose manifest a run keeps; None for streams, and for one file by itself.

    One that is there is kept in any case: it may say that a folder holds what is overwritten now.
    """
    out = config.output.out
    if out is None or any(map(is_device, sources)):
        return None
    asked = config.output.resume or config.cores.chunk is not None
    return out if len(sources) > 1 or asked or probe.exists(out / MANIFEST) else None


def _is_shared_out(config: RunConfig, n_files: int) -> bool:
    """Whether files are analysed in other processes than this one."""
    cores = config.cores
    return cores.ray is not None or cores.chunk is not None or n_jobs(cores, n_files) > 1


def _analyse_here(session: Session, targets: Sequence[Target], book: Book) -> None:
    """Analyse targets in this process: recordings one after the other, live ones at once."""
    waiting, display = groups(targets), book.display(live=False)
    while waiting:
        group = waiting.pop(0)
        if len(group) == 1:
            outcome = analyse_file(session, group[0])
            book.take(group[0], outcome)
            left = outcome.left
        else:
            left = run_group(session, group, book.failures)
            book.summaries += session.summaries
        if left:
            if waiting and not session.config.quiet:
                say(session.stderr, f"Quit in the window; {len(waiting)} left out.")
            return
        display.update()


def _analyse_elsewhere(
    config: RunConfig, targets: Sequence[Target], digest: str, book: Book
) -> None:
    """Analyse targets in several processes, of this machine or of a Ray cluster."""
    take: Take = book.take
    if config.cores.chunk is not None:
        assembly = Assembly(config, digest, book.take, book.progress)
        targets, take = assembly.tasks(targets, book.unchanged), assembly.take
    jobs = n_jobs(config.cores, len(targets))
    with ExitStack() as open_parts:
        display = open_parts.enter_context(book.display(live=True))
        if config.cores.ray is not None:
            from fervid.cluster import Cluster

            there: Cluster | Workers = open_parts.enter_context(Cluster(config, digest))
        else:
            there = open_parts.enter_context(Workers(config, jobs, threads_a_job(jobs)))
        there.run(targets, take, display.update)


def _tell_faceless(summaries: Sequence[dict[str, Any]], config: RunConfig, stderr: Console) -> None:
    """Say where no face was found in a whole source, which nobody would see in empty tables."""
    whole = [s for s in summaries if s["error"] is None and s["frames"]]
    empty = [s["source"] for s in whole if not s["faces"]]
    if not empty or config.quiet:
        return
    where = empty[0] if len(whole) == 1 else f"{len(empty)} of {len(whole)} sources"
    ways = "a lower --min-score finds doubtful ones."
    if config.faces.detector == "short":
        ways = "--detector auto finds small ones, a lower --min-score doubtful ones."
    say(stderr, f"No face was found in {where}; {ways}")


def groups(targets: Sequence[Target]) -> list[list[Target]]:
    """Which sources are analysed at the same time: all if one cannot wait, else one at a time."""
    if any(is_device(target.source) and target.source != STDIN for target in targets):
        return [list(targets)]
    return [[target] for target in targets]
