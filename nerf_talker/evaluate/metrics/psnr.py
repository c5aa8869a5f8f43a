"""Peak signal-to-noise ratio.

Definition: 10 log10(255^2 / MSE) in dB on 8-bit RGB, the mean over all pixels and channels of one
frame or box; a table's figure is the mean over frames of the per-frame dB (not the dB of the
pooled error). Higher is better.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nerf_talker.types import ByteArray

CEILING = 100.0
"""dB counted for a frame equal to the truth in every pixel, whose PSNR is infinite."""


def psnr(predicted: ByteArray, truth: ByteArray) -> float:
    """PSNR in dB of two (H, W, 3) uint8 pictures; ``inf`` when they are equal."""
    difference = predicted.astype(np.float64) - truth
    return decibel(float(np.mean(difference * difference)))


def decibel(error: float) -> float:
    """PSNR in dB of a mean squared error in levels^2; ``inf`` for 0."""
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def mean_psnr(values: Iterable[float]) -> float | None:
    """Mean over frames of per-frame dB, each counted as at most :data:`CEILING`.

    NaN stands for a frame without the region; None when there is no other.
    """
    series = np.array(list(values), np.float64)
    series = series[~np.isnan(series)]
    return float(np.mean(np.minimum(series, CEILING))) if series.size else None
