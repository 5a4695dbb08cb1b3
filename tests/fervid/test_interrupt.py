"""Ctrl-C inside a block that must not be cut in two."""

import signal
import threading
from contextlib import contextmanager

import pytest

from fervid.interrupt import Terminated, held_interrupt, kept_handler, terminable


@pytest.fixture(autouse=True)
def untouched():
    """No handler of SIGTERM at first: a library in an earlier test (Ray) may have left its own."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    if before is not None:
        signal.signal(signal.SIGTERM, before)


def press():
    signal.raise_signal(signal.SIGINT)


@contextmanager
def handling(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_comes_when_the_block_is_done():
    done = []

    def work():
        with held_interrupt():
            press()
            done.append(1)

    with handling(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_a_block_in_a_block_holds_it_until_the_end_of_both():
    done = []

    def work():
        with held_interrupt():
            with held_interrupt():
                press()
            done.append(1)

    with handling(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_a_program_with_a_handler_of_its_own_gets_it():
    got = []
    with handling(lambda number, _: got.append(number)):
        with held_interrupt():
            press()
            assert got == []
        assert got == [signal.SIGINT]
    with handling(signal.SIG_IGN), held_interrupt():  # as in the background of a script
        press()


def end():
    signal.raise_signal(signal.SIGTERM)


def test_sigterm_ends_a_block_as_ctrl_c_does():
    with pytest.raises(KeyboardInterrupt) as caught, terminable():
        end()
    assert isinstance(caught.value, Terminated)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_sigterm_waits_until_the_block_is_done():
    done = []

    def work():
        with held_interrupt():
            end()
            end()
            done.append(1)

    with pytest.raises(Terminated), terminable():
        work()
    assert done == [1]


def test_a_program_keeps_its_own_handler_of_sigterm():
    got = []
    before = signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
    try:
        with terminable(), held_interrupt():
            end()
            assert got == []
        assert got == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_library_that_sets_a_handler_does_not_keep_sigterm():
    def work():
        with kept_handler():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end()

    with pytest.raises(Terminated), terminable():
        work()


def test_another_thread_changes_no_handler():
    def work():
        with terminable(), kept_handler(), held_interrupt():
            seen.append(signal.getsignal(signal.SIGTERM))

    seen = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
