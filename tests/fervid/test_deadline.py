import itertools
import signal
import threading
import time

import pytest

from fervid.deadline import call_in_time
from fervid.pace import Pacer


def test_a_call_returns_or_raises_what_it_does():
    assert call_in_time(lambda: 7, 5, lambda _: None) == 7
    with pytest.raises(ZeroDivisionError):
        call_in_time(lambda: 1 // 0, 5, lambda _: None)


def test_what_comes_too_late_is_discarded():
    gate, gone = threading.Event(), threading.Event()
    discarded = []

    def discard(value):
        discarded.append(value)
        gone.set()

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        call_in_time(lambda: gate.wait(60), 0.1, discard)
    assert time.monotonic() - began < 20
    gate.set()
    assert gone.wait(10)
    assert discarded == [True]


def test_ctrl_c_does_not_wait_for_the_call():
    gate, gone = threading.Event(), threading.Event()

    def pressed_meanwhile():  # perhaps while the thread is being started; a timer could be early
        signal.raise_signal(signal.SIGINT)
        return gate.wait(60)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        call_in_time(pressed_meanwhile, 60, lambda _: gone.set())
    assert time.monotonic() - began < 20
    gate.set()
    assert gone.wait(10)


def test_a_late_error_is_dropped():
    gate = threading.Event()

    def fail():
        gate.wait(10)
        raise ValueError

    with pytest.raises(TimeoutError):
        call_in_time(fail, 0.05, lambda _: None)
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "fervid-call":
            thread.join(10)


class Watch:
    """A clock that sleeping moves."""

    def __init__(self):
        self.now = 100.0
        self.pacer = Pacer(lambda: self.now, self.sleep)

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds

    def times(self, media):
        for media_s in media:
            self.pacer.wait(media_s)
            yield self.now - 100


def test_pictures_of_a_burst_come_at_their_own_pace():
    assert list(Watch().times([5.0, 5.04, 5.08, 6.0])) == pytest.approx([0, 0.04, 0.08, 1.0])


def test_a_late_picture_passes_at_once_and_the_pace_stays():
    watch = Watch()
    times = watch.times([0.0, 0.5, 1.0, 2.0])
    assert next(times) == 0
    watch.now += 0.7
    assert list(times) == pytest.approx([0.7, 1.0, 2.0])


def longest_waits(pieces):
    """The longest wait between two pictures of each 30 s; `pieces` says when each of 2 s comes."""
    watch, shown = Watch(), []
    for piece, come_s in enumerate(pieces):
        watch.now = max(watch.now, 100 + come_s)
        shown.extend(watch.times(2 * piece + k / 25 for k in range(50)))
    waits = [after - before for before, after in itertools.pairwise(shown)]
    return [max(waits[n : n + 750]) for n in range(0, len(waits) - 749, 750)]


def test_an_encoder_that_paused_gets_its_pace_back():
    waits = longest_waits([2 * n + 10 * (n >= 16) for n in range(120)])
    assert waits[0] == pytest.approx(0.04)
    assert waits[3:] == pytest.approx([0.04] * len(waits[3:]), abs=1e-6)


def test_a_slow_clock_costs_no_pace():
    waits = longest_waits([2 * n * 1.001 for n in range(1500)])
    assert max(waits) < 0.15


def test_a_hiccup_of_the_network_is_caught_up_with():
    watch, late = Watch(), []
    for n in range(60):
        come_s = 2 * n if n < 20 else max(2 * n, 46)  # three pieces at once
        watch.now = max(watch.now, 100 + come_s)
        late.append(list(watch.times([2 * n, 2 * n + 1.96]))[-1] - (2 * n + 1.96))
    assert late[-1] == pytest.approx(0, abs=1e-6)


def test_a_gap_in_the_timestamps_is_not_waited_for():
    assert list(Watch().times([0.0, 0.5, 60.0, 60.25])) == pytest.approx([0, 0.5, 0.5, 0.75])
