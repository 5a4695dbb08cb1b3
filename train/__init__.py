"""Training and offline evaluation; run from a source checkout with `python -m train`."""
