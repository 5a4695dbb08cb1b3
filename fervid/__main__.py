"""Run the command line: python -m fervid, and the installed program."""

import signal
import sys


def entry() -> int:
    """Run fervid; an interrupt while its parts are loaded or after the end is no traceback."""
    try:
        from fervid.cli import main

        return main()
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(entry())
