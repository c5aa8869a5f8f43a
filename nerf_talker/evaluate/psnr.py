"""Peak signal-to-noise ratio.

Definition: 10 log10(255^2 / MSE) in dB on 8-bit RGB, the mean over all pixels and channels of one
frame or box; a table's figure is the mean over frames of the per-frame dB (not the dB of the
pooled error). Higher is better.
"""

from __future__ import annotations

import numpy as np

from nerf_talker.types import ByteArray

CEILING = 100.0
"""dB counted for a frame equal to the truth in every pixel, whose PSNR is infinite."""


def psnr(predicted: ByteArray, truth: ByteArray) -> float:
    """PSNR in dB of two (H, W, 3) uint8 pictures; ``inf`` when they are equal."""
    difference = predicted.astype(np.float64) - truth
    error = float(np.mean(difference * difference))
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def mean_psnr(values: list[float]) -> float:
    """Mean over frames of per-frame dB, each counted as at most :data:`CEILING`."""
    return float(np.mean(np.minimum(values, CEILING)))
