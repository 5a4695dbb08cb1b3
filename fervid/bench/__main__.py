"""Run the benchmark: python -m fervid.bench."""

import sys

from fervid.bench.command import main
from fervid.memory import share_heap

if __name__ == "__main__":
    share_heap()  # as the program does
    sys.exit(main())
