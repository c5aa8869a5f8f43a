"""Sharpness against the truth, from the energy of the brightness gradient.

Definition: E = mean over a box of (dY/dx)^2 + (dY/dy)^2 by Sobel derivatives of Rec. 601 luma in
levels per pixel; the figure of a video is sqrt(mean over frames of E of the prediction / mean over
frames of E of the truth). 1 is equal sharpness, below 1 blurred, above 1 noisier or sharper.
A sine of angular frequency w blurred by a Gaussian of sigma s gives exp(-(s w)^2 / 2).
Source: Tenengrad, Tenenbaum 1970; the ratio is ours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.types import ByteArray, PixelBox

Map = npt.NDArray[np.float32]


def gradient_energy(picture: ByteArray) -> Map:
    """(H, W) squared gradient, levels^2 per pixel^2, of an (H, W, 3) uint8 picture."""
    import cv2

    luma = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    across = cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(across * across + down * down, np.float32)


def box_mean(values: npt.NDArray[np.floating], box: PixelBox) -> float:
    """Mean of an (H, W, ...) map inside ``box``."""
    return float(values[box.top : box.top + box.height, box.left : box.left + box.width].mean())


def sharpness_ratio(
    predicted: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]
) -> float | None:
    """Ratio over the frames in which both (T,) energies are known; None without truth energy."""
    both = np.isfinite(predicted) & np.isfinite(truth)
    if not both.any() or truth[both].mean() <= 1e-9:
        return None
    return float(np.sqrt(predicted[both].mean() / truth[both].mean()))
