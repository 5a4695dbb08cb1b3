"""Rounds: sources that are analysed at the same time, a frame of each in turn."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from threading import Condition

from fervid.batch import Network
from fervid.dashboard import Display, open_display
from fervid.errors import DisplayError, FervidError, ReaderGone
from fervid.failures import Failures
from fervid.lane import Lane, snapshots
from fervid.outputs import Target
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
    several = session.progress is not None and session.progress.total > 1
    return open_display(
        session.stderr,
        quiet=session.config.quiet,
        clock=session.clock,
        shared=shared,
        footer=session.progress.line if session.progress and several else None,
    )
