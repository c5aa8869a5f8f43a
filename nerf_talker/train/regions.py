"""Where in a frame the parts of a head lie, as boxes of pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.data.dataset import Dataset
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.mesh import LEFT_EYE, LIPS, RIGHT_EYE

Boxes = npt.NDArray[np.int64]


def region_boxes(dataset: Dataset, frames: npt.NDArray[np.int64]) -> dict[str, Boxes]:
    """(F, 4) top, left, bottom, right of each region in each of F frames, bottom and right out.

    ``hair`` is what of the head lies above the brows, ``lower`` the lower face with the jaw.
    """
    landmarks = dataset.track.landmarks[frames, :, :2]
    size = dataset.manifest.size
    head = _head_boxes(dataset, frames, size)
    face = _boxes(landmarks, 0.01 * size, size)
    hair = head.copy()
    hair[:, 2] = np.maximum(face[:, 0], head[:, 0] + 1)
    return {
        "head": head,
        "face": face,
        "mouth": _boxes(landmarks[:, list(LIPS)], 6 / 512 * size, size),
        "eyes": _boxes(landmarks[:, [*LEFT_EYE, *RIGHT_EYE]], 0.02 * size, size),
        "hair": hair,
        "lower": _boxes(landmarks[:, list(MOUTH_POINTS)], 0.01 * size, size),
    }


def _head_boxes(dataset: Dataset, frames: npt.NDArray[np.int64], size: int) -> Boxes:
    margin = round(0.03 * size)
    boxes = np.zeros((len(frames), 4), np.int64)
    for row, frame in enumerate(frames):
        mask = np.asarray(dataset.head_alpha[frame]) > 16
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            boxes[row] = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
        else:
            boxes[row] = (0, 0, size, size)
    boxes += np.asarray([-margin, -margin, margin, margin])
    return boxes.clip(0, size)


def _boxes(points: npt.NDArray[np.float32], margin: float, size: int) -> Boxes:
    """(F, 4) boxes around (F, K, 2) x, y points, at least one pixel large."""
    low = np.floor(points.min(1) - margin).astype(np.int64).clip(0, size - 1)
    high = np.ceil(points.max(1) + margin).astype(np.int64).clip(1, size)
    high = np.maximum(high, low + 1)
    return np.stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]], -1)
