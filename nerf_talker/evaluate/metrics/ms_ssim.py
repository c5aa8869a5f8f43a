"""Multi-scale structural similarity (Wang, Simoncelli and Bovik, 2003).

Definition: the product over five scales of the mean contrast-structure term of SSIM to the power
0.0448, 0.2856, 0.3001, 0.2363, and of the whole SSIM at the coarsest scale to the power 0.1333;
each scale halves the one before by 2x2 means; window and constants as in
:mod:`nerf_talker.evaluate.metrics.ssim`. Variant, that of torchmetrics: means run over pixels and
RGB channels together, a negative mean counts as 0, and the contrast-structure terms leave out the
windows that reach over the border. 1 is equality; higher is better.
"""

from __future__ import annotations

import numpy as np

from nerf_talker.evaluate.metrics.ssim import WINDOW, Map, ssim_maps
from nerf_talker.types import ByteArray

POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

SMALLEST = (WINDOW - 1) * 2 ** (len(POWERS) - 1) + 1
"""Pixels of the shorter side below which the coarsest scale is smaller than the window: 161."""


INSIDE = np.s_[WINDOW // 2 : -(WINDOW // 2), WINDOW // 2 : -(WINDOW // 2)]


def ms_ssim(predicted: ByteArray, truth: ByteArray) -> float:
    """MS-SSIM of two (H, W, 3) uint8 pictures; NaN below :data:`SMALLEST` pixels."""
    if min(predicted.shape[:2]) < SMALLEST:
        return float("nan")
    a, b = predicted.astype(np.float64), truth.astype(np.float64)
    product = 1.0
    for scale, power in enumerate(POWERS):
        luminance, structure = ssim_maps(a, b)
        last = scale == len(POWERS) - 1
        term = float((luminance * structure).mean() if last else structure[INSIDE].mean())
        product *= max(term, 0.0) ** power
        a, b = _half(a), _half(b)
    return product


def _half(picture: Map) -> Map:
    """(H // 2, W // 2, 3) means of 2x2 pixels; an odd last row or column falls away."""
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    even = picture[:height, :width]
    return np.asarray(even.reshape(height // 2, 2, width // 2, 2, -1).mean((1, 3)), np.float64)
