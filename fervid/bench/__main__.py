"""Run the benchmark: python -m fervid.bench."""

import sys

from fervid.bench.command import main

if __name__ == "__main__":
    sys.exit(main())
