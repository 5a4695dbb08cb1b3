"""From a trained network to what fervid runs; from a source checkout with `python -m export`."""
