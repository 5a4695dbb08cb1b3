"""The thread that draws and writes beside the analysis."""

import logging
import signal
import threading
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from fervid.errors import SinkError
from fervid.link import LinkEvent
from fervid.records import Frame
from fervid.writer import Work, Writer
from tests.results import result

FRAME_BYTES = 96 * 128 * 3


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [t for t in threading.enumerate() if t.name == "fervid-writer"]


def work(index, **more):
    frame = Frame(index, index / 25, np.zeros((96, 128, 3), np.uint8))
    return Work(frame, result(index), {"wait": 1.0}, **more)


class Output:
    """Keeps the numbers of frames; with a gate, one is written for each release of it."""

    def __init__(self, *, gate=None, fails_at=None):
        self.written, self.threads = [], set()
        self.begun = threading.Semaphore(0)
        self._gate, self._fails_at = gate, fails_at

    def write(self, frame, found, drawn):
        self.begun.release()
        if self._gate is not None:
            self._gate.acquire(timeout=10)
        if frame.index == self._fails_at:
            raise SinkError("the tape is full", "tape")
        self.threads.add(threading.current_thread().name)
        self.written.append((frame.index, drawn))


def writer(output, frames=10, **more):
    return Writer(output.write, threading.Condition(), frames * FRAME_BYTES, **more)


def wait_for(condition):
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.002)
    assert condition()


def test_all_is_written_in_order_by_one_other_thread_before_the_context_is_left():
    output = Output()
    with writer(output) as writing:
        for index in range(50):
            wait_for(writing.room)
            writing.put(work(index))
    assert [index for index, _ in output.written] == list(range(50))
    assert output.threads == {"fervid-writer"}
    assert [found.index for found, _ in writing.finished()] == list(range(50))
    assert writing.finished() == []


def test_pictures_are_made_in_the_thread_unless_they_are_there():
    output, made_in = Output(), []

    def paint():
        made_in.append(threading.current_thread().name)
        return "painted"

    with writer(output) as writing:
        for item in (work(0, paint=paint), work(1, drawn=np.zeros((1, 1, 3), np.uint8)), work(2)):
            writing.put(item)
    assert made_in == ["fervid-writer"]
    assert output.written[0] == (0, "painted")
    assert output.written[1][1].shape == (1, 1, 3)
    assert output.written[2] == (2, None)


def test_what_waits_is_bounded_in_bytes_and_one_always_fits():
    for frames, fit in ((3, 3), (0.1, 1)):
        gate = threading.Semaphore(0)
        output, put = Output(gate=gate), 1
        with writer(output, frames) as writing:
            writing.put(work(0))
            output.begun.acquire()  # it is written now, and waits no more
            while writing.room():
                writing.put(work(put))
                put += 1
            assert put - 1 == fit
            assert not writing.room(2)
            gate.release()
            output.begun.acquire()
            assert writing.room()
            gate.release(put)
        assert len(output.written) == put


def test_of_a_live_source_one_is_written_and_one_waits():
    gate = threading.Semaphore(0)
    output = Output(gate=gate)
    with writer(output, live=True) as writing:
        writing.put(work(0))
        output.begun.acquire()
        assert writing.room()
        writing.put(work(1))
        assert not writing.room()
        gate.release(2)


def test_the_owner_is_told_when_there_is_room_and_when_all_is_written():
    gate, news = threading.Semaphore(0), threading.Condition()
    output = Output(gate=gate)
    with Writer(output.write, news, FRAME_BYTES) as writing:
        writing.put(work(0))
        output.begun.acquire()
        writing.put(work(1))
        for ready in (writing.room, lambda: writing.idle):
            assert not ready()
            gate.release()
            with news:
                assert news.wait_for(ready, 10)


def test_an_error_stops_the_writing_and_reaches_the_owner_once():
    output = Output(fails_at=2)
    with writer(output) as writing:
        for index in range(3):
            writing.put(work(index))
        wait_for(lambda: writing.failed)
        writing.put(work(3))
        assert writing.idle
        assert writing.room()
        with pytest.raises(SinkError, match="tape is full") as caught:
            writing.check()
        assert "write" in {entry.name for entry in caught.traceback}
        writing.check()
    assert [index for index, _ in output.written] == [0, 1]
    assert [found.index for found, _ in writing.finished()] == [0, 1]


def test_an_error_at_the_end_is_raised_there_unless_another_one_is_under_way(caplog):
    def run(error=None):
        with writer(Output(fails_at=1)) as writing:
            for index in range(2):
                writing.put(work(index))
            if error:
                raise error

    with pytest.raises(SinkError, match="tape is full"):
        run()
    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        run(KeyboardInterrupt())
    assert "tape is full" in caplog.text


def test_an_interrupt_waits_until_what_was_put_is_written():
    output = Output(gate=(gate := threading.Semaphore(0)))

    def press(writing):
        output.begun.acquire()
        wait_for(lambda: writing._closed)
        signal.raise_signal(signal.SIGINT)
        gate.release(3)

    def run():
        with writer(output) as writing:
            for index in range(3):
                writing.put(work(index))
            threading.Thread(target=press, args=(writing,)).start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(output.written) == 3


def test_the_seconds_of_all_stages_are_told():
    with writer(Output()) as writing:
        writing.put(work(0, paint=lambda: time.sleep(0.02)))
    ((_, took_s),) = writing.finished()
    assert took_s["wait"] == 1.0
    assert took_s["draw"] >= 0.02
    assert took_s["write"] >= 0


def test_closing_twice_is_harmless_and_nothing_is_taken_afterwards():
    output = Output()
    writing = writer(output)
    with writing:
        pass
    writing.close()
    writing.put(work(0))
    assert output.written == []


def test_events_are_written_between_the_frames_they_lie_between():
    output, told = Output(), []
    event = LinkEvent("offline", 0.5, datetime(2026, 1, 31, tzinfo=UTC), "gone")

    def tell(event):
        told.append((event, [index for index, _ in output.written]))

    with writer(output, live=True, tell=tell) as writing:
        writing.put(work(0))
        writing.note(event)
        wait_for(lambda: told)
        writing.put(work(1))
        writing.note(event)
    assert told == [(event, [0]), (event, [0, 1])]
    writing.note(event)  # after the end nobody is told
    assert len(told) == 2


def test_an_event_that_cannot_be_written_ends_the_writing():
    def full(event):
        raise SinkError("the tape is full", "tape")

    def run():
        with writer(Output(), tell=full) as writing:
            writing.note(LinkEvent("offline", 0.5, datetime(2026, 1, 31, tzinfo=UTC), "gone"))
            wait_for(lambda: writing.failed)

    with pytest.raises(SinkError, match="tape is full"):
        run()
