"""The regions in which pictures are also compared, from the truth's landmarks.

Face: bounding box of the 478 points and 2 px around it. Mouth: bounding box of the 40 lip points
and 6 px at a frame width of 512 px around it, scaled with the width; eyes: the same of both eyes'
lids. Hair band: as wide as the face box and a tenth more on each side, from 0.45 face heights above
the top of the forehead down to it. Neck band: the middle four fifths of the face box's width, from
the chin to 0.35 face heights below it. A band that lies outside the frame is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nerf_talker.geometry.mesh import CHIN, FOREHEAD_TOP, LEFT_EYE, LIPS, RIGHT_EYE
from nerf_talker.types import ByteArray, FloatArray, PixelBox

FACE_MARGIN = 2.0
MOUTH_MARGIN_AT_512 = 6.0
HAIR_HEIGHT, HAIR_WIDENING = 0.45, 0.1
NECK_HEIGHT, NECK_NARROWING = 0.35, 0.1
THINNEST = 4
"""Pixels of height below which a band at the frame's edge is not worth measuring."""

REGIONS = ("frame", "face", "mouth", "eyes", "hair", "neck")
Boxes = dict[str, PixelBox]
"""Region name to box; a region that is not in the frame has no key."""


def region_boxes(landmarks: FloatArray | None, height: int, width: int) -> Boxes:
    """All regions of an H x W frame; only the frame itself without landmarks (478, 2 or more)."""
    boxes = {"frame": PixelBox(0, 0, height, width)}
    if landmarks is None:
        return boxes
    boxes["face"] = face_box(landmarks, height, width)
    boxes["mouth"] = mouth_box(landmarks, height, width)
    margin = MOUTH_MARGIN_AT_512 * width / 512
    eyes = landmarks[[*LEFT_EYE, *RIGHT_EYE]]
    boxes["eyes"] = _box(eyes, margin, height, width)
    for name, band in (("hair", _hair(landmarks)), ("neck", _neck(landmarks))):
        top, bottom = max(band[1], 0.0), min(band[3], float(height))
        if bottom - top >= THINNEST and band[0] < width and band[2] > 0:
            corners = np.array([[band[0], top], [band[2], bottom]])
            boxes[name] = _box(corners, 0.0, height, width)
    return boxes


def mean_boxes(every: Sequence[Boxes]) -> Boxes:
    """Per region the box whose edges are the means over the frames that have it."""
    means: Boxes = {}
    for name in REGIONS:
        edges = [(b.top, b.left, b.height, b.width) for boxes in every if (b := boxes.get(name))]
        if edges:
            top, left, height, width = np.round(np.mean(edges, axis=0)).astype(int)
            means[name] = PixelBox(int(top), int(left), max(int(height), 1), max(int(width), 1))
    return means


def face_box(landmarks: FloatArray, height: int, width: int) -> PixelBox:
    """The face box of (478, 2 or more) landmarks in pixels, inside an H x W frame."""
    return _box(landmarks, FACE_MARGIN, height, width)


def mouth_box(landmarks: FloatArray, height: int, width: int) -> PixelBox:
    """The mouth box of (478, 2 or more) landmarks in pixels, inside an H x W frame."""
    return _box(landmarks[list(LIPS)], MOUTH_MARGIN_AT_512 * width / 512, height, width)


def crop(picture: ByteArray, box: PixelBox) -> ByteArray:
    """The part of an (H, W, ...) picture inside ``box``."""
    return picture[box.top : box.top + box.height, box.left : box.left + box.width]


def _hair(points: FloatArray) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the hair band, not yet cut to the frame."""
    (left, top), (right, bottom) = points[:, :2].min(0), points[:, :2].max(0)
    aside, line = HAIR_WIDENING * (right - left), float(points[FOREHEAD_TOP, 1])
    return left - aside, line - HAIR_HEIGHT * (bottom - top), right + aside, line


def _neck(points: FloatArray) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = points[:, :2].min(0), points[:, :2].max(0)
    inside, chin = NECK_NARROWING * (right - left), float(points[CHIN, 1])
    return left + inside, chin, right - inside, chin + NECK_HEIGHT * (bottom - top)


def _box(points: FloatArray, margin: float, height: int, width: int) -> PixelBox:
    """The pixels touched by the bounding box, at least one of them inside the frame."""
    low, high = np.min(points[:, :2], axis=0) - margin, np.max(points[:, :2], axis=0) + margin
    left, right = _span(low[0], high[0], width)
    top, bottom = _span(low[1], high[1], height)
    return PixelBox(top, left, bottom - top, right - left)


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(math.floor(low), 0), size - 1)
    return first, max(min(math.ceil(high), size), first + 1)
