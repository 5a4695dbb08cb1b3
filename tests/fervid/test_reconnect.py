"""A live source that comes back, with sources, a clock and pauses that tests make."""

import threading
import time
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest

from fervid.config import ReadConfig
from fervid.errors import SourceOpenError, SourceReadError
from fervid.link import Link
from fervid.prefetch import Prefetch
from fervid.reconnect import FIRST_PAUSE_S, ReconnectingSource
from fervid.records import Frame, SourceInfo
from fervid.region import shaped

START = datetime(2026, 1, 31, 23, 59, 50, tzinfo=UTC)
BROKE = SourceReadError("The stream x broke off (reset); check the camera, and start again.", "x")
REFUSED = SourceOpenError("Nothing serves x; check the port.", "x")
RATE = 10


class Clock:
    """Seconds that pass when somebody waits, or a picture comes."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def calendar(self):
        return START + timedelta(seconds=self.now - 1000)


class FakeLink(Link):
    """Pauses by the clock alone."""

    def __init__(self, clock):
        super().__init__(clock, clock.calendar)
        self.clock, self.pauses = clock, []

    def wait(self, seconds):
        self.pauses.append(seconds)
        self.clock.now += seconds


class Connection:
    """Sends pictures, one every 1 / RATE s, then ends as it is told: by an error, or by itself."""

    def __init__(self, clock, pictures, end=None, *, size=(8, 6), live=True, finite=False):
        self.info = SourceInfo("x", "x", *size, live, Fraction(RATE))
        self.damaged, self.finite, self.closed = 1, finite, 0
        self._clock, self._pictures, self._end = clock, pictures, end

    def __iter__(self):
        for index, picture in enumerate(self._pictures):
            yield Frame(index, index / RATE, picture)
            self._clock.now += 1 / RATE
        if self._end is not None:
            raise self._end

    def close(self):
        self.closed += 1


def pictures(count, first=0, size=(8, 6)):
    """Pictures that all differ, none of one colour."""
    shown = [np.full((size[1], size[0], 3), (first + n) % 200, np.uint8) for n in range(count)]
    for picture in shown:
        picture[0] += 50
    return shown


def reconnecting(*connections, clock=None, jitter=0.0, **read):
    """A source over connections or errors of opening, one after the other; and its link."""
    clock = clock or Clock()
    made = [c(clock) if callable(c) else c for c in connections]
    rest = iter(made[1:])

    def reopen():
        new = next(rest)
        if isinstance(new, Exception):
            raise new
        return new

    link = FakeLink(clock)
    return ReconnectingSource(
        made[0], reopen, ReadConfig(**read), clock=clock, link=link, jitter=lambda: jitter
    ), made


def sends(*arguments, **options):
    return lambda clock: Connection(clock, *arguments, **options)


OVER = sends(pictures(1, 150), finite=True)  # whose end is an end


def test_it_goes_on_after_an_error_and_after_an_end_without_reason():
    source, made = reconnecting(
        sends(pictures(3), BROKE), REFUSED, REFUSED, sends(pictures(2, 50)), OVER
    )
    frames = list(source)
    assert [f.bgr[1, 0, 0] for f in frames] == [0, 1, 2, 50, 51, 150]
    assert [f.index for f in frames] == list(range(6))
    assert [f.connection for f in frames] == [0, 0, 0, 1, 1, 2]
    # 3 pictures at 10 a second, three pauses: .25, .5, 1; one pause more, as it was not there long
    assert [f.time_s for f in frames] == pytest.approx([0, 0.1, 0.2, 2.05, 2.15, 4.25])
    assert [c.closed > 0 for c in made if isinstance(c, Connection)] == [True] * 3
    assert source.damaged == 3
    events = source.link.take()
    assert [e.kind for e in events] == ["offline", "online", "offline", "online"]
    assert events[0].cause == "The stream x broke off (reset)"
    assert events[2].cause == "The stream x has ended"
    assert [e.attempts for e in events] == [0, 3, 0, 1]
    assert [e.time_s for e in events] == pytest.approx([0.3, 2.05, 2.25, 4.25], abs=1e-3)
    assert events[1].at - START == timedelta(seconds=2.05)
    assert events[1].offline_s == pytest.approx(1.75)
    assert events[1].missed == round(1.75 * RATE)


def test_a_silence_counts_from_the_last_picture_on():
    def silent(clock):
        yield from Connection(clock, pictures(20))
        clock.now += 4.9  # and the picture's own time
        raise SourceReadError("The stream x has been silent for 5 s; check it.", "x")

    class Silent(Connection):
        def __iter__(self):
            return silent(self._clock)

    source, _ = reconnecting(lambda clock: Silent(clock, ()), OVER)
    frames = list(source)
    offline, online = source.link.take()
    assert [f.time_s for f in frames[-2:]] == pytest.approx([1.9, 7.15])
    assert offline.time_s == pytest.approx(6.9)  # when it was certain
    assert online.offline_s == pytest.approx(7.15 - 2.0, abs=0.01)
    assert online.missed == round((7.15 - 2.0) * RATE)


def test_pauses_double_up_to_a_limit_and_are_short_again_after_a_steady_time():
    source, _ = reconnecting(
        sends(pictures(2), BROKE),
        *[REFUSED] * 5,
        sends(pictures(30, 20), BROKE),  # 3 s
        sends(pictures(2, 10), BROKE),
        OVER,
        reconnect_max_s=3,
    )
    list(source)
    assert source.link.pauses == [0.25, 0.5, 1, 2, 3, 3, 0.25, 0.5]


def test_jitter_shortens_a_pause_by_half_at_most():
    for jitter, pause in ((0.0, FIRST_PAUSE_S), (0.5, 0.75 * FIRST_PAUSE_S), (1.0, 0.125)):
        source, _ = reconnecting(sends(pictures(1), BROKE), OVER, jitter=jitter)
        list(source)
        assert source.link.pauses == [pause]


def test_it_is_given_up_after_so_many_attempts_in_a_row():
    source, _ = reconnecting(sends(pictures(2), BROKE), *[REFUSED] * 9, reconnect=3)
    with pytest.raises(SourceReadError) as caught:
        list(source)
    assert str(caught.value) == (
        "x was lost and not brought back by 3 attempts within 2 s: Nothing serves x; check the "
        "port."
    )
    assert [e.kind for e in source.link.take()] == ["offline", "gave_up"]
    assert source.link.outage is None


def test_a_server_that_breaks_off_at_once_each_time_counts_as_attempts():
    broken = [sends(pictures(1, n), BROKE) for n in range(9)]
    source, _ = reconnecting(*broken, reconnect="4")
    got = []
    with pytest.raises(SourceReadError, match=r"4 attempts .* broke off \(reset\)"):
        got.extend(source)
    assert len(got) == 5


def test_what_comes_back_as_a_recording_has_ended(caplog):
    source, made = reconnecting(sends(pictures(2), BROKE), sends(pictures(9), live=False))
    assert len(list(source)) == 2
    assert made[1].closed
    assert "The stream x has ended." in caplog.text


def test_another_size_is_shown_at_the_first_one_and_said(caplog):
    source, _ = reconnecting(
        sends(pictures(1), BROKE), sends(pictures(1, 90, (16, 24)), finite=True, size=(16, 24))
    )
    first, second = source
    assert first.bgr.shape == second.bgr.shape == (6, 8, 3)
    assert second.bgr[:, 2:6].all()  # 16 x 24 into 8 x 6: 4 x 6, beside it black
    assert not second.bgr[:, :2].any()
    assert "came back with 16 x 24 px, and is analysed at the 8 x 6 px" in caplog.text


def test_a_frozen_picture_is_left_out_until_another_comes():
    still = pictures(1, 7)
    source, made = reconnecting(
        sends([*pictures(3), *still * 60]),  # 2 s of it are enough
        sends([*still * 30, *pictures(3, 90)], finite=True),
        frozen_s=1.95,
    )
    frames = list(source)
    shown = [f.bgr[1, 0, 0] for f in frames]
    assert shown == [0, 1, 2, *[7] * 20, 90, 91, 92]
    offline, online = source.link.take()
    assert offline.cause == "x has shown one picture, the same to the bit, for 2 s"
    assert online.offline_s == pytest.approx(FIRST_PAUSE_S + 3, abs=0.01)
    assert made[0].closed == 1


def test_a_scene_that_stands_still_is_opened_again_ever_more_seldom_and_never_given_up():
    still = pictures(1, 7) * 10_000
    source, _ = reconnecting(*[sends(still)] * 5, OVER, frozen_s=1.95, reconnect=1)
    assert [f.bgr[1, 0, 0] for f in source] == [7] * 20 + [150]
    # frozen at first after 1.95 s, on each later connection after twice as long
    (_, online) = source.link.take()
    assert online.offline_s == pytest.approx(1.95 * (2 + 4 + 8 + 16) + 5 * FIRST_PAUSE_S, abs=0.5)
    assert online.attempts == 5


def test_still_pictures_are_left_alone_where_that_is_asked_for():
    source, _ = reconnecting(sends(pictures(1, 7) * 500, finite=True), frozen_s=0)
    assert len(list(source)) == 500
    assert source.link.take() == []


def test_pictures_of_one_colour_are_left_out_after_a_loss():
    black = [np.full((6, 8, 3), n, np.uint8) for n in (0, 16)]
    source, _ = reconnecting(
        sends([*pictures(2), *black], BROKE), sends([*black, *pictures(1, 90)], finite=True)
    )
    assert [f.bgr[1, 0, 0] for f in source] == [0, 1, 0, 16, 90]
    fade = [np.full((6, 8, 3), n, np.uint8) for n in range(30)]  # darkness that changes is live
    source, _ = reconnecting(sends(pictures(2), BROKE), sends(fade, finite=True), frozen_s=1.95)
    assert [f.bgr[1, 0, 0] for f in source] == [0, 1, *range(20, 30)]


def test_the_state_is_seen_from_outside_while_it_lasts():
    clock, seen = Clock(), []

    def reopen():
        seen.append(source.link.outage)
        if len(seen) < 3:
            raise REFUSED
        return Connection(clock, pictures(1, 9), finite=True)

    first = Connection(clock, pictures(2), BROKE)
    source = ReconnectingSource(
        first, reopen, ReadConfig(), clock=clock, link=FakeLink(clock), jitter=lambda: 0
    )
    assert source.link.outage is None
    assert len(list(source)) == 3
    assert [outage.attempts for outage in seen] == [1, 2, 3]
    assert [outage.seconds for outage in seen] == pytest.approx([0.25, 0.75, 1.75])
    assert {outage.since for outage in seen} == {START + timedelta(seconds=0.2)}
    assert source.link.outage is None


@pytest.mark.parametrize("where", ["pause", "opening"])
def test_closing_from_another_thread_ends_a_wait_at_once(where, monkeypatch):
    """Both waits are longer than closing waits for the thread, which has ended all the same."""
    monkeypatch.setattr("fervid.prefetch.JOIN_S", 20.0)
    monkeypatch.setattr("fervid.reconnect.FIRST_PAUSE_S", 0.0 if where == "opening" else 600.0)
    waiting, hang = threading.Event(), threading.Event()

    class Told(Link):
        def wait(self, seconds):
            if seconds:
                waiting.set()
            super().wait(seconds)

    def reopen():
        waiting.set()
        hang.wait(600)
        raise REFUSED

    source = ReconnectingSource(
        Connection(Clock(), pictures(2), BROKE),
        reopen,
        ReadConfig(reconnect_max_s=1000),
        clock=time.monotonic,
        link=Told(),
        jitter=lambda: 0,
    )
    frames = Prefetch(shaped(source, ReadConfig(mirror=True)))
    with frames:
        assert waiting.wait(20)
    assert not frames._thread.is_alive()
    hang.set()


def test_what_opens_too_late_is_closed():
    late, opening, go = Connection(Clock(), pictures(1)), threading.Event(), threading.Event()

    def reopen():
        opening.set()
        go.wait(20)
        return late

    source = ReconnectingSource(
        Connection(Clock(), pictures(1), BROKE), reopen, ReadConfig(), jitter=lambda: 1
    )
    with Prefetch(source):
        assert opening.wait(10)
    assert late.closed == 0
    go.set()
    until = time.monotonic() + 10
    while not late.closed and time.monotonic() < until:
        time.sleep(0.01)
    assert late.closed == 1


def test_a_loop_in_one_thread_may_be_left_and_closed_at_any_time():
    source, made = reconnecting(sends(pictures(5), BROKE), OVER)
    with source:
        for frame in source:
            if frame.index == 2:
                break
    assert made[0].closed >= 1
    assert list(source) == []
