"""Structural similarity (Wang et al., 2004).

Definition: mean over pixels and RGB channels of
(2 ux uy + C1)(2 sxy + C2) / ((ux^2 + uy^2 + C1)(sx^2 + sy^2 + C2)) with an 11x11 Gaussian window
of sigma 1.5, C1 = (0.01 L)^2, C2 = (0.03 L)^2, L = 255; only windows that lie wholly inside the
picture count; population variances. 1 is equality; higher is better.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.types import ByteArray

WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def ssim(predicted: ByteArray, truth: ByteArray) -> float:
    """SSIM of two (H, W, 3) uint8 pictures of at least 11x11 pixels."""
    a, b = predicted.astype(np.float64), truth.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    cov = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * cov + C2) / (var_a + var_b + C2)
    return float((luminance * structure).mean())


def _blur(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(H, W, 3) smoothed by the window, valid part only."""
    import cv2

    smooth = cv2.GaussianBlur(picture, (WINDOW, WINDOW), SIGMA)
    edge = WINDOW // 2
    return np.asarray(smooth, np.float64)[edge:-edge, edge:-edge]
