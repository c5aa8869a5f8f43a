"""Where the eyes look, read from the irises' places between the corners of the eyes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.types import FloatArray

# (image-left corner, image-right corner, centre of the iris) of the image's left and right eye.
EYES = ((33, 133, 468), (362, 263, 473))
# The pupil lies on a ball of about 10.5 mm radius; the corners are about 30 mm apart.
_BALL_IN_WIDTHS = 0.35


def gaze_angles(landmarks: npt.NDArray[Any]) -> FloatArray:
    """How far the eyes are turned in the head, both eyes' mean.

    Args:
        landmarks: (..., 478, 2 or 3) pixels.

    Returns:
        (..., 2) radians, to the image's right and up, along the line of each eye's corners. An
        iris off the middle by ``d`` eye widths means ``asin(d / 0.35)``. The eyes of a person at
        rest need not read zero; differences between frames are what counts.
    """
    total = np.zeros((*landmarks.shape[:-2], 2))
    for eye in EYES:
        points = np.asarray(landmarks[..., list(eye), :2], np.float64)
        left, right, iris = (points[..., k, :] for k in range(3))
        across = right - left
        width = np.linalg.norm(across, axis=-1, keepdims=True)
        across = across / np.maximum(width, 1e-9)
        up = np.stack([across[..., 1], -across[..., 0]], -1)
        off = (iris - (left + right) / 2) / np.maximum(width, 1e-9)
        parts = np.stack([(off * across).sum(-1), (off * up).sum(-1)], -1)
        total += np.arcsin(np.clip(parts / _BALL_IN_WIDTHS, -1, 1)) / len(EYES)
    return total.astype(np.float32)
