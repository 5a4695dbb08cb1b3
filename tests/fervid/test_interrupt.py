"""Ctrl-C inside a block that must not be cut in two."""

import signal
from contextlib import contextmanager

import pytest

from fervid.interrupt import held_interrupt


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
