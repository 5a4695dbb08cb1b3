"""Run the command line: python -m fervid."""

import sys

from fervid.cli import main

if __name__ == "__main__":
    sys.exit(main())
