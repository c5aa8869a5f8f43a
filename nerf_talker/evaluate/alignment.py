"""Bringing two videos together: one clock, one length, one size.

The rule. Both videos start at their first frame. The truth's frames are the clock: beside a true
frame stands the predicted frame that is on screen in the middle of the true frame's time. Measured
is the time both have. A prediction of another size is resized to the truth's (area means when it
shrinks, cubic when it grows), unless its shape differs, which is refused. Every change is noted in
the report. A lag is not corrected: it is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.errors import InputError
from nerf_talker.evaluate.schema import Alignment
from nerf_talker.evaluate.video_file import VideoFile
from nerf_talker.types import ByteArray

SHAPE_TOLERANCE = 0.02
"""Relative difference of the aspect ratios above which a comparison is refused."""


def fitted(picture: ByteArray, width: int, height: int) -> ByteArray:
    """A picture at another size: area means when it shrinks, cubic when it grows."""
    import cv2

    if picture.shape[1::-1] == (width, height):
        return picture
    method = cv2.INTER_AREA if picture.shape[1] > width else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)


@dataclass(frozen=True)
class Pairing:
    """Which predicted frame stands beside which true one.

    Attributes:
        pred: The prediction.
        truth: The truth.
        matches: Predicted frame of each measured true frame 0, 1, 2, ...
    """

    pred: VideoFile
    truth: VideoFile
    matches: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.matches)

    @classmethod
    def of(cls, pred: VideoFile, truth: VideoFile) -> Pairing:
        """Pair two videos by the rule of this module.

        Raises:
            InputError: Their shapes differ, or they share fewer than two frames' time.
        """
        shape, wanted = pred.width / pred.height, truth.width / truth.height
        if abs(shape / wanted - 1) > SHAPE_TOLERANCE:
            raise InputError(
                f"{pred.path}: {pred.width}x{pred.height} pixels cannot be compared with "
                f"{truth.path}: {truth.width}x{truth.height}, another shape; crop both alike"
            )
        middle = truth.times() + 0.5 / truth.fps
        end = pred.times()[-1] + 1 / pred.fps
        inside = middle[middle < end]
        if len(inside) < 2:
            raise InputError(
                f"{pred.path}: shares {len(inside)} frames with {truth.path}; give a longer video"
            )
        matches = np.searchsorted(pred.times(), inside, side="right") - 1
        return cls(pred, truth, tuple(int(match) for match in np.maximum(matches, 0)))

    def fitted(self, picture: ByteArray) -> ByteArray:
        """A predicted picture at the truth's size."""
        return fitted(picture, self.truth.width, self.truth.height)

    def described(self) -> Alignment:
        """What the report says about it."""
        pred, truth = self.pred, self.truth
        notes = []
        if abs(pred.fps / truth.fps - 1) > 1e-3:
            notes.append(
                f"The prediction has {pred.fps:.3f} frames per second, the truth {truth.fps:.3f}: "
                "beside each true frame stands the predicted one on screen at its middle."
            )
        if (pred.width, pred.height) != (truth.width, truth.height):
            notes.append(
                f"The prediction was resized from {pred.width}x{pred.height} to "
                f"{truth.width}x{truth.height} pixels."
            )
        if len(self) < len(truth):
            notes.append(
                f"The prediction is shorter: {len(self)} of the truth's {len(truth)} frames were "
                "measured, from the start."
            )
        spare = len(pred) - 1 - self.matches[-1]
        if spare > max(pred.fps / truth.fps, 1):
            notes.append(f"The prediction is longer: its last {spare} frames were not looked at.")
        return Alignment(
            pred=str(pred.path),
            truth=str(truth.path),
            pred_fps=pred.fps,
            truth_fps=truth.fps,
            pred_frames=len(pred),
            truth_frames=len(truth),
            pred_size=(pred.width, pred.height),
            truth_size=(truth.width, truth.height),
            notes=notes,
        )
