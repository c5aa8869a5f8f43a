"""The boxes in which PSNR and LPIPS are also measured, from the truth's landmarks.

Face box: bounding box of the 478 points and 2 px around it. Mouth box: bounding box of the 40 lip
points and 6 px at a frame width of 512 px around it, scaled with the width.
"""

from __future__ import annotations

import math

import numpy as np

from nerf_talker.geometry.mesh import LIPS
from nerf_talker.types import ByteArray, FloatArray, PixelBox

FACE_MARGIN = 2.0
MOUTH_MARGIN_AT_512 = 6.0


def face_box(landmarks: FloatArray, height: int, width: int) -> PixelBox:
    """The face box of (478, 2 or more) landmarks in pixels, inside an H x W frame."""
    return _box(landmarks, FACE_MARGIN, height, width)


def mouth_box(landmarks: FloatArray, height: int, width: int) -> PixelBox:
    """The mouth box of (478, 2 or more) landmarks in pixels, inside an H x W frame."""
    return _box(landmarks[list(LIPS)], MOUTH_MARGIN_AT_512 * width / 512, height, width)


def crop(picture: ByteArray, box: PixelBox) -> ByteArray:
    """The part of an (H, W, ...) picture inside ``box``."""
    return picture[box.top : box.top + box.height, box.left : box.left + box.width]


def _box(points: FloatArray, margin: float, height: int, width: int) -> PixelBox:
    """The pixels touched by the bounding box, at least one of them inside the frame."""
    low, high = np.min(points[:, :2], axis=0) - margin, np.max(points[:, :2], axis=0) + margin
    left, right = _span(low[0], high[0], width)
    top, bottom = _span(low[1], high[1], height)
    return PixelBox(top, left, bottom - top, right - left)


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(math.floor(low), 0), size - 1)
    return first, max(min(math.ceil(high), size), first + 1)
