"""fervid: real-time facial-expression analytics for noisy video."""

import os

__version__ = "0.1.0"

# ONNX Runtime from 1.29 on reports its use to its maker, on Linux and macOS too, unless this is set
# before it is imported (its Privacy.md); its own disable_telemetry_events() comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
