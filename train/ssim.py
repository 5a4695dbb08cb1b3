"""SSIM of heatmaps: most of what an evaluation computes."""

import numpy as np
from skimage.metrics import structural_similarity

from fervid.records import F32

WINDOW_PX = 7


def ssim(a: F32, b: F32) -> F32:
    """SSIM of each pair of maps: uniform window, population statistics, whole windows only.

    By scikit-image, which keeps running sums (0.5 ms a pair of 112 px; torchmetrics' convolution
    takes 4.3); tests/train/test_metrics.py shows that the values are the same.

    Args:
        a: float32 (N, H, W), 0-1.
        b: the same.

    Returns:
        float32 (N,).

    Source: Wang et al. 2004, "Image quality assessment" (k1 .01, k2 .03, range 1).
    """
    return np.array([_pair(x, y) for x, y in zip(a, b, strict=True)], np.float32)


def _pair(x: F32, y: F32) -> float:
    options = {"win_size": WINDOW_PX, "data_range": 1.0, "use_sample_covariance": False}
    return float(structural_similarity(x, y, **options))  # type: ignore[no-untyped-call]
