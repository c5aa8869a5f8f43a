"""Identity similarity (CSIM) with a face-recognition network that the user brings.

Definition: cosine of the embeddings of the predicted and of the true face in the same frame, mean
over frames. 1 is the same; higher is better. The face is turned and scaled by a similarity on
eyes, nose and mouth corners to the 112x112 place that such networks are trained on (ArcFace, 2019).
The network is a TorchScript file from (N, 3, 112, 112) RGB in [-1, 1] to (N, D); none is shipped,
since the weights in circulation are not licensed for commercial use.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.geometry.headshape import similarity
from nerf_talker.geometry.mesh import LEFT_EYE, RIGHT_EYE
from nerf_talker.types import ByteArray, FloatArray

SIDE = 112

PLACES = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
)  # fmt: skip
"""Eye on the image's left, the other eye, nose tip and mouth corners in the 112x112 picture."""

NOSE_TIP, MOUTH_CORNERS = 4, (61, 291)


def face_crop(picture: ByteArray, landmarks: FloatArray) -> ByteArray:
    """(112, 112, 3) uint8 upright face of an (H, W, 3) picture with (478, 2 or 3) landmarks."""
    import cv2

    points = np.asarray(landmarks, np.float64)[:, :2]
    found = np.stack(
        [
            points[list(RIGHT_EYE)].mean(0),
            points[list(LEFT_EYE)].mean(0),
            points[NOSE_TIP],
            *points[list(MOUTH_CORNERS)],
        ]
    )
    scale, rotation, shift = similarity(found, PLACES)
    matrix = np.concatenate([scale * rotation, shift[:, None]], 1)
    face = cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(face, np.uint8)


def cosine(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """Cosine of the angle between two (D,) embeddings."""
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
