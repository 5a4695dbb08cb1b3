"""Rounds: sources that are analysed at the same time, a frame of each in turn."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from threading import Condition

from fervid.batch import Network
from fervid.dashboard import Display, open_display
from fervid.errors import DisplayError, FervidError, ReaderGone
from fervid.failures import Failures
from fervid.lane import Lane, snapshots
from fervid.memory import MemoryKeeper
from fervid.outputs import Target
from fervid.passage import Seeker
from fervid.session import Session

# Waiting for frames is cut into pieces, since Windows delivers Ctrl-C only between them.
WAIT_S = 0.5


def run_group(session: Session, targets: Sequence[Target], failures: Failures) -> bool:
    """Analyse sources at the same time; one that ends or fails leaves, the others go on.

    Returns:
        Whether a viewer has ended the run.
    """
    lanes: list[Lane] = []
    news = Condition()
    # Alone a recording may run ahead; among others it would make a live one wait. And of several
    # sources the next frames are made ready during a call, which has a core to itself then.
    at_once = int(getattr(session.backend, "at_once", 1)) if len(targets) == 1 else 1
    ahead = at_once + 2 if len(targets) == 1 else 1
    # Both threads end after the lanes: of what is under way these need nothing any more.
    with (
        Network(session.backend, news, at_once) as network,
        Seeker(news) as seeker,
        ExitStack() as unfinished,
    ):
        for target in targets:
            try:
                lanes.append(unfinished.enter_context(Lane(session, target, seeker, news, ahead)))
            except (DisplayError, ReaderGone):  # the same for every source
                raise
            except FervidError as error:
                session.outputs.fail(target, error)
                failures.note(error)
        if not lanes:
            return False
        with _display(session) as display:
            opened = tuple(lanes)  # those that have ended are shown too
            memory = MemoryKeeper()
            while lanes:
                shown = tuple(lanes)
                _wait(shown, news)
                lanes = _round(network, shown, failures)
                display.update(partial(snapshots, opened))
                if session.page is not None:
                    session.page.update((lane.info, lane.snapshot) for lane in shown)
                memory.update()
                session.outputs.tidy()
                if any(lane.quit for lane in shown):
                    return True
    return False


def _wait(lanes: Sequence[Lane], news: Condition) -> None:
    """Wait until a source has a frame or an output, has ended, or for WAIT_S."""
    with news:
        news.wait_for(
            lambda: any(lane.way.answered or lane.way.found or lane.ready for lane in lanes), WAIT_S
        )


def _round(network: Network, lanes: Sequence[Lane], failures: Failures) -> list[Lane]:
    """For each source conclude a frame whose output is there, and let the others go on.

    The network and the search for faces have the first of them while the others are made ready.

    Returns:
        The lanes that go on; one that has ended or failed is closed.
    """
    left = []
    for lane in lanes:
        if lane.way.answered and not _worked(lane.conclude, lane, failures):
            continue
        ask = partial(lane.way.ask, network.begin)
        if lane.way.found and not _worked(ask, lane, failures):
            continue
        if lane.ready and not _begin(lane, failures):
            continue
        left.append(lane)
    return left


def _worked(step: Callable[[], None], lane: Lane, failures: Failures) -> bool:
    """Take a step of one source; returns False if it failed, and the source is closed."""
    try:
        step()
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
    shared = session.config.uses_stdout and session.stdout.isatty()
    several = session.progress is not None and session.progress.total > 1
    return open_display(
        session.stderr,
        quiet=session.config.quiet,
        clock=session.clock,
        shared=shared,
        footer=session.progress.line if session.progress and several else None,
    )
