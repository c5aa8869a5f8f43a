"""The 68 landmarks of iBUG 300-W, which most tools of the field speak, out of the mesh's 478.

Left and right are the image's when the subject faces the camera. iBUG numbers from 0:

====== ============================ ==========================================
number part                         order
====== ============================ ==========================================
0-16   jaw line                     left temple, chin (8), right temple
17-21  left brow, upper edge        outer to inner end
22-26  right brow, upper edge       inner to outer end
27-30  bridge of the nose           from between the eyes to the tip
31-35  base of the nose             left to right wing, 33 in the middle
36-41  left eye                     outer corner, upper lid, inner corner, lower lid
42-47  right eye                    inner corner, upper lid, outer corner, lower lid
48-59  outer rim of the lips        left corner, upper lip, right corner (54), lower lip
60-67  inner rim of the lips        left corner, upper lip, right corner (64), lower lip
====== ============================ ==========================================

The jaw line of the mesh is the silhouette of a model, not a painted contour; on turned heads it
differs most from annotated points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.types import FloatArray

MESH_POINTS = (
    *(127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356),
    *(70, 63, 105, 66, 107),
    *(336, 296, 334, 293, 300),
    *(168, 197, 5, 4),
    *(75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144),
    *(362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
"""Index in the 478-point mesh of each of the 68."""


def landmarks68(landmarks: npt.NDArray[Any]) -> FloatArray:
    """(..., 68, 2) pixels in iBUG's order from (..., 478, 2 or 3)."""
    return np.asarray(landmarks[..., list(MESH_POINTS), :2], np.float32)
