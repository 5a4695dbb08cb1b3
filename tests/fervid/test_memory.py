"""Memory of this process, and what it gives back."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fervid.memory import TRIM_S, MemoryKeeper, malloc_trim, process_memory_mb


def test_memory_is_that_of_this_process():
    assert 5 < process_memory_mb() < 1e5


def test_memory_is_given_back_every_few_seconds():
    now, trimmed = [100.0], []
    keeper = MemoryKeeper(lambda: now[0], trimmed.append)
    for now[0] in np.arange(100, 100 + 2.5 * TRIM_S):
        keeper.update()
    assert trimmed == [0, 0]


@pytest.mark.skipif(malloc_trim() is None, reason="the C library is not glibc")
def test_holes_between_pieces_in_use_are_given_back():
    pieces = [bytearray(60_000) for _ in range(1000)]
    del pieces[::2]  # of what is left every piece has a hole beside it
    before = process_memory_mb()
    now = [0.0]
    keeper = MemoryKeeper(lambda: now[0])
    now[0] = TRIM_S
    keeper.update()
    assert before - process_memory_mb() > 15
    assert len(pieces) == 500


def test_another_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("fervid.memory.malloc_trim", lambda: None)
    now = [0.0]
    keeper = MemoryKeeper(lambda: now[0])
    now[0] = TRIM_S
    keeper.update()  # there is nothing to call, and nothing is called


HEAPS = """
import ctypes, sys, threading
from fervid.__main__ import entry
sys.argv[1:] = ["--version"]
entry()
meet = threading.Barrier(9)
kept = []
def work():
    kept.append(bytearray(5000))
    meet.wait(60)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
meet.wait(60)
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def heaps(**variables):
    """How many heaps glibc has made for nine threads after the program's beginning."""
    environment = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"}
    command = [sys.executable, "-c", HEAPS]
    done = subprocess.run(
        command, env=environment | variables, capture_output=True, text=True, check=True
    )
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(malloc_trim() is None, reason="the C library is not glibc")
def test_the_threads_of_the_program_share_one_heap_unless_somebody_says_how_many():
    assert heaps() == 1
    assert heaps(MALLOC_ARENA_MAX="4") == 4
