"""Head-pose error in degrees.

Definition: the angle of the rotation that leads from the true head to the predicted one, by the
similarity (Umeyama, 1991) between the two frames' meshes over the points that speech does not
move; mean over frames. 0 is equality; lower is better. The same landmark finder reads both videos.
Landmarks come from a picture, so this is the pose as seen, not as it was asked of a renderer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.geometry.headshape import similarity
from nerf_talker.geometry.mesh import RIGID


def pose_error(
    predicted: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """(T,) degrees between (T, 478, 3) meshes in pixels; NaN where a face is missing."""
    rigid = list(RIGID)
    angles = np.full(len(truth), np.nan)
    for index, (one, other) in enumerate(zip(predicted, truth, strict=True)):
        a, b = one[rigid].astype(np.float64), other[rigid].astype(np.float64)
        if np.isfinite(a).all() and np.isfinite(b).all():
            _, rotation, _ = similarity(b, a)
            angles[index] = rotation_angle(rotation)
    return angles


def rotation_angle(rotation: npt.NDArray[np.float64]) -> float:
    """Degrees of a (3, 3) rotation; exact near 0 too, where the arc cosine of the trace is not."""
    sine = float(np.linalg.norm(rotation - rotation.T)) / (2 * np.sqrt(2))
    cosine = (float(np.trace(rotation)) - 1) / 2
    return float(np.degrees(np.arctan2(sine, cosine)))
