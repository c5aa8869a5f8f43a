"""Region activity: how much each place moves over time, against the truth.

Definition: the standard deviation over frames of the luma of every pixel; a region's figure is the
root of the mean variance inside the region's mean box, prediction over truth. 1 is the truth's
liveliness, below 1 is over-smoothed, 0 a still picture. Source: the facial activity of CorrTalk
(2023), taken on pixels, so that it needs no landmarks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.types import ByteArray, PixelBox

Map = npt.NDArray[np.float64]


class Activity:
    """Running sums of luma and its square, in constant memory."""

    def __init__(self) -> None:
        self.count = 0
        self.total: Map | None = None
        self.square: Map | None = None

    def add(self, picture: ByteArray) -> None:
        """Take in one (H, W, 3) uint8 picture."""
        import cv2

        luma = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float64)
        self.merge(1, luma, luma * luma)

    def merge(self, count: int, total: Map, square: Map) -> None:
        """Take in the sums of ``count`` other frames; exact, whole numbers being summed."""
        self.count += count
        self.total = total if self.total is None else self.total + total
        self.square = square if self.square is None else self.square + square

    def variance(self) -> Map | None:
        """(H, W) population variance over time, levels^2; None before the first frame."""
        if self.total is None or self.square is None:
            return None
        mean = self.total / self.count
        return np.asarray(np.maximum(self.square / self.count - mean * mean, 0.0), np.float64)


def activity_ratio(predicted: Map, truth: Map, box: PixelBox) -> float | None:
    """Root of the ratio of mean variances in ``box``; None where the truth does not move."""
    inside = np.s_[box.top : box.top + box.height, box.left : box.left + box.width]
    below = float(truth[inside].mean())
    return None if below <= 1e-9 else float(np.sqrt(predicted[inside].mean() / below))


def activity_map(predicted: Map, truth: Map) -> Map:
    """(H, W) standard deviation of the prediction over the truth's, eased by one level.

    The level added to both keeps the quotient quiet where nothing moves in either.
    """
    return np.asarray((np.sqrt(predicted) + 1) / (np.sqrt(truth) + 1))
