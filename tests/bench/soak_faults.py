"""What happens to the server during a soak: seeded moments, and one fault after another."""

import random
import time
from dataclasses import dataclass

DECK = ("kill", "kill", "stop", "freeze")  # each round of faults has these, shuffled
# Seconds that a server is away; it stalls for longer than fervid's --read-timeout-s.
AWAY_S = {"kill": (1.0, 15.0), "stop": (6.0, 20.0), "freeze": (1.0, 5.0)}
FREEZE_MOST_S = 100.0  # fervid's patience doubles from 10 s where freezes follow each other
GIVE_UP_S = 60.0  # after which a fault counts as not recovered
MEAN_GAP_S, FEWEST = 150.0, 5


@dataclass(frozen=True)
class Planned:
    """A fault: when it may begin (s), of what kind, and for how long (s).

    A freeze lasts until it is noticed, and so long after that.
    """

    at_s: float
    how: str
    away_s: float


def plan(seconds, seed):
    """All faults of a run of so many seconds; none in its last minute, or its last sixth."""
    rng = random.Random(seed)
    gap_s = min(MEAN_GAP_S, seconds / (FEWEST + 1))
    planned, deck, at_s = [], [], rng.uniform(0.5, 1.5) * gap_s
    while at_s < seconds - min(60.0, seconds / 6):
        if not deck:
            deck = rng.sample(DECK, len(DECK))
        how = deck.pop()
        planned.append(Planned(round(at_s, 1), how, round(rng.uniform(*AWAY_S[how]), 1)))
        at_s += rng.uniform(0.5, 1.5) * gap_s
    return planned


def inject(server, tail, fault, clock=time.monotonic):
    """Break the server and mend it; a generator that yields while there is nothing to do.

    Returns:
        the fault's figures: whether the loss was in the journal, whether frames came again, and
        how many seconds after the server's return.
    """
    began_s, losses = clock(), tail.losses
    server.down(fault.how)
    noticed_s = None
    while clock() - began_s < FREEZE_MOST_S:
        yield
        if noticed_s is None and tail.losses > losses:
            noticed_s = clock()
        since_s = noticed_s if fault.how == "freeze" else began_s
        if since_s is not None and clock() - since_s >= fault.away_s:
            break
    server.up(fault.how)
    returned_s = clock()
    while not (back := _is_back(tail, fault, losses, returned_s)):
        yield
        if clock() - returned_s > GIVE_UP_S:
            break
    return {
        "how": fault.how,
        "away_s": round(returned_s - began_s, 1),
        "noticed": tail.losses > losses,
        "recovered": back,
        "first_result_s": round(tail.last_frame_s - returned_s, 2) if back else None,
    }


def _is_back(tail, fault, losses, returned_s):
    """Whether a frame has come over a connection that is whole."""
    cut_off = fault.how == "kill" and tail.losses == losses  # not noticed yet
    fresh = tail.last_frame_s is not None and tail.last_frame_s > returned_s
    return fresh and not tail.offline and not cut_off
