"""Where tests find things that are not made by themselves."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "samples" / "noisy_portrait.mp4"
DEFAULT_MODEL = ROOT / "fervid" / "models" / "fervid-int8.onnx"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the development data (shared/data beside the checkout) is missing"
)
