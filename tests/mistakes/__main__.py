"""Writes the table of mistakes: python -m tests.mistakes [FILE]."""

import sys
from pathlib import Path

from tests.mistakes.document import PLACE, document
from tests.places import ROOT

place = Path(sys.argv[1]) if sys.argv[1:] else ROOT / PLACE
place.write_text(document(), encoding="utf-8")
