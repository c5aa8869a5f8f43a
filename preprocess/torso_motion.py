"""2-D motion of the torso layer: a similarity per frame from tracked corners of clothes and neck.

Corners of the reference frame's torso are followed into every frame with pyramidal Lucas-Kanade
(Bouguet 2001), started at the previous frame's motion, and a similarity is fitted by RANSAC.
Coordinates are OpenCV's (pixel centres at integers) until :func:`as_plate_motion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nerf_talker.data.labels import is_head, is_torso
from nerf_talker.geometry.rotation import Array
from nerf_talker.preprocess.steady import stretches
from nerf_talker.types import BoolArray, ByteArray, FloatArray

_CORNERS = 160
_FEWEST = 10
# Larger changes than these are tracking errors: people speak seated or standing.
_LARGEST_SCALE = 0.12
_LARGEST_SHIFT = 0.3
# Corners are found to a tenth of a pixel; more smoothing would flatten real shake of the camera.
_SMOOTHING_FRAMES = 0.6


@dataclass(frozen=True)
class Reference:
    """The frame all others are compared with.

    Attributes:
        grey: (S, S) uint8.
        corners: (C, 2) float32 pixels on the torso.
    """

    grey: ByteArray
    corners: FloatArray


def torso_area(labels: ByteArray, from_head: float) -> ByteArray:
    """0 or 1 per pixel: torso at least ``from_head`` pixels away from the head."""
    import cv2

    head = is_head(labels).astype(np.uint8)
    reach = max(round(from_head), 1)
    near = cv2.dilate(head, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return (is_torso(labels) & (near == 0)).astype(np.uint8)


def make_reference(grey: ByteArray, labels: ByteArray) -> Reference:
    """Pick the corners to follow in a grey (S, S) picture with its labels."""
    import cv2

    size = grey.shape[0]
    found = cv2.goodFeaturesToTrack(
        grey, _CORNERS, 0.005, max(size / 64, 3), mask=torso_area(labels, size * 0.02)
    )
    corners = np.zeros((0, 2)) if found is None else np.asarray(found).reshape(-1, 2)
    return Reference(grey, corners.astype(np.float32))


def follow(
    reference: Reference, frames: Iterable[tuple[ByteArray, ByteArray]]
) -> tuple[Array, BoolArray]:
    """Reference-to-frame similarities.

    Args:
        reference: What to follow.
        frames: Grey picture and labels, (S, S) uint8 each, of every frame in order.

    Returns:
        (F, 2, 3) matrices and (F,) whether the frame could be tracked.
    """
    matrices, tracked = [], []
    last = np.eye(2, 3)
    for grey, labels in frames:
        found = _fit(reference, grey, labels, last)
        tracked.append(found is not None)
        last = last if found is None else found
        matrices.append(last)
    return np.stack(matrices), np.asarray(tracked)


def _fit(reference: Reference, grey: ByteArray, labels: ByteArray, guess: Array) -> Array | None:
    import cv2

    if len(reference.corners) < _FEWEST:
        return None
    start = (reference.corners @ guess[:, :2].T + guess[:, 2]).astype(np.float32)
    window = (21, 21) if grey.shape[0] > 300 else (15, 15)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        reference.grey, grey, reference.corners, start.copy(), winSize=window, maxLevel=2,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    size = grey.shape[0]
    place = np.clip(np.round(moved), 0, size - 1).astype(int)
    inside = ((moved >= 0) & (moved <= size - 1)).all(1)
    on_torso = torso_area(labels, size * 0.012)[place[:, 1], place[:, 0]] > 0
    good = (found[:, 0] > 0) & inside & on_torso
    if good.sum() < _FEWEST:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(
        reference.corners[good], moved[good], ransacReprojThreshold=size / 256 * 1.0
    )
    if matrix is None or inliers.sum() < max(_FEWEST, 0.3 * good.sum()):
        return None
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    middle = matrix[:, :2] @ [size / 2, size] + matrix[:, 2] - [size / 2, size]
    if abs(scale - 1) > _LARGEST_SCALE or np.abs(middle).max() > _LARGEST_SHIFT * size:
        return None
    return np.asarray(matrix)


def settle(matrices: Array, tracked: BoolArray, splices: Sequence[int] = ()) -> Array:
    """Interpolate untracked frames and smooth over time; identity if most are untracked.

    Args:
        matrices: (F, 2, 3).
        tracked: (F,) whether the frame could be tracked.
        splices: Frames before which time was cut out: nothing is interpolated or smoothed across
            them, but for stretches in which no frame was tracked.
    """
    if tracked.mean() < 0.5:
        return np.repeat(np.eye(2, 3)[None], len(matrices), 0)
    flat = matrices.reshape(len(matrices), 6)
    filled = []
    for first, last in stretches(len(flat), splices):
        good = np.flatnonzero(tracked)
        inside = good[(good >= first) & (good < last)]
        known = inside if len(inside) else good
        rows = np.arange(first, last)
        filled.append(np.stack([np.interp(rows, known, column[known]) for column in flat.T], 1))
    return steady(np.concatenate(filled), splices).reshape(-1, 2, 3)


def steady(values: Array, splices: Sequence[int] = ()) -> Array:
    """(F, D) rows smoothed over time, but not across ``splices``."""
    from scipy.ndimage import gaussian_filter1d

    calm = [
        gaussian_filter1d(values[first:last], _SMOOTHING_FRAMES, axis=0, mode="nearest")
        for first, last in stretches(len(values), splices)
    ]
    return np.concatenate(calm)


def as_plate_motion(matrices: Array, size: int) -> FloatArray:
    """(F, 6) row-major affines on continuous coordinates divided by ``size``."""
    shift = matrices[:, :, 2] + 0.5 - matrices[:, :, :2].sum(-1) * 0.5
    scaled = np.concatenate([matrices[:, :, :2], shift[..., None] / size], -1)
    return scaled.reshape(len(matrices), 6).astype(np.float32)
