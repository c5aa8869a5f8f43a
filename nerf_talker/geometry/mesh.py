"""Index groups of MediaPipe's 478-point face mesh.

Numbers are those of the face landmarker's output; "left" and "right" are the image's when the
subject faces the camera. Points 468-477 are the irises.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

POINTS = 478

EYE_CORNERS = (33, 263)
"""The outer ones; their distance is the unit of the lip gap."""

INNER_LIPS = (13, 14)
"""Middle of the upper and of the lower lip's inner rim."""

LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
"""The outer rim's 20 points, then the inner rim's, both round from the right corner by below."""

NOSE_BRIDGE = 168
FOREHEAD_TOP = 10
CHIN = 152
EAR_SIDES = (234, 454)
NOSE_BASE = 2

# Rims of the lids.
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)

# Closed outline of the face, clockwise in the image from the top of the forehead.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

# Bone close under the skin: bridge and sides of the nose, its base, eye corners, temples,
# forehead, cheekbones. No lips, jaw, lids or brows, which move on their own.
RIGID = (
    6, 168, 197, 195, 5, 4, 122, 351, 196, 419, 3, 248, 174, 399, 188, 412, 193, 417,
    1, 19, 94, 2, 98, 327, 97, 326, 129, 358, 49, 279, 198, 420, 236, 456, 131, 360,
    33, 133, 362, 263, 243, 463, 130, 359, 226, 446,
    10, 151, 9, 8, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 162, 389, 127, 356, 71, 301,
    234, 454, 93, 323, 116, 345, 117, 346, 123, 352, 227, 447, 34, 264, 143, 372,
)  # fmt: skip

# Left-right partners whose difference is the head's x axis.
MIRROR_PAIRS = (
    (33, 263), (133, 362), (127, 356), (234, 454), (93, 323), (162, 389), (21, 251), (54, 284),
    (103, 332), (67, 297), (109, 338), (129, 358), (98, 327), (116, 345), (123, 352), (71, 301),
)  # fmt: skip


def lip_gap(landmarks: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How far the mouth is open in the image: |p13 - p14| / |p33 - p263|.

    Args:
        landmarks: (..., 478, 2 or 3) pixels; a depth is not looked at.

    Returns:
        (...,) distance of the inner lips in units of the distance of the outer eye corners.
    """
    points = np.asarray(landmarks, np.float64)[..., :2]

    def apart(first: int, second: int) -> npt.NDArray[np.float64]:
        between = points[..., first, :] - points[..., second, :]
        return np.asarray(np.linalg.norm(between, axis=-1))

    return np.asarray(apart(*INNER_LIPS) / apart(*EYE_CORNERS))
