"""What costs no training: every figure must beat these by far.

Both use the training split only: its mean frame, and for each true frame the training frame whose
landmarks lie nearest in the picture (Euclidean over all 478 points, position included).
"""

from __future__ import annotations

import numpy as np

from nerf_talker.types import ByteArray, FloatArray


def mean_frame(frames: ByteArray, train: range) -> ByteArray:
    """(H, W, 3) uint8 mean of the training frames of (F, H, W, 3) ``frames``."""
    total = np.zeros(frames.shape[1:], np.uint64)
    for index in train:
        total += frames[index]
    return np.round(total / len(train)).astype(np.uint8)


def nearest_frames(landmarks: FloatArray, train: range, wanted: range) -> list[int]:
    """The nearest training frame of each wanted frame, never the frame itself.

    Args:
        landmarks: (F, 478, 2 or more) pixels of the whole clip.
        train: Training frames, at least two.
        wanted: Frames to find a neighbour for.
    """
    points = landmarks[:, :, :2].reshape(len(landmarks), -1).astype(np.float64)
    known = points[train.start : train.stop]
    nearest = []
    for index in wanted:
        distance = ((known - points[index]) ** 2).sum(1)
        if index in train:
            distance[index - train.start] = np.inf
        nearest.append(train.start + int(np.argmin(distance)))
    return nearest
