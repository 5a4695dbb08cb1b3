"""Run the command line: python -m fervid, and the installed program."""

import contextlib
import os
import signal
import sys
import threading

# Threads that may still be inside a library's call, which waits for a stream, a pipe or a camera.
STUCK = ("fervid-call", "fervid-pipe", "fervid-prefetch")


def entry() -> int:
    """Run fervid; an interrupt while its parts are loaded or after the end is no traceback."""
    code = 130
    try:
        from fervid.memory import share_heap

        share_heap()
        from fervid.cli import interrupted, main

        try:
            code = main()
        except KeyboardInterrupt as error:
            code = interrupted(error)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if any(thread.name in STUCK for thread in threading.enumerate()):
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End the process at once: a call that comes back while Python shuts down would crash it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(entry())
