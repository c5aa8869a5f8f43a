"""Distances between landmark sets of the same frame of two videos.

LMD (Chen et al., 2018): mean Euclidean distance of the mouth's points after each frame's own mean
is subtracted; F-LMD takes all points of the face. Pixels at a frame width of 512, or parts of the
distance of the truth's outer eye corners, which does not depend on the resolution. Here the mouth
is MediaPipe's 40 lip points and the face its 478; the 68-point figures of papers differ. 0 is
equality; lower is better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nerf_talker.geometry.mesh import EYE_CORNERS, POINTS

Points = npt.NDArray[np.floating]
Series = npt.NDArray[np.float64]

FACE = tuple(range(POINTS))


def landmark_distance(predicted: Points, truth: Points, points: Sequence[int]) -> Series:
    """(T,) pixels: mean-centred distance per frame, NaN where a face is missing.

    Args:
        predicted: (T, 478, 2 or 3) pixels.
        truth: The same of the truth.
        points: Which of the 478.
    """
    a = np.asarray(predicted, np.float64)[:, list(points), :2]
    b = np.asarray(truth, np.float64)[:, list(points), :2]
    apart = (a - a.mean(1, keepdims=True)) - (b - b.mean(1, keepdims=True))
    return np.asarray(np.linalg.norm(apart, axis=-1).mean(1), np.float64)


def eye_distance(truth: Points) -> Series:
    """(T,) pixels between the outer eye corners."""
    first, second = EYE_CORNERS
    apart = np.asarray(truth, np.float64)[:, first, :2] - truth[:, second, :2]
    return np.asarray(np.linalg.norm(apart, axis=-1), np.float64)
