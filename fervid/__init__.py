"""fervid: real-time facial-expression analytics for noisy video."""

__version__ = "0.1.0"
