"""From a trained network to what fervid runs; from a source checkout with `python -m export`."""

import fervid  # noqa: F401  before onnxruntime, whose telemetry it turns off
