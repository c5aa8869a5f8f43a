"""Structural similarity (Wang et al., 2004).

Definition: mean over pixels and RGB channels of
(2 ux uy + C1)(2 sxy + C2) / ((ux^2 + uy^2 + C1)(sx^2 + sy^2 + C2)) with an 11x11 Gaussian window
of sigma 1.5, C1 = (0.01 L)^2, C2 = (0.03 L)^2, L = 255; population variances. A region's figure is
the mean over the windows centred in it. 1 is equality; higher is better.

Variant: the picture is mirrored at its border, so that every pixel has a window, as torchmetrics
does; leaving the border out, as the paper's script does, moves the figure by less than 0.001.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.types import ByteArray

Map = npt.NDArray[np.float64]

WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def ssim(predicted: ByteArray, truth: ByteArray) -> float:
    """SSIM of two (H, W, 3) uint8 pictures."""
    luminance, structure = ssim_maps(predicted.astype(np.float64), truth.astype(np.float64))
    return float((luminance * structure).mean())


def ssim_maps(a: Map, b: Map) -> tuple[Map, Map]:
    """(H, W, 3) luminance and contrast-structure terms of two (H, W, 3) pictures in [0, 255]."""
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    cov = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * cov + C2) / (var_a + var_b + C2)


def _blur(picture: Map) -> Map:
    """(H, W, 3) smoothed by the window, mirrored at the border."""
    import cv2

    border = cv2.BORDER_REFLECT_101
    smooth = cv2.GaussianBlur(picture, (WINDOW, WINDOW), SIGMA, borderType=border)
    return np.asarray(smooth, np.float64)
