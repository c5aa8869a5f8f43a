"""Choosing the one square of the source picture that becomes the dataset."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.data.manifest import CropTransform
from nerf_talker.preprocess.models import FaceLandmarker
from nerf_talker.types import ByteArray, FloatArray

# Side of the crop in face heights (forehead to chin): room for hair and shoulders.
SIDE_IN_FACES = 2.1
# Where the face's centre sits, as a fraction of the crop from the top: shoulders need more room.
FACE_HEIGHT_IN_CROP = 0.55
# A square picture this close to the wanted crop is a portrait already and is kept whole.
PORTRAIT = 0.8
# Part of a face height left free beside the outermost positions of a moving face.
MARGIN_IN_FACES = 0.45

Box = tuple[float, float, float, float]


def face_box(landmarks: FloatArray) -> Box:
    """(left, top, right, bottom) of (478, 2 or 3) landmarks."""
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def find_face(landmarker: FaceLandmarker, picture: ByteArray) -> Box | None:
    """The face in a picture; small faces are looked for again in overlapping squares."""
    found = landmarker.read(picture)
    if found:
        return face_box(found[0].landmarks)
    height, width = picture.shape[:2]
    side = round(0.6 * min(height, width))
    for top in np.linspace(0, height - side, 3).astype(int):
        for left in np.linspace(0, width - side, 3 if width < 1.5 * height else 5).astype(int):
            found = landmarker.read(picture[top : top + side, left : left + side])
            if found:
                a, b, c, d = face_box(found[0].landmarks)
                return a + left, b + top, c + left, d + top
    return None


def choose_crop(boxes: npt.ArrayLike, width: int, height: int) -> CropTransform:
    """A square that holds the face in all its positions.

    Args:
        boxes: (K, 4) left, top, right, bottom of the face in K frames, source pixels.
        width: Width of the source picture.
        height: Height of the source picture.
    """
    left, top, right, bottom = np.asarray(boxes, np.float64).T
    face = float(np.median(bottom - top))
    middle_x = (np.percentile(left, 2) + np.percentile(right, 98)) / 2
    middle_y = float(np.median(top + bottom)) / 2
    reach = max(
        np.percentile(right, 98) - np.percentile(left, 2),
        np.percentile(bottom, 98) - np.percentile(top, 2),
    )
    side = max(SIDE_IN_FACES * face, reach + 2 * MARGIN_IN_FACES * face)
    largest = min(width, height)
    if width == height and side >= PORTRAIT * width:
        side = width
    side = 2 * (round(min(side, largest)) // 2)
    x = round(np.clip(middle_x - side / 2, 0, width - side))
    y = round(np.clip(middle_y - FACE_HEIGHT_IN_CROP * side, 0, height - side))
    return CropTransform(left=x, top=y, side=side, source_width=width, source_height=height)
