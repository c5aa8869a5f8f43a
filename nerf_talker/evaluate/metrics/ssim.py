"""Structural similarity (Wang et al., 2004).

Definition: mean over pixels and RGB channels of
(2 ux uy + C1)(2 sxy + C2) / ((ux^2 + uy^2 + C1)(sx^2 + sy^2 + C2)) with an 11x11 Gaussian window
of sigma 1.5, C1 = (0.01 L)^2, C2 = (0.03 L)^2, L = 255; only windows that lie wholly inside the
picture count; population variances. 1 is equality; higher is better.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.types import ByteArray, PixelBox

Map = npt.NDArray[np.float64]

WINDOW = 11
EDGE = WINDOW // 2
SIGMA = 1.5
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def ssim(predicted: ByteArray, truth: ByteArray) -> float:
    """SSIM of two (H, W, 3) uint8 pictures of at least 11x11 pixels."""
    luminance, structure = ssim_maps(predicted.astype(np.float64), truth.astype(np.float64))
    return float((luminance * structure).mean())


def ssim_maps(a: Map, b: Map) -> tuple[Map, Map]:
    """The luminance and the contrast-structure term at every window.

    Args:
        a: (H, W, 3) in [0, 255], at least 11x11 pixels.
        b: The same.

    Returns:
        Two (H - 10, W - 10, 3) maps; pixel (0, 0) belongs to the window centred on (5, 5).
    """
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    cov = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * cov + C2) / (var_a + var_b + C2)


def box_ssim(similarity: Map, box: PixelBox) -> float:
    """SSIM of the crop ``box``, from the whole frame's map; NaN below 11x11 pixels.

    Args:
        similarity: (H - 10, W - 10, 3) product of :func:`ssim_maps`.
        box: Inside the frame.
    """
    inside = similarity[
        box.top : max(box.top + box.height - 2 * EDGE, box.top),
        box.left : max(box.left + box.width - 2 * EDGE, box.left),
    ]
    return float(inside.mean()) if inside.size else float("nan")


def _blur(picture: Map) -> Map:
    """(H, W, 3) smoothed by the window, valid part only."""
    import cv2

    smooth = cv2.GaussianBlur(picture, (WINDOW, WINDOW), SIGMA)
    return np.asarray(smooth, np.float64)[EDGE:-EDGE, EDGE:-EDGE]
