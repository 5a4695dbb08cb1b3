"""Memory of this process: how much it is, one heap for it, and returning what is not needed."""

import ctypes
import os
import time
from collections.abc import Callable

import psutil  # type: ignore[import-untyped]

TRIM_S = 10.0
M_ARENA_MAX = -8  # of <malloc.h>


def process_memory_mb() -> float:
    """Resident memory of this process, in MB (10^6 bytes)."""
    return float(psutil.Process().memory_info().rss) / 1e6


def malloc_trim() -> Callable[[int], int] | None:
    """The function of this name, which gives free pages back; None where it is not glibc's."""
    return _of_glibc("malloc_trim")


def share_heap() -> bool:
    """Have all threads share one heap, if nobody has set MALLOC_ARENA_MAX; returns whether they do.

    glibc makes a heap for each of a dozen threads, and each keeps holes of its own. It is for the
    process of a program, before its threads begin; only heaps made later are shared.
    """
    mallopt = _of_glibc("mallopt") if _of_glibc("malloc_trim") else None
    if mallopt is None or "MALLOC_ARENA_MAX" in os.environ:
        return False
    return bool(mallopt(M_ARENA_MAX, 1))


def _of_glibc(name: str) -> Callable[..., int] | None:
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows
        return None


class MemoryKeeper:
    """Gives memory that is free back to the system, every ten seconds.

    A run of hours has a dozen threads that take pictures of many sizes and let them go. glibc keeps
    the holes that they leave, for each thread its own, and they become more (docs/decisions.md,
    "What survives"). Other libraries than glibc are left alone.

    Args:
        clock: seconds.
        trim: takes 0, the bytes to be kept beyond need, and gives the rest back.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        trim: Callable[[int], int] | None = None,
    ) -> None:
        self._clock, self._trim = clock, trim or malloc_trim()
        self._next_s = clock() + TRIM_S

    def update(self) -> None:
        """Give back what is free, if it is time; takes some milliseconds then."""
        if self._trim is not None and self._clock() >= self._next_s:
            self._trim(0)
            self._next_s = self._clock() + TRIM_S
